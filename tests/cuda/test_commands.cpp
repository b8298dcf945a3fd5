// The programs with --device cuda, on the emulated GPU: the same commands as on the CPU, and the same
// answers.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/integration/cbnet_runs.h"
#include "tests/support/temp_folder.h"

using namespace cbnet::test;
using cbnet::testing::TempFolder;

namespace {

Json report_of(const std::string& program, const TempFolder& folder, std::vector<std::string> words) {
  const std::string file = folder / "report.json";
  words.insert(words.end(), {"--json", file});
  const ProgramResult result = run_program(program, words);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return read_json(file);
}

std::vector<std::string> with_excerpt(std::vector<std::string> words) {
  const std::vector<std::string> options = excerpt_options();
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

}  // namespace

TEST_CASE("a model is trained there") {
  const TempFolder folder;
  const std::string run = folder / "run";
  const Json trained = report_of("cbnet_emulated_cuda", folder,
                                 with_excerpt({"train", "--model", "lenet", "--out", run, "--epochs", "1",
                                               "--batch-size", "50", "--device", "cuda"}));
  CHECK(trained["device"] == "cuda");
  CHECK(std::filesystem::exists(std::filesystem::path(run) / "lenet.safetensors"));
}

TEST_CASE("the models of a run are judged there as on the CPU") {
  const TempFolder folder;
  const std::vector<std::string> eval = with_excerpt({"eval", "--run", trained_run()});
  std::vector<std::string> there = eval;
  there.insert(there.end(), {"--device", "cuda"});
  const Json here = report_of("cbnet", folder, eval),
             device = report_of("cbnet_emulated_cuda", folder, there);
  REQUIRE(here["models"].size() == device["models"].size());
  REQUIRE(here["models"]["lenet"].contains("accuracy"));
  REQUIRE(here["models"]["branchynet"].contains("exit_rates"));
  for (const auto& [name, model] : here["models"].items()) {
    CAPTURE(name);
    if (model.contains("accuracy")) CHECK(device["models"][name]["accuracy"] == model["accuracy"]);
    if (model.contains("exit_rates")) CHECK(device["models"][name]["exit_rates"] == model["exit_rates"]);
  }
}

TEST_CASE("the benches check the answers of the GPU and write their records") {
  const TempFolder folder;
  const std::string& run = trained_run();
  const std::vector<std::string> excerpt = excerpt_options();
  std::vector<std::string> gpu = {"gpu", "--run",     run, "--model",   "branchynet", "--batch",
                                  "1,5", "--repeats", "1", "--block-s", "0.001"};
  gpu.insert(gpu.end(), excerpt.begin() + 2, excerpt.end());  // the data folder alone
  const Json report = report_of("cbnet_bench_emulated_cuda", folder, gpu);
  CHECK(report["schema"] == "cbnet-gpu/1");
  CHECK(report["limits"]["launch_us"].get<double>() > 0);
  REQUIRE(report["models"].size() == 1);
  for (const Json& model : report["models"]) {
    CHECK(model["agreement"]["other_label_or_exit"] == 0);
    CHECK(model["agreement"]["largest_difference"].get<double>() < 1e-4);
    CHECK(model["one"].contains("mailbox"));
    CHECK(model["batches"].size() == 2);
  }
}

TEST_CASE("without the module every way to a GPU is refused by name") {
  check_refused(cbnet_run(train_arguments("nowhere", {"--device", "cuda"})), "this build has no CUDA module");
  const ProgramResult bench = run_program("cbnet_bench", {"gpu", "--run", trained_run()});
  CHECK(bench.exit_code == 2);
  CHECK(bench.err.find("this build has no CUDA module") != std::string::npos);
}
