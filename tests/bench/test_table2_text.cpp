#include <doctest/doctest.h>

#include <string>

#include "bench/table2_text.h"
#include "tests/bench/support.h"

using namespace cbnet;
using namespace cbnet::bench;
using namespace cbnet::bench::testing;

namespace {

Report whole_report(std::optional<double> power_w) {
  return report_of({row_of("lenet", 40.0, power_w), row_of("branchynet", 20.0, power_w),
                    row_of("autoencoder", 8.0, power_w), row_of("classifier", 10.0, power_w),
                    row_of("cbnet", 16.0, power_w)});
}

/// The first line of `text` after `after` that starts with `start`.
std::string line_of(const std::string& text, const std::string& start, const std::string& after) {
  const std::size_t from = text.find(after);
  const std::size_t begin = text.find("\n" + start, from) + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

TEST_CASE("table2_text: our figures, then the paper's beside them") {
  const std::string text = table2_text(whole_report(2.0));
  const std::string ours = line_of(text, "branchynet", "ours");
  for (const char* part :
       {"20.00 ± 0.00", "87.50", "75.00 / 25.00", "400", "4,000", "0.0400 modelled", "50.0"}) {
    CAPTURE(part);
    CHECK(contains(ours, part));
  }
  const std::string beside = line_of(text, "branchynet", "energy saved, %");
  // Ours and the paper's: ms, x LeNet, saved, accuracy.
  for (const char* part : {"0.0200", "7.248", "0.716", "0.225", "2.00", "1.79", "1.78", "1.16", "50.0", "45",
                           "43", "14", "87.50", "87.80"}) {
    CAPTURE(part);
    CHECK(contains(beside, part));
  }
  CHECK(contains(text, "paper: Pi 4"));
  CHECK(contains(text, "paper: GCI+K80"));
}

TEST_CASE("table2_text: the notes say what is measured and what is modelled") {
  const std::string text = table2_text(whole_report(2.0));
  CHECK(contains(text, "75.00 % of the test images leave early; paper: 76.91 % (IV-D)"));
  CHECK(contains(text, "It takes 50 % of CBNet's time; paper: up to 25 % (IV-D)"));
  CHECK(contains(text, "a control that the paper leaves out"));
  CHECK(contains(text, "Modelled joules are no measurement"));
  CHECK(contains(text, "modelled (a test): constant"));
  CHECK_FALSE(contains(text, "kmnist-first7011"));
}

TEST_CASE("table2_text: no energy is a dash, never a zero") {
  const std::string text = table2_text(whole_report({}));
  CHECK(contains(text, "Energy: none (--power-model none)"));
  CHECK_FALSE(contains(text, "modelled"));
  CHECK_FALSE(contains(text, "0.0000"));
}

TEST_CASE("table2_text: both figures of a counter's meter stand there with their coverage") {
  Report report = whole_report(2.0);
  Row& row = report.rows.front();
  row.energy.kind = energy::Kind::counter;
  row.energy.source = "the counter";
  row.energy.coverage = 0.987;
  row.energy.sampled_source = "power samples";
  row.energy.sampled_coverage = 1.0;
  row.energy.sampled_j_per_image = 0.123e-3;
  const std::string text = table2_text(report);
  CHECK(contains(text,
                 "energy of lenet: 0.0800 mJ/image by the counter, which covers 98.7 % of the windows; "
                 "0.1230 mJ/image by power samples, which covers 100.0 % of the windows.\n"));
  CHECK(contains(text, "0.0800 measured (counter)"));
  CHECK(contains(text, "Energy: what a counter gained over the very blocks of the latency"));
  CHECK_FALSE(contains(text, "Modelled joules"));
}

TEST_CASE("table2_text: the KMNIST subset is named, and one block for each run") {
  Report report = whole_report(2.0);
  Row row = row_of("cbnet", 20.0, 2.0);
  row.run = "runs/k";
  row.dataset = "kmnist-first7011";
  row.energy.warnings = {"the window is short", "the window is shorter"};
  report.rows.push_back(row);
  const std::string text = table2_text(report);
  CHECK(contains(text, "Fashion-MNIST (runs/a): 100 test images, batch 1, cpu, ISA scalar"));
  CHECK(contains(text, "KMNIST, trained on its first 7,011 images (runs/k)"));
  CHECK(contains(text, "the paper's figures are for all 60,000"));
  CHECK(contains(text, "energy of cbnet: the window is short (and 1 more like it, see the JSON)."));
}

TEST_CASE(
    "table2_text: engines and precisions have rows of their own, each beside LeNet in f32 in its engine") {
  Report report = whole_report(2.0);
  for (const char* model : {"lenet", "cbnet"}) {
    Row row = row_of(model, model == std::string("lenet") ? 80.0 : 160.0, 2.0);
    row.engine = "eager";
    report.rows.push_back(row);
  }
  Row int8 = row_of("lenet", 10.0, 2.0);
  int8.precision = "int8";
  int8.sparsity = 0.5;
  report.rows.push_back(int8);
  report.left_out = {{"runs/a", "cbnet", "int8", 0.8701, 0.8722}};
  const std::string text = table2_text(report);
  CHECK(contains(line_of(text, "cbnet, eager ", "energy saved, %"), " 0.50 "));
  CHECK(contains(line_of(text, "lenet, int8, 50 % sparse ", "energy saved, %"), " 4.00 "));
  CHECK(
      contains(text,
               "- Not timed: cbnet, int8 of runs/a: 87.01 % of the validation images right, fp32 87.22 %; at "
               "most 0.2 points may be lost."));
  CHECK(contains(text, "in the rows that say eager, the modules that trained the model"));
  CHECK_FALSE(contains(table2_text(whole_report(2.0)), "the rows that say eager"));
}

TEST_CASE("table2_text: nothing measured, nothing said") { CHECK(table2_text(report_of({})).empty()); }
