#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/cbnet_runs.h"
#include "tests/integration/run_program.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

// `cbnet_bench` itself, on models trained for a moment on an excerpt of Fashion-MNIST.

using namespace cbnet::test;
using cbnet::testing::contains;
using Folder = cbnet::testing::TempFolder;
using Words = std::vector<std::string>;

namespace {

/// With one thread, as cbnet_run: threads that wait for each other take their time on a busy machine.
ProgramResult bench(const Words& words, ProgramOptions options = {}) {
  options.environment.emplace_back("OMP_NUM_THREADS", "1");
  return run_program("cbnet_bench", words, options);
}

/// table2 on the excerpt's models.
ProgramResult table2(const std::string& json, const Words& more, const ProgramOptions& options = {}) {
  Words words{"table2", "--quiet", "--run", trained_run(), "--data-dir", excerpt_options().back(),
              "--json", json};
  words.insert(words.end(), more.begin(), more.end());
  return bench(words, options);
}

/// Has the program find a library in NVML's place (tests/support/fake_nvml.cpp).
ProgramOptions with_fake_nvml() {
  ProgramOptions options;
  options.environment = {{"LD_LIBRARY_PATH", std::filesystem::path(CBNET_FAKE_NVML).parent_path().string()}};
  return options;
}

void check_row(const Json& row) {
  const std::string model = row.at("model");
  CAPTURE(model);
  CHECK(row.at("dataset") == "fmnist");
  CHECK(row.at("images") == 100);
  CHECK(row.at("batch") == 1);
  CHECK(row.at("accuracy").is_null() == (model == "autoencoder"));
  CHECK(row.at("latency_us").at("mean") > 0.0);
  CHECK(row.at("latency_us").at("p99") >= row.at("latency_us").at("median"));
  // A modelled joule is P x t of the same window.
  CHECK(row.at("energy_kind") == "modelled");
  CHECK(row.at("energy_j_per_image").get<double>() ==
        doctest::Approx(row.at("power_w").get<double>() * row.at("latency_us").at("mean").get<double>() *
                        1e-6));
  REQUIRE(row.at("blocks").size() == 3);
  for (const Json& block : row.at("blocks")) {
    CHECK(block.at("window_s") >= 1.0);
    CHECK(block.at("images") == block.at("passes").get<std::int64_t>() * 100);
  }
  CHECK(row.at("paper").is_null() == (model == "autoencoder" || model == "classifier"));
}

}  // namespace

