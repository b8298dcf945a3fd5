#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;

TEST_CASE("a training that is killed at any time and resumed ends with the same model files") {
  const TempFolder folder;
  const auto arguments = [&](const std::string& name, const std::vector<std::string>& more) {
    return train_arguments(folder / name, more);
  };
  const ProgramResult unbroken = cbnet_run(arguments("unbroken", {"--quiet"}));
  REQUIRE(unbroken.exit_code == 0);

  // Seeded, so that a failure can be had again on a machine of the same speed.
  std::mt19937 random(20);
  std::uniform_real_distribution<double> share(0.02, 0.98);
  // `scripts/test --full`: 20 kills.
  const int kRuns = std::getenv("CBNET_TEST_FULL") != nullptr ? 10 : 3;
  int kills = 0;
  for (int run = 0; run < kRuns; ++run) {
    const std::string name = "broken" + std::to_string(run);
    ProgramOptions options;
    // The first kills fall into equal parts of the run, so that every phase is hit; the second one anywhere
    // in what is left of it.
    double left = unbroken.seconds;
    for (int kill = 0; kill < 2; ++kill) {
      const double part = kill == 0 ? (run + share(random)) / kRuns : share(random);
      options.kill_after_s = std::max(left, 0.0) * part;
      const ProgramResult broken = cbnet_run(arguments(name, {"--quiet", "--resume"}), options);
      INFO("after " << options.kill_after_s << " s: " << broken.err);
      CHECK((broken.exit_code == -9 || broken.exit_code == 0));
      kills += broken.exit_code == -9 ? 1 : 0;
      left -= options.kill_after_s;
    }
    const ProgramResult resumed = cbnet_run(arguments(name, {"--quiet", "--resume"}));
    INFO(resumed.err);
    REQUIRE(resumed.exit_code == 0);
    for (const char* file : {"lenet.safetensors", "branchynet.safetensors", "autoencoder.safetensors",
                             "classifier.safetensors", "cbnet.json"}) {
      CHECK_MESSAGE(cbnet::read_file(folder / (name + "/" + file)) ==
                        cbnet::read_file(folder / (std::string("unbroken/") + file)),
                    name << ' ' << file);
    }
  }
  CHECK(kills > 0);
}
