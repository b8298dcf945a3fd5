#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;

namespace {

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

}  // namespace

TEST_CASE("the program explains itself") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"--help"}, {"-h"}, {"help"}}) {
    const ProgramResult result = cbnet_run(arguments);
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");
    for (const char* command : {"data", "train", "eval", "predict", "export", "import", "info"}) {
      CHECK(result.out.find(std::string("\n  ") + command + "  ") != std::string::npos);
    }
    CHECK(result.out.find("Examples:") != std::string::npos);
    CHECK(longest_line(result.out) <= 100);
  }
  const ProgramResult version = cbnet_run({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out.starts_with("cbnet "));
  CHECK(version.out.find('.') != std::string::npos);
}

TEST_CASE("every command has a help with examples and the common options") {
  for (const std::string command : {"data", "train", "eval", "predict", "export", "import", "info"}) {
    INFO(command);
    const ProgramResult result = cbnet_run({command, "--help"});
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");
    CHECK(result.out.find("Usage:\n  cbnet " + command) != std::string::npos);
    CHECK(result.out.find("Examples:\n  cbnet " + command) != std::string::npos);
    for (const char* option :
         {"--threads N", "--device DEVICE", "--data-dir DIR", "--json FILE", "--quiet"}) {
      CHECK(result.out.find(option) != std::string::npos);
    }
    CHECK(longest_line(result.out) <= 100);
  }
}

TEST_CASE("wrong usage names what is wrong and where to read on") {
  struct Wrong {
    std::vector<std::string> arguments;
    std::string part;
  };
  const std::vector<Wrong> cases{
      {{"trian"}, "unknown command trian; did you mean train?; hint: see `cbnet --help`"},
      {{"fly"}, "unknown command fly; hint: see `cbnet --help`"},
      {{"--verbose"}, "unknown option --verbose"},
      {{"train", "--epoch", "3"}, "unknown option --epoch; did you mean --epochs?"},
      {{"train", "--frobnicate"}, "unknown option --frobnicate; hint: see `cbnet train --help`"},
      {{"train", "-x"}, "unknown option -x"},
      {{"train", "--out"}, "option --out needs a value"},
      {{"train", "--quiet=loud"}, "'loud' is no value"},
      {{"train", "--out", "r"}, "option --dataset or --data is required"},
      {{"train", "--dataset", "fmnist"}, "option --out is required"},
      {{"train", "--dataset", "cifar", "--out", "r"}, "got cifar"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--model", "vgg"}, "got 'vgg'"},
      {{"train", "--dataset", "fmnist", "--out", "r", "more"}, "unexpected argument 'more'"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--epochs", "0"}, "epochs must be 1 to"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--epochs", "2.5"}, "--epochs must be a whole number"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--batch-size", "9999999"}, "batch_size must be 1 to"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--learning-rate", "nan"},
       "--learning-rate must be a number"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--threshold", "-1"},
       "--threshold must not be negative"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--target", "best"}, "got 'best'"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--seed", "-1"}, "--seed must be a whole number"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--seed", "18446744073709551616"}, "--seed must be"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--config", "none.json"}, "none.json"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--threads", "0"},
       "--threads must be a whole number, 1 to 1024; got '0'"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--threads", "1025"},
       "--threads must be a whole number, 1 to 1024"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--threads", "two"},
       "--threads must be a whole number"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--train-images", "f"}, "must be given together"},
      {{"train", "--dataset", "fmnist", "--out", "r", "--data-dir", "none"}, "hint: check --data-dir"},
      {{"train", "--dataset", "mnist", "--out", "r", "--no-download"}, "dataset mnist"},
      {{"eval", "--dataset", "fmnist"}, "option --run is required"},
      {{"eval", "--dataset", "fmnist", "--run", "none"}, "expected a run folder"},
      {{"eval", "--dataset", "fmnist", "--run", "."}, "expected at least one trained model"},
      {{"predict", "--run", "r"}, "no IMAGE is given"},
      {{"predict", "--run", "none", "a.png"}, "expected a run folder"},
      {{"info", "--model", "none.safetensors"}, "none.safetensors"},
      {{"info", "--device", "tpu"}, "expected cpu, reference or cuda; got 'tpu'"},
      {{"data"}, "what to do is missing"},
      {{"data", "lits"}, "got 'lits'; did you mean list?"},
      {{"data", "list", "list"}, "unexpected argument 'list'"},
  };
  const TempFolder folder;
  ProgramOptions options;
  options.folder = folder.path();
  options.environment = {{"CBNET_DATA", ""}};
  for (const Wrong& wrong : cases) {
    std::string words;
    for (const std::string& word : wrong.arguments) words += " " + word;
    INFO("cbnet" << words);
    check_refused(cbnet_run(wrong.arguments, options), wrong.part);
  }
  CHECK_MESSAGE(std::filesystem::is_empty(folder.path()), "nothing may be written");
}

TEST_CASE("--device cuda is refused where it cannot compute, by every command") {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"info"},
                                                    {"data", "list"},
                                                    {"train", "--dataset", "fmnist", "--out", "r"},
                                                    {"eval", "--dataset", "fmnist", "--run", "r"},
                                                    {"predict", "--run", "r", "a.png"}}) {
    std::vector<std::string> words = arguments;
    words.insert(words.end(), {"--device", "cuda"});
    check_refused(cbnet_run(words), "hint:");
  }
}

TEST_CASE("--device reference is refused by commands that compute on the CPU alone") {
  check_refused(cbnet_run({"info", "--device", "reference"}), "`cbnet info` computes on the CPU; hint:");
}

TEST_CASE("an unknown ISA is refused") {
  ProgramOptions options;
  options.environment = {{"CBNET_FORCE_ISA", "mmx"}};
  check_refused(cbnet_run({"info"}, options), "unknown ISA 'mmx'");
}

TEST_CASE("--print-recipe shows what single options and a file change") {
  const TempFolder folder;
  put(folder / "mine.json", R"({"branchynet": {"epochs": 7}, "threshold": "auto", "auto_margin": 0.01})");
  const std::vector<std::string> arguments{"train",    "--dataset",          "fmnist",
                                           "--config", folder / "mine.json", "--batch-size",
                                           "33",       "--print-recipe"};
  const ProgramResult result = cbnet_run(arguments);
  REQUIRE(result.exit_code == 0);
  const Json recipe = Json::parse(result.out, nullptr, false);
  REQUIRE_FALSE(recipe.is_discarded());
  CHECK(recipe["branchynet"]["epochs"] == 7);
  CHECK(recipe["lenet"]["epochs"] != 7);
  CHECK(recipe["lenet"]["batch_size"] == 33);
  CHECK(recipe["autoencoder"]["batch_size"] == 33);
  CHECK(recipe["threshold"] == "auto");
  CHECK(recipe["auto_margin"] == 0.01);

  put(folder / "again.json", result.out);
  const ProgramResult again =
      cbnet_run({"train", "--dataset", "fmnist", "--config", folder / "again.json", "--print-recipe"});
  CHECK(again.out == result.out);

  put(folder / "wrong.json", R"({"epocs": 7})");
  check_refused(
      cbnet_run({"train", "--dataset", "fmnist", "--config", folder / "wrong.json", "--print-recipe"}),
      "unknown key 'epocs'");
  put(folder / "broken.json", "{");
  check_refused(
      cbnet_run({"train", "--dataset", "fmnist", "--config", folder / "broken.json", "--print-recipe"}),
      "broken.json");
}
