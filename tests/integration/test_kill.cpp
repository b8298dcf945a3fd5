#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "models/safetensors.h"
#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;

namespace {

/// The epochs that a run reported as done, as "lenet  epoch 3/12".
std::vector<std::string> epochs_of(const std::string& err) {
  std::vector<std::string> out;
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);) {
    const auto end = line.find("  loss ");
    if (end != std::string::npos && line.find("  epoch ") < end) out.push_back(line.substr(0, end));
  }
  return out;
}

/// Every file that bears a final name is whole.
void check_whole_files(const std::string& run) {
  if (!std::filesystem::exists(run)) return;
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    const std::string path = entry.path().string();
    INFO(path);
    if (path.ends_with(".safetensors")) CHECK_NOTHROW(cbnet::read_safetensors(path));
    if (path.ends_with(".json")) CHECK(Json::accept(cbnet::read_file(path)));
    if (path.ends_with(".jsonl")) {
      std::istringstream lines(cbnet::read_file(path));
      for (std::string line; std::getline(lines, line);) CHECK(Json::accept(line));
    }
  }
}

/// The stage that a killed training was in.
std::string phase_of(const std::string& run) {
  for (const char* stage : {"lenet", "branchynet", "autoencoder"}) {
    if (!std::filesystem::exists(run + "/" + stage + ".safetensors")) return stage;
  }
  return "the end";
}

}  // namespace

TEST_CASE("a training that is killed at any time and resumed ends with the same model files") {
  const TempFolder folder;
  const ProgramResult unbroken = cbnet_run(train_arguments(folder / "unbroken", {"--quiet"}));
  REQUIRE(unbroken.exit_code == 0);

  // Seeded, so that a failure can be had again on a machine of the same speed.
  std::mt19937 random(20);
  std::uniform_real_distribution<double> share(0.02, 0.98);
  const int kKills = std::getenv("CBNET_TEST_FULL") != nullptr ? 20 : 6;
  std::map<std::string, int> kills;  // by stage
  int killed = 0;
  for (int run = 0; killed < kKills || kills["lenet"] * kills["branchynet"] * kills["autoencoder"] == 0;
       ++run) {
    REQUIRE(run < 10 * kKills);
    const std::string out = folder / ("broken" + std::to_string(run));
    const std::vector<std::string> arguments = train_arguments(out, {"--resume"});
    // First kills take the thirds of the run in turn, so that every stage is hit; the second kill falls
    // anywhere in what is left.
    std::set<std::string> done;
    double left = unbroken.seconds;
    for (int attempt = 0; attempt < 3; ++attempt) {
      ProgramOptions options;
      if (attempt < 2) {
        const double part = attempt == 0 ? (run % 3 + share(random)) / 3 : share(random);
        options.kill_after_s = std::max(left, 0.0) * part;
        left -= options.kill_after_s;
      }
      const ProgramResult result = cbnet_run(arguments, options);
      INFO("run " << run << ", attempt " << attempt << ", after " << options.kill_after_s
                  << " s: " << result.err);
      if (result.exit_code == -9) {
        ++killed;
        ++kills[phase_of(out)];
      } else {
        REQUIRE(result.exit_code == 0);
      }
      int repeated = 0;
      for (const std::string& epoch : epochs_of(result.err)) repeated += done.insert(epoch).second ? 0 : 1;
      CHECK(repeated <= 1);
      check_whole_files(out);
    }
    CHECK(done.size() == 36);
    for (const char* file : {"lenet.safetensors", "branchynet.safetensors", "autoencoder.safetensors",
                             "classifier.safetensors", "cbnet.json"}) {
      CHECK_MESSAGE(
          cbnet::read_file(out + "/" + file) == cbnet::read_file(folder / (std::string("unbroken/") + file)),
          out << ' ' << file);
    }
    for (const auto& entry : std::filesystem::directory_iterator(out))
      CHECK_MESSAGE(entry.path().string().find(".state.") == std::string::npos, entry.path());
  }
  MESSAGE(killed << " kills: " << kills["lenet"] << " in lenet, " << kills["branchynet"] << " in branchynet, "
                 << kills["autoencoder"] << " in autoencoder, " << kills["the end"] << " at the end");
}
