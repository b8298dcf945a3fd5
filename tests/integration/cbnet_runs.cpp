#include "tests/integration/cbnet_runs.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tensor/io.h"
#include "tests/data/files.h"

namespace cbnet::test {

ProgramResult cbnet_run(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  ProgramOptions own = options;
  own.environment.insert(own.environment.begin(), {{"OMP_NUM_THREADS", "1"}, {"OPENBLAS_NUM_THREADS", "1"}});
  return run_program("cbnet", arguments, own);
}

std::vector<std::string> excerpt_options() { return {"--dataset", "fmnist", "--data-dir", excerpt_folder()}; }

std::vector<std::string> train_arguments(const std::string& out, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"train", "--out", out, "--batch-size", "10", "--epochs", "12"};
  for (const char* word : {"--learning-rate", "0.002", "--threshold", "2.5"}) arguments.emplace_back(word);
  const std::vector<std::string> data = excerpt_options();
  arguments.insert(arguments.end(), data.begin(), data.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

const std::string& trained_run() {
  static const TempFolder folder;
  static const std::string run = [] {
    std::string out = folder / "run";
    const ProgramResult result = cbnet_run(train_arguments(out, {"--quiet"}));
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return out;
  }();
  return run;
}

Json read_json(const std::string& path) {
  Json json = Json::parse(read_file(path), nullptr, false);
  REQUIRE_MESSAGE(!json.is_discarded(), "no JSON in " << path);
  return json;
}

void check_refused(const ProgramResult& result, const std::string& part) {
  INFO("stderr: " << result.err);
  CHECK(result.exit_code == 2);
  CHECK_FALSE(result.timed_out);
  CHECK(result.out == "");
  CHECK(result.err.starts_with("cbnet: "));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  CHECK_MESSAGE(result.err.find(part) != std::string::npos, "expected in the message: " << part);
}

}  // namespace cbnet::test
