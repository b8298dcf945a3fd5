#include "bench/over_runs.h"

#include <doctest/doctest.h>

#include "tests/support/throws.h"

using namespace cbnet::bench;
using cbnet::testing::contains;

namespace {

Row row(const std::string& run, const std::string& model, const std::string& precision, double us,
        double accuracy) {
  Row out;
  out.run = run;
  out.dataset = "mnist";
  out.model = model;
  out.precision = precision;
  out.latency.mean = us;
  out.accuracy = accuracy;
  return out;
}

}  // namespace

TEST_CASE("means over runs, ratios to the baselines of the same run") {
  Report report;
  report.rows = {row("a", "lenet", "fp32", 12, 0.99),     row("a", "branchynet", "fp32", 6, 0.98),
                 row("a", "mlp", "int8", 2, 0.97),        row("b", "lenet", "fp32", 24, 0.99),
                 row("b", "branchynet", "fp32", 9, 0.98), row("b", "mlp", "int8", 3, 0.99),
                 row("b", "alone", "fp32", 3, 0.99)};
  const std::string text = over_runs_text(report);
  CAPTURE(text);
  CHECK(contains(text, "98.00 ± 12.71"));  // mlp: 97 and 99
  CHECK(contains(text, "7.00 ± 12.71"));   // 6 and 8 times LeNet
  CHECK(contains(text, "3.00 ± 0.00"));    // 3 times BranchyNet in both
  CHECK_FALSE(contains(text, "alone"));
}

TEST_CASE("one run has no mean over runs") {
  Report report;
  report.rows = {row("a", "lenet", "fp32", 12, 0.99), row("a", "mlp", "int8", 2, 0.97)};
  CHECK(over_runs_text(report).empty());
}
