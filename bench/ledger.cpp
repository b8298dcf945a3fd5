#include "bench/ledger.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/paper.h"
#include "bench/statistics.h"
#include "console/output.h"
#include "energy/power_model.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

constexpr double kReached = 0.9;     // of a speed-up
constexpr double kPoints = 5.0;      // of a saving
constexpr double kRatePoints = 2.0;  // of a rate
constexpr double kRateSlack = 1.05;  // of the measured peak, which varies a little itself
constexpr const char* kGpu = "gci_k80";
constexpr std::array<const char*, 3> kDatasets{"mnist", "fmnist", "kmnist"};

using Values = std::vector<double>;

const ProtocolTime* time_of(const RunEvidence& run, const std::string& model, const std::string& protocol) {
  for (const ProtocolTime& time : run.times) {
    if (time.model == model && time.protocol == protocol) return &time;
  }
  return nullptr;
}

const RunEvidence::Judged* judged_of(const RunEvidence& run, const std::string& model) {
  for (const RunEvidence::Judged& judged : run.judged) {
    if (judged.model == model) return &judged;
  }
  return nullptr;
}

double accuracy_of(const RunEvidence::Judged& judged) {
  return static_cast<double>(std::ranges::count(judged.right, true)) /
         static_cast<double>(judged.right.size());
}

/// Asks every run of a dataset; those that have no answer are left out.
template <class Ask>
Values over_runs(const Evidence& evidence, const std::string& dataset, Ask ask) {
  Values out;
  for (const RunEvidence& run : evidence.runs) {
    if (run.dataset != dataset) continue;
    if (const std::optional<double> value = ask(run)) out.push_back(*value);
  }
  return out;
}

std::optional<double> mean_of(const Values& values) {
  return values.empty() ? std::nullopt : std::optional(mean(values));
}

/// Returns how often as fast `model` is as `baseline`, over the runs of a dataset.
std::optional<double> speedup_of(const Evidence& evidence, const std::string& dataset, const Claim& claim,
                                 const std::string& protocol) {
  return mean_of(over_runs(evidence, dataset, [&](const RunEvidence& run) -> std::optional<double> {
    const ProtocolTime* base = time_of(run, claim.baseline, protocol);
    const ProtocolTime* model = time_of(run, claim.model, protocol);
    if (base == nullptr || model == nullptr) return std::nullopt;
    return base->us / model->us;
  }));
}

std::optional<double> table2_speedup(const std::string& dataset, const Claim& claim,
                                     const std::string& machine) {
  const auto base = claimed("latency", dataset, claim.baseline, machine);
  const auto model = claimed("latency", dataset, claim.model, machine);
  if (!base || !model) return std::nullopt;
  return *base / *model;
}

/// Returns in percent what `model` saves of the joules of `baseline`, both of which Table II has as savings
/// of LeNet's.
std::optional<double> table2_saving(const std::string& dataset, const Claim& claim,
                                    const std::string& machine) {
  const auto used = [&](const std::string& model) -> std::optional<double> {
    if (model == "lenet") return 1.0;
    const auto saved = claimed("energy_saving", dataset, model, machine);
    return saved ? std::optional(1.0 - *saved / 100.0) : std::nullopt;
  };
  const auto model = used(claim.model), base = used(claim.baseline);
  if (!model || !base) return std::nullopt;
  return 100.0 * (1.0 - *model / *base);
}

bool is_saving(const Claim& claim) { return claim.kind.find("saving") != std::string::npos; }
bool is_lowest(const Claim& claim) { return claim.kind.starts_with("lowest"); }
bool is_extreme(const Claim& claim) { return is_lowest(claim) || claim.kind.starts_with("highest"); }

double saving_of(double speedup) { return 100.0 * (1.0 - 1.0 / speedup); }

std::vector<std::string> datasets_of(const Claim& claim) {
  if (!claim.dataset.empty()) return {claim.dataset};
  return {kDatasets.begin(), kDatasets.end()};
}

