#include <algorithm>
#include <map>

#include "bench/ledger.h"
#include "bench/statistics.h"
#include "console/output.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

int digits_of(const std::string& unit) { return unit == "ms" ? 4 : 2; }

std::string number(const std::optional<double>& value, const std::string& unit) {
  if (!value) return "-";
  return fixed(*value, digits_of(unit)) + (unit == "x" ? "x" : " " + unit);
}

std::string what_of(const Claim& claim) {
  std::string out = claim.kind;
  for (char& c : out) c = c == '_' ? ' ' : c;
  if (!claim.model.empty()) out += concat(" of ", claim.model);
  if (!claim.baseline.empty()) out += concat(" over ", claim.baseline);
  if (!claim.dataset.empty()) out += concat(", ", claim.dataset);
  if (!claim.machine.empty()) out += concat(", ", claim.machine);
  return out;
}

/// Returns what was measured under a protocol; where no protocol changes it, the same under each.
std::optional<double> ours_under(const LedgerRow& row, const std::string& protocol) {
  for (const std::string& key : {protocol, std::string()}) {
    const auto found = row.ours.find(key);
    if (found != row.ours.end()) return found->second;
  }
  return std::nullopt;
}

std::vector<std::string> datasets_in(const Evidence& evidence) {
  std::vector<std::string> out;
  for (const RunEvidence& run : evidence.runs) {
    if (std::ranges::find(out, run.dataset) == out.end()) out.push_back(run.dataset);
  }
  return out;
}

/// Writes "12.3 (12.1 to 12.5)", the mean with its 95 % interval; the mean alone of one run.
std::string with_interval(const std::vector<double>& values, int digits) {
  if (values.empty()) return "-";
  std::string middle = fixed(mean(values), digits);
  if (values.size() < 2) return middle;
  const Interval interval = mean_interval(values);
  return concat(middle, " (", fixed(interval.low, digits), " to ", fixed(interval.high, digits), ")");
}

std::string times_markdown(const Evidence& evidence) {
  std::vector<std::string> header{"dataset", "model"};
  for (const TimerProtocol& protocol : timer_protocols()) header.emplace_back(protocol.name);
  Table table(header, 2);
  for (const std::string& dataset : datasets_in(evidence)) {
    for (const char* model : {"lenet", "branchynet", "autoencoder", "classifier", "cbnet"}) {
      std::vector<std::string> row{dataset, model};
      for (const TimerProtocol& protocol : timer_protocols()) {
        std::vector<double> us;
        for (const RunEvidence& run : evidence.runs) {
          if (run.dataset != dataset) continue;
          for (const ProtocolTime& time : run.times) {
            if (time.model == model && time.protocol == protocol.name) us.push_back(time.us);
          }
        }
        row.push_back(with_interval(us, 2));
      }
      table.add(row);
    }
  }
  return table.markdown();
}

struct Pair {
  std::int64_t only_first = 0, only_second = 0;
};

Pair disagreement(const std::vector<bool>& first, const std::vector<bool>& second) {
  require(first.size() == second.size(), "audit", "two models were judged on ", first.size(), " and ",
          second.size(), " images");
  Pair out;
  for (std::size_t i = 0; i < first.size(); ++i) {
    out.only_first += first[i] && !second[i] ? 1 : 0;
    out.only_second += !first[i] && second[i] ? 1 : 0;
  }
  return out;
}

const RunEvidence::Judged* find(const RunEvidence& run, const std::string& model) {
  for (const RunEvidence::Judged& judged : run.judged) {
    if (judged.model == model) return &judged;
  }
  return nullptr;
}

std::string accuracies_markdown(const Evidence& evidence) {
  Table table({"dataset", "model", "runs", "test accuracy, %: mean (95 % of seeds)", "95 % of test images",
               "p against CBNet (McNemar), run by run", "early exits, %"},
              2);
  for (const std::string& dataset : datasets_in(evidence)) {
    for (const char* model : {"lenet", "branchynet", "classifier", "cbnet"}) {
      std::vector<double> accuracy, early;
      std::string p;
      double images = 0.0;
      for (const RunEvidence& run : evidence.runs) {
        const RunEvidence::Judged* judged = find(run, model);
        const RunEvidence::Judged* cbnet = find(run, "cbnet");
        if (run.dataset != dataset || judged == nullptr) continue;
        images = static_cast<double>(judged->right.size());
        accuracy.push_back(100.0 * static_cast<double>(std::ranges::count(judged->right, true)) / images);
        early.push_back(100.0 * judged->early_rate);
        if (cbnet == nullptr || cbnet == judged) continue;
        const Pair pair = disagreement(judged->right, cbnet->right);
        p += concat(p.empty() ? "" : ", ", fixed(mcnemar_p(pair.only_first, pair.only_second), 3));
      }
      if (accuracy.empty()) continue;
      const Interval sampled = wilson_interval(mean(accuracy) / 100.0 * images, images);
      table.add({dataset, model, concat(accuracy.size()), with_interval(accuracy, 2),
                 concat(fixed(100.0 * sampled.low, 2), " to ", fixed(100.0 * sampled.high, 2)),
                 p.empty() ? "-" : p,
                 std::string(model) == "branchynet" ? with_interval(early, 2) : std::string("-")});
    }
  }
  return table.markdown();
}