TEST_CASE("table2: the program on a run") {
  const Folder folder;
  const std::string file = folder / "table2.json";
  const ProgramResult result = table2(file, {"--threads", "1", "--power-model", "gci"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK(contains(result.out, "paper: Pi 4"));
  CHECK(contains(result.out, "Eq. 1, n=2, N=18, p_idle_w=40, p_peak_w=180, beta=0.75"));

  const Json json = read_json(file);
  CHECK(json.at("schema") == "cbnet-bench/1");
  CHECK(json.at("host").at("threads") == 1);
  Words models;
  for (const Json& row : json.at("rows")) {
    models.push_back(row.at("model"));
    check_row(row);
  }
  CHECK(models == Words{"lenet", "branchynet", "autoencoder", "classifier", "cbnet"});
  CHECK(json.at("rows").at(0).at("macs") == 1140070);
  // Folded: 720 x 84 and 84 x 10 weights become 720 x 10.
  CHECK(json.at("rows").at(0).at("weight_bytes") == 4 * (67824 - 721 * 84 - 85 * 10 + 721 * 10));
  CHECK(json.at("rows").at(1).at("macs_by_exit") == Json{220150, 1247720});
}

TEST_CASE("table2: the accuracy is that of `cbnet eval`") {
  const Folder folder;
  const std::string bench_file = folder / "table2.json";
  const std::string eval_file = folder / "eval.json";
  // Several images a call, both engines, and no energy.
  const ProgramResult result =
      table2(bench_file, {"--batch", "10", "--power-model", "none", "--engine", "all"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_FALSE(contains(result.out, "modelled"));
  const Json rows = read_json(bench_file).at("rows");
  REQUIRE(rows.size() == 10);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json& row = rows.at(i);
    CHECK(row.at("batch") == 10);
    CHECK(row.at("engine") == (i < 5 ? "plan" : "eager"));
    CHECK(row.at("accuracy") == rows.at(i % 5).at("accuracy"));
    CHECK(row.at("energy_j_per_image").is_null());
    CHECK(row.at("energy_kind").is_null());
  }
  Words words{"eval", "--run", trained_run(), "--quiet", "--model", "cbnet", "--json", eval_file};
  const Words data = excerpt_options();
  words.insert(words.end(), data.begin(), data.end());
  const ProgramResult eval = cbnet_run(words);
  INFO(eval.err);
  REQUIRE(eval.exit_code == 0);
  // The number, wherever eval puts it.
  CHECK(contains(read_json(eval_file).dump(), "\"accuracy\":" + rows.at(4).at("accuracy").dump()));
}

TEST_CASE("table2: the joules of a GPU's counter and of its power samples, with their source and coverage") {
  const Folder folder;
  const std::string file = folder / "table2.json";
  const ProgramResult result = table2(file, {"--meter", "nvml", "--gpu", "0"}, with_fake_nvml());
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "measured (NVML energy counter, GPU 0 (NVIDIA Test 0), driver 570.1)"));
  CHECK(contains(result.out, "mJ/image by nvmlDeviceGetTotalEnergyConsumption, which covers "));
  CHECK(contains(result.out, "mJ/image by NVML_FI_DEV_POWER_INSTANT, which covers "));
  CHECK_FALSE(contains(result.out, "odelled"));
  for (const Json& row : read_json(file).at("rows")) {
    CAPTURE(row.at("model"));
    CHECK(row.at("energy_kind") == "counter");
    CHECK(row.at("energy_source") == "nvmlDeviceGetTotalEnergyConsumption");
    CHECK(row.at("energy_coverage") > 0.9);
    // The library's GPU uses 100 W. Blocks are of at least 1 s, and a busy machine blurs the ends of their
    // windows.
    const double us = row.at("latency_us").at("mean");
    CHECK(row.at("power_w").get<double>() == doctest::Approx(100).epsilon(0.1));
    CHECK(row.at("energy_j_per_image").get<double>() ==
          doctest::Approx(row.at("power_w").get<double>() * us * 1e-6));
    CHECK(row.at("blocks").at(0).at("sampled").at("source") == "NVML_FI_DEV_POWER_INSTANT");
  }
}

TEST_CASE("table2: without a GPU's library or with a counter that it lacks, nothing is measured") {
  const Folder folder;
  const auto refused = [&](const ProgramOptions& options, const std::string& part) {
    const ProgramResult result = table2(folder / "table2.json", {"--meter", "nvml"}, options);
    CHECK(result.exit_code == 1);
    CHECK(result.out.empty());
    CHECK_MESSAGE(contains(result.err, part), result.err);
    CHECK_FALSE(std::filesystem::exists(folder / "table2.json"));
  };
  ProgramOptions old = with_fake_nvml();
  old.environment.emplace_back("FAKE_NVML_FAIL", "nvmlDeviceGetTotalEnergyConsumption=3");
  refused(old, "code 3 (Not Supported); hint: the GPU or its driver lacks this");
  // A machine with a GPU has the library.
  ProgramOptions broken = with_fake_nvml();
  std::filesystem::create_directory(folder / "lib");
  std::ofstream(folder / "lib/libnvidia-ml.so.1") << "no library";
  broken.environment = {{"LD_LIBRARY_PATH", folder / "lib"}};
  refused(broken, "expected NVML, the library libnvidia-ml.so.1; got ");
}

TEST_CASE("table2: wrong usage and input end with 2 and one line that says why") {
  const Folder folder;
  const std::string empty = folder.path();
  const std::vector<std::pair<Words, std::string>> cases{
      {{"tables"}, "unknown command tables; did you mean table2?; hint: see `cbnet_bench --help`"},
      {{"fly"}, "unknown command fly; hint:"},
      {{"table2"}, "--run is required"},
      {{"table2", "--run", "a", "--run", "a"}, "twice"},
      {{"table2", "--run", empty, "--batch", "0"}, "--batch must be a whole number, 1 or more; got '0'"},
      {{"table2", "--run", empty, "--batch", "many"}, "got 'many'"},
      {{"table2", "--run", empty, "--engine", "fast"}, "--engine must be plan, eager or all; got 'fast'"},
      {{"table2", "--run", empty, "--repeats", "2"}, "--repeats must be a whole number, 3 or more; got '2'"},
      {{"table2", "--run", empty, "--threads", "0"}, "--threads must be a whole number, 1 to 1024; got '0'"},
      {{"table2", "--run", empty, "--device", "tpu"}, "tpu"},
      {{"table2", "--run", empty, "--power-model", "solar"}, "solar"},
      {{"table2", "--run", empty, "--power-constants", "watts=3"}, "watts"},
      {{"table2", "--run", empty, "--meter", "sun"}, "--meter must be model, nvml or nvidia-smi; got 'sun'"},
      {{"table2", "--run", empty, "--gpu", "0"}, "--gpu is not for --meter model"},
      {{"table2", "--run", empty, "--meter", "nvml", "--power-model", "pi4"},
       "--power-model is not for --meter nvml"},
      {{"table2", "--run", empty, "--json", empty}, "expected a file to write to; found a folder"},
      {{"table2", "--run", empty, "--what"}, "what"},
      {{"table2", "--run", empty, "stray"}, "stray"},
      {{"table2", "--run", empty}, "trained models"},
      {{"table2", "--run", folder / "nowhere"}, "nowhere"},
      {{"roofline", "--run", empty}, "trained models"},
      {{"roofline", "--model", "vgg"}, "no model 'vgg'"},
      {{"growth", "--max-width", "0"}, "--max-width"},
      {{"recipes"}, "--dataset is required"},
      {{"recipes", "--dataset", "cifar"}, "cifar"},
      {{"recipes", "--dataset", "mnist", "--epochs", "0"}, "--epochs"},
  };
  for (const auto& [given, expected] : cases) {
    const Words& words = given;  // Clang 14 lets no structured binding into the lambdas of these macros
    const std::string& part = expected;
    CAPTURE(words.back());
    const ProgramResult result = bench(words);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with("cbnet_bench: "));
    CHECK(result.err.find('\n') == result.err.size() - 1);
    CHECK_MESSAGE(contains(result.err, part), result.err);
  }
}

