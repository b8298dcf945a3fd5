#include "bench/table2_text.h"

#include <algorithm>
#include <cmath>

#include "bench/agreement.h"
#include "bench/over_runs.h"
#include "bench/paper.h"
#include "console/output.h"
#include "tensor/error.h"
#include "tensor/version.h"

namespace cbnet::bench {
namespace {

using Line = std::vector<std::string>;

std::string dataset_title(const std::string& dataset) {
  if (dataset == "mnist") return "MNIST";
  if (dataset == "fmnist") return "Fashion-MNIST";
  if (dataset == "kmnist") return "KMNIST";
  if (dataset == "kmnist-first7011") return "KMNIST, trained on its first 7,011 images";
  return dataset;
}

std::string percent(std::optional<double> fraction, int decimals) {
  return fixed(fraction ? std::optional<double>(100.0 * *fraction) : std::nullopt, decimals);
}

/// Formats as "94.88 / 5.12" what leaves at each exit, in percent; "-" for networks with one.
std::string exits(const Row& row) {
  if (row.exit_rates.size() < 2) return "-";
  std::string text;
  for (const double rate : row.exit_rates) text += (text.empty() ? "" : " / ") + percent(rate, 2);
  return text;
}

std::string joules(const EnergySummary& energy) {
  if (!energy.j_per_image) return "-";
  return fixed(1e3 * *energy.j_per_image, 4) + " " +
         energy::to_string(energy.kind.value_or(energy::Kind::modelled));
}

std::string our_table(const Report& report, const std::vector<const Row*>& rows) {
  Table table({"ours", "latency", "p50", "p90", "p99", "accuracy", "exits", "MACs", "weights", "power",
               "energy", "saved"},
              1, 0);
  table.add({"", "us/image", "us", "us", "us", "%", "%", "mean", "bytes", "W", "mJ/image", "%"});
  for (const Row* row : rows) {
    const LatencyUs& t = row->latency;
    table.add({title_of(*row), fixed(t.mean, 2) + " ± " + fixed(t.spread, 2), fixed(t.median, 2),
               fixed(t.p90, 2), fixed(t.p99, 2), percent(row->accuracy, 2), exits(*row),
               grouped(std::llround(row->macs_mean)), grouped(row->weight_bytes),
               fixed(row->energy.power_w, 2), joules(row->energy),
               row == baseline_of(report, *row) ? "-" : percent(energy_savings(report, *row), 1)});
  }
  return table.text();
}

/// Adds the header of one group of columns: ours, then the paper's machines.
void add_group(Line& top, Line& below, const std::string& title) {
  top.push_back(title);
  below.emplace_back("ours");
  for (const PaperMachine& machine : kPaperMachineNames) {
    top.emplace_back();
    below.push_back(concat("paper: ", machine.title));
  }
}

std::string paper_table(const Report& report, const std::vector<const Row*>& rows) {
  Line top{""};
  Line below{""};
  add_group(top, below, "latency, ms");
  add_group(top, below, "x LeNet");
  add_group(top, below, "energy saved, %");
  top.emplace_back("accuracy, %");
  below.emplace_back("ours");
  top.emplace_back();
  below.emplace_back("paper");
  Table table(top, 1, 0);
  table.add(below);
  for (const Row* row : rows) {
    const std::optional<PaperRow> paper = paper_row(row->dataset, row->model);
    const std::optional<PaperRow> lenet = paper_row(row->dataset, "lenet");
    if (!paper || !lenet) continue;
    Line line{title_of(*row), fixed(row->latency.mean * 1e-3, 4)};
    for (const double ms : paper->latency_ms) line.push_back(fixed(ms, 3));
    line.push_back(fixed(speedup(report, *row), 2));
    for (std::size_t m = 0; m < kPaperMachines; ++m) {
      line.push_back(fixed(lenet->latency_ms[m] / paper->latency_ms[m], 2));
    }
    line.push_back(row == baseline_of(report, *row) ? "-" : percent(energy_savings(report, *row), 1));
    for (std::size_t m = 0; m < kPaperMachines; ++m) {
      line.push_back(paper->energy_savings ? percent((*paper->energy_savings)[m], 0) : "-");
    }
    line.push_back(percent(row->accuracy, 2));
    line.push_back(percent(paper->accuracy, 2));
    table.add(std::move(line));
  }
  return table.size() > 2 ? table.text() : "";
}

const Row* find(const std::vector<const Row*>& rows, const std::string& model) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Row* row) { return row->model == model; });
  return found == rows.end() ? nullptr : *found;
}