std::string attribution_markdown(const Evidence& evidence) {
  Table table({"dataset", "over", "paper, Pi 4", "machine and engine", "ours, authors", "outside the timer",
               "ours, authors-whole", "batches", "ours, fair", "rate of multiply-adds", "multiply-adds"},
              2);
  const auto factor = [](double from, double to) { return "/ " + fixed(from / to, 2); };
  for (const Attribution& each : attribution_of(evidence)) {
    table.add({each.dataset, each.baseline, fixed(each.claim, 2), factor(each.claim, each.authors),
               fixed(each.authors, 2), factor(each.authors, each.whole), fixed(each.whole, 2),
               factor(each.whole, each.fair), fixed(each.fair, 2), factor(each.fair, each.macs),
               fixed(each.macs, 2)});
  }
  return table.markdown();
}

std::string claims_markdown(const std::vector<LedgerRow>& rows) {
  Table table({"claim", "place", "paper", "its Table II", "ours, authors", "ours, paper", "ours, fair",
               "verdict", "remark"},
              2);
  for (const LedgerRow& row : rows) {
    const auto under = [&](const char* protocol) {
      return number(ours_under(row, protocol), row.claim.unit);
    };
    table.add({what_of(row.claim), row.claim.place, number(row.claim.value, row.claim.unit),
               number(row.by_table2, row.claim.unit), under("authors"), under("paper"), under("fair"),
               row.verdict, row.why.empty() ? "-" : row.why});
  }
  return table.markdown();
}

}  // namespace

std::string ledger_markdown(const Evidence& evidence, const std::vector<LedgerRow>& rows) {
  std::map<std::string, int> verdicts;
  for (const LedgerRow& row : rows) ++verdicts[row.verdict.substr(0, row.verdict.find(" under"))];
  std::string out = concat("## Claims\n\n", rows.size(), " claims:");
  for (const auto& [verdict, count] : verdicts)
    out += concat(" ", count, " ", verdict, verdict.ends_with("only") ? " under some protocols;" : ";");
  out.back() = '.';
  out += "\n\n" + claims_markdown(rows);
  out +=
      "\n## Where the ratios come from\n\nThe time of LeNet or BranchyNet over CBNet's. Each ratio is the "
      "one "
      "before it divided by the factor between them.\n\n" +
      attribution_markdown(evidence);
  out += "\n## Microseconds an image, by protocol\n\n";
  for (const TimerProtocol& protocol : timer_protocols())
    out += concat("- ", protocol.name, ": ", protocol.says, "\n");
  out += "\nMean over the runs of a dataset, with its 95 % interval.\n\n" + times_markdown(evidence);
  return out + "\n## Accuracies\n\n" + accuracies_markdown(evidence);
}

Json ledger_json(const Evidence& evidence, const std::vector<LedgerRow>& rows) {
  Json claims = Json::array();
  for (const LedgerRow& row : rows) {
    Json ours = Json::object();
    for (const auto& [protocol, value] : row.ours) ours[protocol.empty() ? "any" : protocol] = value;
    claims.push_back({{"id", row.claim.id},
                      {"place", row.claim.place},
                      {"value", row.claim.value},
                      {"unit", row.claim.unit},
                      {"ours", std::move(ours)},
                      {"by_table2", row.by_table2 ? Json(*row.by_table2) : Json()},
                      {"verdict", row.verdict},
                      {"why", row.why}});
  }
  Json runs = Json::array();
  for (const RunEvidence& run : evidence.runs) {
    Json times = Json::array(), judged = Json::array();
    for (const ProtocolTime& time : run.times)
      times.push_back({{"model", time.model},
                       {"protocol", time.protocol},
                       {"us", time.us},
                       {"low", time.low},
                       {"high", time.high}});
    for (const RunEvidence::Judged& model : run.judged)
      judged.push_back({{"model", model.model},
                        {"right", std::ranges::count(model.right, true)},
                        {"images", model.right.size()},
                        {"early_rate", model.early_rate},
                        {"macs", model.macs}});
    runs.push_back({{"run", run.run},
                    {"dataset", run.dataset},
                    {"times", std::move(times)},
                    {"judged", std::move(judged)}});
  }
  return {{"claims", std::move(claims)},
          {"runs", std::move(runs)},
          {"gmacs", evidence.gmacs ? Json(*evidence.gmacs) : Json()}};
}

}  // namespace cbnet::bench
