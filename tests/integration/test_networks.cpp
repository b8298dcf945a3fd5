#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

// A network of someone's own, from a file, through the programs.

using namespace cbnet::test;

namespace {

/// BranchyNet with a second side exit, under another name.
std::string two_exits() {
  const ProgramResult info = cbnet_run({"info", "--network", "branchynet", "--input", "1,28,28"});
  REQUIRE(info.exit_code == 0);
  Json network = Json::parse(info.out);
  network["name"] = "twice";
  network["exits"].push_back(
      {{"after", 6}, {"branch", {{{"kind", "flatten"}}, {{"kind", "linear"}, {"out", 10}}}}});
  return network.dump();
}

std::vector<std::string> with_excerpt(std::vector<std::string> words) {
  const std::vector<std::string> options = excerpt_options();
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

Json run_json(const TempFolder& folder, std::vector<std::string> words) {
  const std::string file = folder / "report.json";
  words.insert(words.end(), {"--json", file});
  const ProgramResult result = cbnet_run(words);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return read_json(file);
}

}  // namespace

TEST_CASE("a network in JSON with two side exits: trained, judged, converted for, compiled") {
  const TempFolder folder;
  const std::string file = folder / "twice.json", run = folder / "run";
  cbnet::write_file_atomic(file, two_exits());
  // Thresholds at which all images leave at the first exit: 200 images make no good models.
  const Json trained =
      run_json(folder, with_excerpt({"train", "--model", file, "--method", "cbnet", "--out", run, "--epochs",
                                     "12", "--batch-size", "20", "--threshold", "2.5,2.4"}));
  CHECK(trained["stages"]["twice"]["validation"]["threshold_2"] == 2.4);
  CHECK(trained["model_files"].contains("twice"));

  const Json judged = run_json(folder, with_excerpt({"eval", "--run", run, "--threshold", "0,10"}));
  CHECK(judged["models"]["twice"]["exit_rates"] == Json({0.0, 1.0, 0.0}));
  CHECK(judged["models"].contains("cbnet"));
  const Json compiled =
      run_json(folder, with_excerpt({"compile", "--run", run, "--model", "twice", "--precision", "int8",
                                     "--out", folder / "twice.plan"}));
  const Json planned =
      run_json(folder, with_excerpt({"eval", "--plan", folder / "twice.plan", "--threshold", "0"}));
  CHECK(planned["models"].begin().value()["exit_rates"] == Json({0.0, 0.0, 1.0}));
  check_refused(cbnet_run(with_excerpt({"eval", "--run", run, "--model", "twice", "--threshold", "1,1,1"})),
                "one for each of 2 side exits; got 3");
}

TEST_CASE("a network without side exits is cut at the K that is asked for") {
  const TempFolder folder;
  const std::string run = folder / "run", config = folder / "recipe.json";
  cbnet::write_file_atomic(config, R"({"truncation": {"head_epochs": 20}})");
  const Json trained = run_json(
      folder,
      with_excerpt({"train", "--model", "alexnet", "--method", "cbnet", "--k", "1", "--config", config,
                    "--out", run, "--epochs", "2", "--batch-size", "20", "--threshold", "9"}));
  CHECK(trained["stages"]["classifier"]["truncation"]["k"] == 1);
  CHECK(trained["stages"]["classifier"]["truncation"]["trials"].size() == 1);
  CHECK(trained["stages"]["classifier"]["seconds"] > 0.0);
  const Json judged = run_json(folder, with_excerpt({"eval", "--run", run, "--model", "cbnet"}));
  CHECK(judged["models"]["cbnet"]["accuracy"] >= 0.0);
}

TEST_CASE("networks that do not fit, are unknown or are no network are refused, and nothing is written") {
  const TempFolder folder;
  const std::string run = folder / "run", file = folder / "mine.json";
  const auto refused = [&](const std::string& model, const std::string& part,
                           const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = with_excerpt({"train", "--model", model, "--out", run});
    words.insert(words.end(), more.begin(), more.end());
    check_refused(cbnet_run(words), part);
    CHECK_FALSE(std::filesystem::exists(run));
  };
  refused("vgg", "expected lenet, branchynet, alexnet");
  refused(folder / "none.onnx", "No such file");
  cbnet::write_file_atomic(file, "{");
  refused(file, "mine.json: network description");
  cbnet::write_file_atomic(file, cbnet_run({"info", "--network", "alexnet", "--classes", "3"}).out);
  refused(file, "to 10 classes at every exit; found one from (3,32,32)");
  refused("lenet", "--method cbnet is for other networks", {"--method", "cbnet"});
  refused("alexnet", "--k takes auto or 1, 2", {"--k", "2"});
  refused("alexnet", "--method must be network or cbnet", {"--method", "magic"});
}