TEST_CASE("growth: without gnuplot a plot is refused before anything is measured") {
  const Folder folder;
  ProgramOptions options;
  options.environment = {{"PATH", folder.path()}};
  const ProgramResult result =
      run_program("cbnet_bench", {"growth", "--plot", folder / "growth.svg"}, options);
  CHECK(result.exit_code == 2);
  CHECK(result.out.empty());
  CHECK(
      result.err ==
      "cbnet_bench: --plot: expected the program gnuplot on the PATH; found none that starts; hint: install "
      "gnuplot-nox, or leave --plot out\n");
}

TEST_CASE("help has examples and ends with 0") {
  for (const Words& words : {Words{}, Words{"--help"}, Words{"table2", "--help"}, Words{"accuracy", "--help"},
                             Words{"ops", "--help"}, Words{"recipes", "--help"}, Words{"roofline", "--help"},
                             Words{"growth", "--help"}}) {
    const ProgramResult result = bench(words);
    CHECK(result.exit_code == 0);
    CHECK(contains(result.out, "Examples:\n  cbnet_bench " + (words.size() == 2 ? words[0] : "table2")));
    CHECK(result.err.empty());
  }
}

TEST_CASE("recipes: the program compares variants on the validation split and can be repeated") {
  const Folder folder;
  const std::string file = folder / "recipes.json";
  const std::string config = folder / "config.json";
  std::ofstream(config)
      << R"({"threshold": 2.5, "branchynet": {"epochs": 12, "batch_size": 10, "learning_rate": 0.002},
                               "autoencoder": {"epochs": 1, "batch_size": 32}})";
  Words words{"recipes", "--quiet", "--config", config, "--out", folder / "search", "--json", file};
  const Words data = excerpt_options();
  words.insert(words.end(), data.begin(), data.end());
  const ProgramResult first = bench(words);
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  const Json json = read_json(file);
  CHECK(json.at("schema") == "cbnet-recipes/1");
  REQUIRE(json.at("rows").size() == 7);
  int best = 0;
  for (const Json& row : json.at("rows")) best += row.at("best") == true ? 1 : 0;
  CHECK(best == 1);
  CHECK(json.at("rows").at(6).at("shift") == 1);
  CHECK(json.at("rows").at(6).at("flip") == true);
  CHECK(contains(first.out, "| target | output | loss | augmentation |"));
  // Everything is finished: the second time only reads.
  const ProgramResult second = bench(words);
  CHECK(second.exit_code == 0);
  CHECK(second.out == first.out);
}