/// Writes "0.1234 mJ/image by nvmlDeviceGetTotalEnergyConsumption, which covers 98.7 % of the windows"
std::string by_sensor(std::optional<double> j_per_image, const std::string& source,
                      std::optional<double> coverage) {
  return concat(fixed(j_per_image ? std::optional<double>(1e3 * *j_per_image) : std::nullopt, 4),
                " mJ/image by ", source, ", which covers ", percent(coverage, 1), " % of the windows");
}

/// Notes what is peculiar to this run.
std::string run_notes(const std::vector<const Row*>& rows) {
  std::string out;
  const std::string& dataset = rows.front()->dataset;
  const Row* branchynet = find(rows, "branchynet");
  if (const auto paper = paper_row(dataset, "branchynet");
      branchynet != nullptr && paper && paper->exit_rate) {
    out += concat("- branchynet: ", percent(branchynet->exit_rates.front(), 2),
                  " % of the test images leave early; paper: ", percent(paper->exit_rate, 2), " % (IV-D).\n");
  }
  const Row* autoencoder = find(rows, "autoencoder");
  const Row* cbnet = find(rows, "cbnet");
  if (autoencoder != nullptr && cbnet != nullptr) {
    out += concat("- autoencoder: the first half of CBNet on its own. It takes ",
                  percent(autoencoder->latency.mean / cbnet->latency.mean, 0),
                  " % of CBNet's time; paper: up to 25 % (IV-D).\n");
  }
  if (dataset == "kmnist-first7011") {
    out +=
        "- kmnist-first7011: trained on the first 7,011 of KMNIST's 60,000 training images, tested on the "
        "whole "
        "test set; the paper's figures are for all 60,000.\n";
  }
  for (const Row* row : rows) {
    if (!row->energy.coverage) continue;
    const EnergySummary& e = row->energy;
    out += concat("- energy of ", title_of(*row), ": ", by_sensor(e.j_per_image, e.source, e.coverage));
    if (e.sampled_coverage)
      out += concat("; ", by_sensor(e.sampled_j_per_image, e.sampled_source, e.sampled_coverage));
    out += ".\n";
  }
  for (const Row* row : rows) {
    if (row->energy.warnings.empty()) continue;
    const std::size_t more = row->energy.warnings.size() - 1;
    out += concat("- energy of ", row->model, ": ", row->energy.warnings.front(),
                  more > 0 ? concat(" (and ", more, " more like it, see the JSON)") : std::string(), ".\n");
  }
  return out;
}

std::string energy_notes(const Report& report) {
  const EnergySummary& energy = report.rows.front().energy;
  if (energy.source == "none") return "- Energy: none (--power-model none).\n";
  const bool counted = energy.kind == energy::Kind::counter;
  std::string out = concat("- Energy: ", counted ? "what a counter gained" : "E = P x Δt",
                           " over the very blocks of the latency. ", report.meter, ".\n");
  if (!energy.coverage && energy.kind.value_or(energy::Kind::modelled) == energy::Kind::modelled) {
    out +=
        "- Modelled joules are no measurement: P follows from the CPU utilisation of the whole machine, "
        "which "
        "hardly differs between models, so the energy saved repeats the time saved.\n";
  }
  out += "- Energy saved: 1 - E / E of our LeNet in the same run.\n";
  return out;
}

