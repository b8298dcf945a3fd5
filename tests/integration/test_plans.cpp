#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;

namespace {

const std::string& image() {
  static const std::string name = excerpt_folder() + "/t10k-images-idx3-ubyte.gz#0";
  return name;
}

std::vector<std::string> with_excerpt(std::vector<std::string> words) {
  const std::vector<std::string> data = excerpt_options();
  words.insert(words.end(), data.begin(), data.end());
  return words;
}

std::string compile(const TempFolder& folder, const std::string& model, const std::string& precision) {
  std::string plan = folder / (model + ".plan");
  const ProgramResult result = cbnet_run(with_excerpt({"compile", "--run", trained_run(), "--model", model,
                                                       "--precision", precision, "--out", plan, "--quiet"}));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return plan;
}

}  // namespace

TEST_CASE("plans are evaluated and predict, with a run and without; fp32 says what the model says") {
  const TempFolder folder;
  const std::string cbnet = compile(folder, "cbnet", "fp32"),
                    branchynet = compile(folder, "branchynet", "bf16"),
                    autoencoder = compile(folder, "autoencoder", "int8"), json = folder / "e.json";
  const ProgramResult eval =
      cbnet_run(with_excerpt({"eval", "--run", trained_run(), "--plan", cbnet, "--plan", branchynet, "--plan",
                              autoencoder, "--json", json}));
  INFO(eval.err);
  REQUIRE(eval.exit_code == 0);
  const Json models = read_json(json)["models"];
  CHECK(models.size() == 8);
  CHECK(models[cbnet]["confusion"] == models["cbnet"]["confusion"]);
  CHECK(models[cbnet]["macs_by_exit"] == models["cbnet"]["macs_by_exit"]);
  CHECK(models[cbnet]["size_bytes"] == std::filesystem::file_size(cbnet));
  CHECK(models[branchynet]["exit_rates"] == Json{1.0, 0.0});
  REQUIRE(
      cbnet_run(with_excerpt({"eval", "--plan", branchynet, "--threshold", "0", "--json", json})).exit_code ==
      0);
  CHECK(read_json(json)["models"][branchynet]["exit_rates"] == Json{0.0, 1.0});

  const std::string sheet = folder / "converted.png";
  REQUIRE(
      cbnet_run({"predict", "--plan", cbnet, image(), "--save-converted", sheet, "--json", json}).exit_code ==
      0);
  const Json planned = read_json(json);
  const std::string drawn = cbnet::read_file(sheet);
  REQUIRE(cbnet_run({"predict", "--run", trained_run(), image(), "--save-converted", sheet, "--json", json})
              .exit_code == 0);
  CHECK(planned["images"] == read_json(json)["images"]);
  CHECK(planned["model"] == "cbnet");
  CHECK(drawn == cbnet::read_file(sheet));
  check_refused(cbnet_run({"predict", "--plan", autoencoder, image()}),
                "the autoencoder alone does not classify");
  check_refused(cbnet_run({"predict", "--plan", cbnet, "--run", trained_run(), image()}),
                "--plan stands for --run and --model");
  check_refused(cbnet_run({"predict", "--plan", folder / "none.plan", image()}), "none.plan");
  check_refused(cbnet_run(with_excerpt({"eval", "--plan", cbnet, "--model", "lenet"})),
                "--model needs --run");
  check_refused(cbnet_run(with_excerpt({"eval"})), "option --run is required");
  check_refused(cbnet_run(with_excerpt({"eval", "--plan", trained_run() + "/lenet.safetensors"})),
                "a plan that begins with 'cbnetpln'");
}

TEST_CASE("info describes a plan") {
  const TempFolder folder;
  const std::string plan = compile(folder, "branchynet", "int8"), json = folder / "i.json";
  for (const char* option : {"--model", "--plan"}) {
    const ProgramResult info = cbnet_run({"info", option, plan, "--json", json});
    INFO(info.err);
    REQUIRE(info.exit_code == 0);
    CHECK(info.out.find("plan of branchynet, trained on fmnist, int8") != std::string::npos);
    const Json told = read_json(json)["plan"];
    CHECK(told["thresholds"] == Json{2.5});
    CHECK(told["input"] == Json{1, 28, 28});
    CHECK(told["output"] == Json{10});
    CHECK(told["macs_by_exit"].size() == 2);
    std::int64_t bytes = 0;
    for (const Json& step : told["steps"]) bytes += step["weight_bytes"].get<std::int64_t>();
    CHECK(told["weight_bytes"] == bytes);
    CHECK(told["arena_bytes"] > 0);
    CHECK(told["compiled"]["schema"] == "cbnet-plan/1");
    CHECK(told["isa"] == read_json(json)["isa"]);
  }
  check_refused(cbnet_run({"info", "--plan", trained_run() + "/lenet.safetensors"}), "a plan that begins");
  check_refused(cbnet_run({"info", "--plan", plan, "--model", plan}), "one or the other");
}

TEST_CASE("a file of a run folder that cannot be used stops no other; a named one is an error") {
  const TempFolder folder;
  const std::string run = folder / "run", json = folder / "e.json";
  std::filesystem::copy(trained_run(), run);
  cbnet::write_file_atomic(run + "/foreign.safetensors", "no model");
  std::filesystem::create_directory(run + "/folder.safetensors");
  cbnet::write_file_atomic(run + "/lenet.int8.plan", "no plan");
  const auto all = [&](int exit_code, std::size_t models, const std::string& warned) {
    const auto check = [&](const ProgramResult& result) {
      INFO(result.err);
      CHECK(result.exit_code == exit_code);
      CHECK(result.err.find("warning: " + run + ": '" + warned + "' is left out: ") != std::string::npos);
      CHECK(result.out.find("branchynet") != std::string::npos);
    };
    check(cbnet_run(with_excerpt({"eval", "--run", run, "--json", json})));
    CHECK(read_json(json)["models"].size() == models);
    CHECK(read_json(json)["unusable"][0]["model"] == warned);
    const auto bench = [&](std::vector<std::string> words) {
      words.insert(words.end(), {"--run", run, "--quiet"});
      check(run_program("cbnet_bench", words));
    };
    bench({"accuracy", "--data-dir", excerpt_folder()});
    bench({"table2", "--threads", "1", "--data-dir", excerpt_folder()});
    bench({"roofline", "--repeats", "1", "--block-s", "0.0002"});
  };
  all(0, 5, "folder");
  CHECK(cbnet_run({"predict", "--run", run, image()}).exit_code == 0);
  check_refused(cbnet_run(with_excerpt({"eval", "--run", run, "--model", "foreign"})), "foreign.safetensors");
  check_refused(cbnet_run({"predict", "--run", run, "--model", "foreign", image()}), "foreign.safetensors");
  // Of the models that training wrote, the exit code tells.
  const std::string lenet = cbnet::read_file(run + "/lenet.safetensors");
  cbnet::write_file_atomic(run + "/lenet.safetensors", lenet.substr(0, lenet.size() / 2));
  all(2, 4, "lenet");
}