std::optional<double> extreme(const Values& values, bool lowest) {
  if (values.empty()) return std::nullopt;
  return lowest ? std::ranges::min(values) : std::ranges::max(values);
}

/// Returns what the claim should be by Table II.
std::optional<double> by_table2(const Claim& claim) {
  Values values;
  for (const std::string& dataset : datasets_of(claim)) {
    for (const PaperMachine& machine : kPaperMachineNames) {
      if (!claim.machine.empty() && claim.machine != machine.key) continue;
      const auto value = is_saving(claim) ? table2_saving(dataset, claim, machine.key)
                                          : table2_speedup(dataset, claim, machine.key);
      if (value) values.push_back(*value);
    }
  }
  return extreme(values, is_lowest(claim));
}

bool reached(const Claim& claim, double ours) {
  return is_saving(claim) ? ours >= claim.value - kPoints : ours >= kReached * claim.value;
}

LedgerRow cannot(LedgerRow row, std::string why) {
  row.verdict = "cannot be tested here";
  row.why = std::move(why);
  return row;
}

std::string subset_note(const Evidence& evidence, const std::string& dataset) {
  const bool subset = std::ranges::any_of(
      evidence.runs, [&](const RunEvidence& run) { return run.dataset.starts_with(dataset + "-"); });
  return subset ? concat("needs all training images of ", dataset, "; only a subset of them was trained on")
                : concat("needs a run of ", dataset);
}

/// Judges speed-ups and savings of models that are here.
LedgerRow judge_ratio(LedgerRow row, const Evidence& evidence) {
  const Claim& claim = row.claim;
  row.by_table2 = by_table2(claim);
  if (claim.baseline == "adadeep" || claim.baseline == "subflow")
    return cannot(std::move(row), concat("needs ", claim.baseline, ", which is not built here"));
  std::string passed;
  bool fair = false;
  for (const TimerProtocol& protocol : timer_protocols()) {
    Values values;
    for (const std::string& dataset : datasets_of(claim)) {
      if (const auto ratio = speedup_of(evidence, dataset, claim, protocol.name))
        values.push_back(is_saving(claim) ? saving_of(*ratio) : *ratio);
    }
    const std::optional<double> ours = extreme(values, is_lowest(claim));
    if (!ours) continue;
    row.ours[protocol.name] = *ours;
    if (!reached(claim, *ours)) continue;
    fair = fair || std::string(protocol.name) == "fair";
    passed += concat(passed.empty() ? "" : ", ", protocol.name);
  }
  if (row.ours.empty()) return cannot(std::move(row), subset_note(evidence, claim.dataset));
  if (claim.machine == kGpu) return cannot(std::move(row), "needs a GPU; ours is this CPU's");
  row.verdict = fair ? "reproduced" : passed.empty() ? "not reproduced" : "reproduced only under " + passed;
  if (is_saving(claim))
    row.why = "modelled as the paper does: time at equal power";
  else if (evidence.machine != claim.machine)
    row.why = "the ratio of this machine stands for that one's";
  if (is_extreme(claim)) {
    const bool all = std::ranges::all_of(kDatasets, [&](const char* dataset) {
      return !over_runs(evidence, dataset, [](const RunEvidence&) { return std::optional(1.0); }).empty();
    });
    if (!all && claim.dataset.empty()) row.why += "; not all three datasets are here";
  }
  return row;
}

