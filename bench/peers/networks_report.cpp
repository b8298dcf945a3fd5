#include "bench/peers/networks_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/peers/comparison.h"
#include "bench/peers/network_set.h"
#include "bench/records.h"
#include "console/output.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

using bench::us_text;

constexpr double kTrainingMust = 1.2;

std::string joined_names(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += concat(out.empty() ? "" : ", ", name);
  return out;
}

/// Puts the standing set first, in its order.
void sort_by_model(std::vector<Json>& records, Json (*model_of)(const Json&)) {
  const auto place = [&](const Json& record) {
    const std::vector<std::string>& set = network_set();
    return std::find(set.begin(), set.end(), model_of(record).get<std::string>()) - set.begin();
  };
  std::stable_sort(records.begin(), records.end(),
                   [&](const Json& a, const Json& b) { return place(a) < place(b); });
}

std::string timed(const std::optional<Entry>& entry) {
  return entry ? concat(us_text(entry->us), " [", us_text(entry->low), "-", us_text(entry->high), "]",
                        entry->disturbed() ? " †" : "")
               : "-";
}

std::string agreement(const std::optional<Entry>& entry) {
  return entry && entry->precision == "int8"
             ? concat(fixed(100.0 * entry->agree, 0), " %, ", fixed(100.0 * entry->error, 1), " %")
             : "-";
}

std::string inference_table(const std::vector<Json>& runs, std::int64_t batch) {
  const double must = batch == 1 ? 0.8 : 1.0, aim = batch == 1 ? 0.6 : must;
  Table table({"network", "multiply-adds", "precision", "ours", "by", "best peer", "by", "ratio", "spread",
               "must reach", "", "floor", "ours over the floor", "ours agrees", "peer agrees"},
              3);
  for (const Json& run : runs) {
    const std::vector<Entry> entries = entries_of(run);
    for (const Json& model : run.at("models")) {
      for (const char* precision : {"fp32", "int8"}) {
        const Comparison c = compare(entries, {model.at("model"), precision, batch});
        if (!c.ours && !c.peer) continue;
        table.add({model.at("model"), grouped(std::llround(model.at("macs").get<double>())), precision,
                   timed(c.ours), c.ours ? c.ours->variant : "-", timed(c.peer),
                   c.peer ? c.peer->name() : "-", fixed(c.ratio, 2),
                   c.ratio ? concat(fixed(c.ratio_low, 2), "-", fixed(c.ratio_high, 2)) : "-", fixed(must, 2),
                   verdict(c, must, aim), c.floor_us ? us_text(c.floor_us) : "-",
                   c.floor_us && c.ours ? fixed(c.ours->us / *c.floor_us, 2) : "-", agreement(c.ours),
                   agreement(c.peer)});
      }
    }
  }
  return concat("\n## Batch ", batch, "\n\n", table.markdown());
}

/// Names what was not measured, by engine and reason. Variants for the paper's sequences count only where
/// their engine has no other.
std::string skipped_text(const std::vector<Json>& runs) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> models;
  for (const Json& run : runs) {
    const std::vector<Entry> entries = entries_of(run);
    for (const Json& skip : run.at("skipped")) {
      const std::string engine = skip.at("engine"), why = skip.at("why"), model = skip.at("model");
      const bool ran = std::ranges::any_of(
          entries, [&](const Entry& entry) { return entry.engine == engine && entry.model == model; });
      if (ran && why == kSequencesAlone) continue;
      models[{concat(engine, why == kSequencesAlone ? "" : " " + skip.at("variant").get<std::string>()), why}]
          .insert(model);
    }
  }
  std::string out = models.empty() ? "" : "\n## Not run\n\n";
  for (const auto& [key, names] : models)
    out += concat("- ", key.first, ", ", joined_names(names), ": ", key.second, "\n");
  return out;
}

std::string training_table(const std::vector<Json>& trainings) {
  Table table({"network", "batch", "ours", "LibTorch", "ratio", "spread", "must reach", ""}, 1);
  std::string missing;
  for (const Json& record : trainings) {
    for (const Json& one : record.at("trainings")) {
      if (one.contains("why")) {
        missing += concat("\n", one.at("model").get<std::string>(),
                          " is not in the table: ", one.at("why").get<std::string>(), "\n");
        continue;
      }
      const auto rate = [&](std::size_t engine) {
        const Json& e = one.at("engines").at(engine);
        const auto text = [&](const char* key) { return grouped(std::llround(e.at(key).get<double>())); };
        return concat(text("images_per_s"), " [", text("low"), "-", text("high"), "]");
      };
      const double ratio = one.at("ratio");
      table.add({one.at("model"), one.at("batch_size").dump(), rate(0), rate(1), fixed(ratio, 2),
                 concat(fixed(one.at("ratio_low").get<double>(), 2), "-",
                        fixed(one.at("ratio_high").get<double>(), 2)),
                 fixed(kTrainingMust, 1), ratio >= kTrainingMust ? "met" : "missed"});
    }
  }
  return trainings.empty()
             ? ""
             : concat(
                   "\n## Training\n\nImages a second, one thread, the same weights, batches and "
                   "losses.\n\n",
                   table.markdown(), missing);
}

constexpr const char* kText =
    R"(Made by `scripts/bench-peers --set networks` from the measurements in `docs/performance/networks/`; do not
edit. One thread, µs an image: median over the blocks [lowest-highest round], engines by turns, each in a
process of its own. † marks a block whose main thread had its core for less than 95 % of the time. Weights
are random (He), batch normalisation has the statistics of the pictures, which are random shapes without a
zero. Every engine's outputs are compared with an f64 reference first. Agreement of int8: images with the
reference's largest output, and the root mean square of the differences over that of the outputs. Ratio:
ours over the fastest peer of the same precision; spread: from the luckiest rounds of ours and the
unluckiest of the peer to the reverse. Floor: the larger of multiply-adds at the FMA (or int8) peak and
weights at the bandwidth of their size.
)";

std::string make(NetworkRecords records) {
  sort_by_model(records.runs, [](const Json& run) { return run.at("models").at(0).at("model"); });
  sort_by_model(records.trainings, [](const Json& one) { return one.at("trainings").at(0).at("model"); });
  std::set<std::string> hosts, commits;
  for (const Json& run : records.runs) {
    hosts.insert(run.at("host").get<std::string>());
    commits.insert(run.at("commit").get<std::string>());
  }
  return concat("# Any network beside other engines\n\n", kText, "\nOn ", joined_names(hosts), "; commit ",
                joined_names(commits), ".\n", inference_table(records.runs, 1),
                inference_table(records.runs, 64), training_table(records.trainings),
                skipped_text(records.runs));
}

}  // namespace

std::string networks_markdown(const NetworkRecords& records) {
  require(!records.runs.empty(), "peers", "a page needs at least one run");
  for (const Json& run : records.runs) static_cast<void>(entries_of(run));
  try {
    return make(records);
  } catch (const Json::exception& error) {
    throw InputError("measurements of networks", "every field that the page shows", error.what());
  }
}

}  // namespace cbnet::peers