std::string engine_notes(const Report& report) {
  const auto any = [&](const auto& is) { return std::any_of(report.rows.begin(), report.rows.end(), is); };
  std::string out = "- Engine: ";
  if (any([](const Row& row) { return row.engine == "plan"; })) out += "the compiled plan (runtime/)";
  if (any([](const Row& row) { return row.engine == "eager"; }))
    out += concat(out.back() == ' ' ? "" : "; in the rows that say eager, ",
                  "the modules that trained the model");
  out +=
      ". f32 but where a row says otherwise; x LeNet and saved are relative to LeNet in f32 in the same "
      "engine.\n";
  for (const LeftOut& plan : report.left_out) {
    out += concat("- Not timed: ", plan.model, ", ", plan.precision, " of ", plan.run, ": ",
                  percent(plan.accuracy, 2), " % of the validation images right, fp32 ",
                  percent(plan.fp32_accuracy, 2), " %; at most ", percent(kAdmissibleLoss, 1),
                  " points may be lost.\n");
  }
  return out;
}

std::string general_notes(const Report& report) {
  const Row& row = report.rows.front();
  const auto is_classifier = [](const Row& r) { return r.model == "classifier"; };
  std::string out = "Notes\n";
  out += concat("- Measured here: latency, accuracy and exits, on ", report.host.host.describe(), "; ",
                row.threads, row.threads == 1 ? " thread" : " threads", " (wait policy ",
                report.host.wait_policy, "), ISA ", report.host.isa, ", ", report.host.blas, ", cbnet ",
                kVersion, ".\n", engine_notes(report));
  out += concat(
      "- Latency: from u8 pixels in memory to the label, softmax, entropy and exit decision included, ",
      row.batch, row.batch == 1 ? " image a call" : " images a call",
      ". The mean is total time over images, over ", report.rounds, " blocks of whole passes over the ",
      grouped(row.images), " test images, each block at least ", report.min_block_s,
      " s, the models in turns; ± is half the range of the blocks' means. p50, p90 and p99 are over single "
      "calls: an early-exit network's median hides its hard images. The clock itself adds ",
      fixed(report.timer_cost_ns, 0), " ns to a call.\n");
  out += concat(
      "- Before timing, the calls that are timed gave for every test image the answer of the accuracy "
      "evaluation, and f32 plans that of the modules: values within ",
      kAgreementTolerance, ", labels and exits the same but where rounding decides.\n");
  out +=
      "- MACs: multiply-adds of an image in the network as it was built, mean over the exits that the test "
      "images "
      "take. Weights: as they are stored.\n";
  if (std::any_of(report.rows.begin(), report.rows.end(), is_classifier)) {
    out +=
        "- classifier: the lightweight classifier alone on raw images, without the autoencoder: a control "
        "that the paper leaves out.\n";
  }
  out += energy_notes(report);
  out +=
      "- paper: Table II, on a Raspberry Pi 4, a Google Cloud instance (GCI), and one with a Tesla K80, with "
      "other "
      "software. Its milliseconds are not comparable with ours; the ratios (x LeNet, saved) are its claim.\n";
  return out;
}

}  // namespace

std::string table2_text(const Report& report) {
  std::string out;
  std::vector<std::string> done;
  for (const Row& first : report.rows) {
    if (std::find(done.begin(), done.end(), first.run) != done.end()) continue;
    done.push_back(first.run);
    std::vector<const Row*> rows;
    for (const Row& row : report.rows) {
      if (row.run == first.run) rows.push_back(&row);
    }
    out += concat(dataset_title(first.dataset), " (", first.run, "): ", grouped(first.images),
                  " test images, batch ", first.batch, ", ", first.device, ", ISA ", report.host.isa, "\n\n",
                  our_table(report, rows), "\n");
    const std::string beside = paper_table(report, rows);
    if (!beside.empty()) out += beside + "\n";
    const std::string notes = run_notes(rows);
    if (!notes.empty()) out += notes + "\n";
  }
  if (const std::string over_runs = over_runs_text(report); !over_runs.empty()) {
    out +=
        concat(over_runs,
               "  ±: 95 % interval of the mean over the runs; x: times as fast as that f32 model of the same "
               "run\n\n");
  }
  if (!report.rows.empty()) out += general_notes(report);
  return out;
}

}  // namespace cbnet::bench