LedgerRow judge_latency(LedgerRow row, const Evidence& evidence) {
  const Claim& claim = row.claim;
  for (const TimerProtocol& protocol : timer_protocols()) {
    const Values us =
        over_runs(evidence, claim.dataset, [&](const RunEvidence& run) -> std::optional<double> {
          const ProtocolTime* time = time_of(run, claim.model, protocol.name);
          return time == nullptr ? std::nullopt : std::optional(time->us / 1000.0);
        });
    if (!us.empty()) row.ours[protocol.name] = mean(us);
  }
  if (claim.machine != evidence.machine)
    return cannot(std::move(row), concat("needs that machine (", claim.machine, "); ours is this one's"));
  if (row.ours.empty()) return cannot(std::move(row), subset_note(evidence, claim.dataset));
  std::string passed;
  for (const auto& [protocol, ms] : row.ours) {
    if (std::abs(ms / claim.value - 1.0) > 1.0 - kReached) continue;
    passed += concat(passed.empty() ? "" : ", ", protocol);
  }
  row.verdict = passed.empty() ? "not reproduced" : "reproduced only under " + passed;
  return row;
}

LedgerRow judge_accuracy(LedgerRow row, const Evidence& evidence) {
  const Claim& claim = row.claim;
  Values percents;
  double images = 0.0;
  for (const RunEvidence& run : evidence.runs) {
    const RunEvidence::Judged* judged = judged_of(run, claim.model);
    if (run.dataset != claim.dataset || judged == nullptr) continue;
    percents.push_back(100.0 * accuracy_of(*judged));
    images = static_cast<double>(judged->right.size());
  }
  if (percents.empty()) return cannot(std::move(row), subset_note(evidence, claim.dataset));
  const double ours = mean(percents);
  row.ours[""] = ours;
  const Interval sampled = wilson_interval(ours / 100.0 * images, images);
  Interval seeds = mean_interval(percents);
  if (percents.size() < 2) seeds = {ours, ours};
  const double low = std::min(seeds.low, 100.0 * sampled.low),
               high = std::max(seeds.high, 100.0 * sampled.high);
  const bool holds = low <= claim.value && claim.value <= high;
  row.verdict = holds ? "reproduced" : "not reproduced";
  row.why = concat(percents.size(), " seeds, 95 % interval ", fixed(low, 2), " to ", fixed(high, 2),
                   holds                ? ""
                   : ours > claim.value ? "; ours is higher"
                                        : "; ours is lower");
  return row;
}

LedgerRow judge_rate(LedgerRow row, const Evidence& evidence) {
  const Claim& claim = row.claim;
  const Values rates =
      over_runs(evidence, claim.dataset, [&](const RunEvidence& run) -> std::optional<double> {
        const RunEvidence::Judged* judged = judged_of(run, claim.model);
        if (judged == nullptr) return std::nullopt;
        return 100.0 * (claim.kind == "exit_rate" ? judged->early_rate : 1.0 - judged->early_rate);
      });
  if (rates.empty()) return cannot(std::move(row), subset_note(evidence, claim.dataset));
  row.ours[""] = mean(rates);
  row.verdict = std::abs(row.ours[""] - claim.value) <= kRatePoints ? "reproduced" : "not reproduced";
  row.why = concat(rates.size(), " seeds, at the threshold that the paper names");
  return row;
}

LedgerRow judge_share(LedgerRow row, const Evidence& evidence) {
  std::string passed;
  bool fair = false;
  for (const TimerProtocol& protocol : timer_protocols()) {
    double most = -1.0;
    for (const RunEvidence& run : evidence.runs) {
      const ProtocolTime* part = time_of(run, "autoencoder", protocol.name);
      const ProtocolTime* all = time_of(run, "cbnet", protocol.name);
      if (part != nullptr && all != nullptr) most = std::max(most, 100.0 * part->us / all->us);
    }
    if (most < 0.0) continue;
    row.ours[protocol.name] = most;
    if (most > row.claim.value + kRatePoints) continue;
    fair = fair || std::string(protocol.name) == "fair";
    passed += concat(passed.empty() ? "" : ", ", protocol.name);
  }
  if (row.ours.empty()) return cannot(std::move(row), "needs a run");
  row.verdict = fair ? "reproduced" : passed.empty() ? "not reproduced" : "reproduced only under " + passed;
  row.why = "the largest over all runs";
  return row;
}

