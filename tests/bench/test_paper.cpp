#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "bench/paper.h"
#include "tests/bench/support.h"

using namespace cbnet::bench;

TEST_CASE("paper: Table II as printed") {
  // Typed from the table once more, in its own units: ms, ms, ms, %, %, %, accuracy %; 0 where it has "-".
  struct Printed {
    const char* dataset;
    const char* model;
    std::array<double, 7> figures;
  };
  const std::vector<Printed> table{
      {"mnist", "lenet", {12.735, 1.322, 0.266, 0, 0, 0, 99.11}},
      {"mnist", "branchynet", {2.3, 0.395, 0.118, 82, 70, 55, 99.11}},
      {"mnist", "cbnet", {1.877, 0.267, 0.105, 85, 80, 80, 98.61}},
      {"fmnist", "lenet", {13.006, 1.271, 0.261, 0, 0, 0, 86.53}},
      {"fmnist", "branchynet", {7.248, 0.716, 0.225, 45, 43, 14, 87.8}},
      {"fmnist", "cbnet", {1.895, 0.261, 0.104, 86, 81, 80, 89.59}},
      {"kmnist", "lenet", {12.814, 1.350, 0.265, 0, 0, 0, 91.4}},
      {"kmnist", "branchynet", {5.682, 0.9, 0.24, 56, 33, 10, 92.05}},
      {"kmnist", "cbnet", {1.897, 0.26, 0.1, 85, 82, 81, 92.5}},
  };
  for (const Printed& printed : table) {
    CAPTURE(printed.dataset);
    CAPTURE(printed.model);
    const auto row = paper_row(printed.dataset, printed.model);
    REQUIRE(row);
    for (std::size_t m = 0; m < 3; ++m) {
      CHECK(row->latency_ms[m] == printed.figures[m]);
      if (row->energy_savings)
        CHECK(100.0 * (*row->energy_savings)[m] == doctest::Approx(printed.figures[3 + m]));
    }
    CHECK(row->energy_savings.has_value() == (std::string(printed.model) != "lenet"));
    CHECK(100.0 * row->accuracy == doctest::Approx(printed.figures[6]));
  }
}

TEST_CASE("paper: exit rates of section IV-D, on BranchyNet alone") {
  CHECK(paper_row("mnist", "branchynet")->exit_rate == 0.9488);
  CHECK(paper_row("fmnist", "branchynet")->exit_rate == 0.7691);
  CHECK(paper_row("kmnist", "branchynet")->exit_rate == 0.6308);
  CHECK_FALSE(paper_row("mnist", "cbnet")->exit_rate);
}

TEST_CASE("paper: the KMNIST subset stands beside KMNIST, the parts of CBNet beside nothing") {
  REQUIRE(paper_row("kmnist-first7011", "cbnet"));
  CHECK(paper_row("kmnist-first7011", "cbnet")->accuracy == paper_row("kmnist", "cbnet")->accuracy);
  CHECK_FALSE(paper_row("mnist", "autoencoder"));
  CHECK_FALSE(paper_row("mnist", "classifier"));
  CHECK_FALSE(paper_row("svhn", "cbnet"));
}
