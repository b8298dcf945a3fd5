#include "bench/accuracy.h"

#include "tests/support/throws.h"

using namespace cbnet::bench;

TEST_CASE("nothing to judge, no run and a missing run are errors") {
  CHECK_THROWS_SAYING(accuracy_markdown({}), std::invalid_argument, "no run was judged");
  CHECK_THROWS_SAYING(run_accuracy({}), std::invalid_argument, "accuracy: --run is required");
  CHECK_THROWS_SAYING(run_accuracy({"--run", "a", "--run", "a"}), std::invalid_argument,
                      "--run a stands there twice");
  CHECK_THROWS_SAYING(run_accuracy({"--run", "no-such-run"}), std::runtime_error, "expected a run folder");
}

TEST_CASE("a line per dataset and model, mean and range over its runs") {
  const std::string table = accuracy_markdown({{"fmnist", "lenet", 0.89, 1.0},
                                               {"fmnist", "branchynet", 0.88, 0.6},
                                               {"fmnist", "lenet", 0.91, 1.0},
                                               {"fmnist", "branchynet", 0.90, 0.7},
                                               {"mnist", "lenet", 0.99, 1.0}});
  CHECK(cbnet::testing::contains(table, "| fmnist | lenet | 2 | 90.00 (89.00 to 91.00) | - |"));
  CHECK(cbnet::testing::contains(
      table, "| fmnist | branchynet | 2 | 89.00 (88.00 to 90.00) | 65.00 (60.00 to 70.00) |"));
  CHECK(cbnet::testing::contains(table, "| mnist | lenet | 1 | 99.00 (99.00 to 99.00) | - |"));
}

TEST_CASE("differences are those within a run") {
  const std::vector<Judged> judged = {
      {"fmnist", "none", 0.90, 1.0, "a"},  {"fmnist", "other", 0.91, 1.0, "a"},
      {"fmnist", "none", 0.80, 1.0, "b"},  {"fmnist", "other", 0.83, 1.0, "b"},
      {"fmnist", "lonely", 0.5, 1.0, "b"}, {"fmnist", "other", 0.2, 1.0, "c"}};
  const std::string table = differences_markdown(judged, "none");
  CHECK(cbnet::testing::contains(table, "| fmnist | other | 2 | 2.00 ± 12.71 |"));
  CHECK_FALSE(cbnet::testing::contains(table, "lonely"));
  CHECK_THROWS_SAYING(differences_markdown(judged, "lenet"), std::invalid_argument,
                      "no model stands beside 'lenet' in two runs");
}