LedgerRow judge_power(LedgerRow row) {
  const Claim& claim = row.claim;
  if (claim.kind == "power_factor") {
    const auto gpu = claimed("power", "", "", kGpu), cpu = claimed("power", "", "", "gci");
    row.by_table2 = gpu.value() / cpu.value();
    row.verdict = "not reproduced";
    row.why = "the paper contradicts itself: its two powers are in that ratio";
    return row;
  }
  if (claim.machine == kGpu) return cannot(std::move(row), "needs that GPU and its power readings");
  const energy::GciModel model;
  const double server_w = claim.value * model.N / model.n;
  const double u =
      std::pow((server_w - model.p_idle_w) / (model.p_peak_w - model.p_idle_w), 1.0 / model.beta);
  return cannot(std::move(row), concat("it is Eq. 1 at a utilisation of ", fixed(u, 2), ", no measurement"));
}

LedgerRow judge(const Claim& claim, const Evidence& evidence) {
  LedgerRow row{claim, {}, {}, "", ""};
  if (claim.kind == "latency") return judge_latency(std::move(row), evidence);
  if (claim.kind == "accuracy") return judge_accuracy(std::move(row), evidence);
  if (claim.kind == "exit_rate" || claim.kind == "hard_fraction") return judge_rate(std::move(row), evidence);
  if (claim.kind == "autoencoder_share") return judge_share(std::move(row), evidence);
  if (claim.kind == "power" || claim.kind == "power_factor") return judge_power(std::move(row));
  return judge_ratio(std::move(row), evidence);
}

}  // namespace

std::vector<LedgerRow> ledger_of(const std::vector<Claim>& claims, const Evidence& evidence) {
  std::vector<LedgerRow> out;
  out.reserve(claims.size());
  for (const Claim& claim : claims) out.push_back(judge(claim, evidence));
  return out;
}

std::vector<Attribution> attribution_of(const Evidence& evidence) {
  std::vector<Attribution> out;
  for (const char* dataset : kDatasets) {
    for (const char* baseline : {"lenet", "branchynet"}) {
      Claim claim;
      claim.model = "cbnet";
      claim.baseline = baseline;
      const auto ours = [&](const char* protocol) { return speedup_of(evidence, dataset, claim, protocol); };
      const auto macs =
          mean_of(over_runs(evidence, dataset, [&](const RunEvidence& run) -> std::optional<double> {
            const RunEvidence::Judged* base = judged_of(run, baseline);
            const RunEvidence::Judged* model = judged_of(run, "cbnet");
            if (base == nullptr || model == nullptr) return std::nullopt;
            return base->macs / model->macs;
          }));
      const auto authors = ours("authors"), whole = ours("authors-whole"), fair = ours("fair");
      if (!authors || !whole || !fair || !macs) continue;
      out.push_back({dataset, baseline, table2_speedup(dataset, claim, kPaperMachineNames[0].key).value(),
                     *authors, *whole, *fair, *macs});
    }
  }
  return out;
}

std::vector<std::string> impossible_times(const Evidence& evidence) {
  std::vector<std::string> out;
  if (!evidence.gmacs) return out;
  for (const RunEvidence& run : evidence.runs) {
    for (const ProtocolTime& time : run.times) {
      // Under this protocol the timer leaves parts of the work out.
      if (time.protocol == "authors") continue;
      for (const LeastWork& least : run.least) {
        if (least.model != time.model) continue;
        const double rate = 1e-3 * least.macs / time.low;
        if (rate > kRateSlack * *evidence.gmacs)
          out.push_back(concat(run.run, ": ", time.model, " under ", time.protocol, " took ", time.low,
                               " us, which is ", rate, " GMAC/s; this machine can do ", *evidence.gmacs));
      }
    }
  }
  return out;
}

}  // namespace cbnet::bench
