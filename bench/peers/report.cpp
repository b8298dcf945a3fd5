#include "bench/peers/report.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "bench/peers/comparison.h"
#include "bench/records.h"
#include "console/output.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

using bench::us_text;

std::string timed(const Entry& entry) {
  return concat(us_text(entry.us), " [", us_text(entry.low), "-", us_text(entry.high), "]",
                entry.disturbed() ? " †" : "");
}

std::string side(const std::optional<Entry>& entry) { return entry ? timed(*entry) : "-"; }

std::string floor_text(const Comparison& c) {
  return c.floor_us ? concat(us_text(c.floor_us), c.memory_bound ? " (memory)" : " (arithmetic)") : "-";
}

std::string over_floor(const Comparison& c) {
  return c.floor_us && c.ours ? fixed(c.ours->us / *c.floor_us, 2) : "-";
}

std::string spread(const Comparison& c) {
  return c.ratio ? concat(fixed(c.ratio_low, 2), "-", fixed(c.ratio_high, 2)) : "-";
}

std::string bars_table(const std::vector<Entry>& entries) {
  Table table({"model", "precision", "ours", "by", "best peer", "by", "ratio", "spread", "must reach", "aim",
               "", "floor", "ours over the floor"},
              2);
  for (const Bar& bar : bars()) {
    const Comparison c = compare(entries, bar.of);
    table.add({bar.of.model, bar.of.precision, side(c.ours), c.ours ? c.ours->variant : "-", side(c.peer),
               c.peer ? c.peer->name() : "-", fixed(c.ratio, 2), spread(c), fixed(bar.must, 2),
               fixed(bar.aim, 2), verdict(c, bar.must, bar.aim), floor_text(c), over_floor(c)});
  }
  return table.markdown();
}

/// Adds a line for each thread count, batch and precision of a run: over its models, ours against the fastest
/// peer.
void add_points(Table& table, const std::string& run, const std::vector<Entry>& entries) {
  std::set<std::string> models;
  std::set<std::tuple<int, std::int64_t, std::string>> points;
  for (const Entry& entry : entries) {
    models.insert(entry.model);
    points.emplace(entry.threads, entry.batch, entry.precision);
  }
  for (const auto& [threads, batch, precision] : points) {
    std::vector<Comparison> compared;
    for (const std::string& model : models) {
      compared.push_back(compare(entries, {model, precision, batch, threads}));
      if (!compared.back().ratio) compared.pop_back();
    }
    if (compared.empty()) continue;
    const auto [low, high] = std::ranges::minmax_element(compared, {}, &Comparison::ratio);
    const auto fast = std::ranges::count_if(compared, [](const Comparison& c) { return *c.ratio <= 1.0; });
    const auto text = [](const Comparison& c) { return concat(fixed(c.ratio, 2), " (", c.of.model, ")"); };
    table.add({run, std::to_string(threads), std::to_string(batch), precision,
               concat(fast, " of ", compared.size()), text(*low), text(*high)});
  }
}

constexpr const char* kBarsText =
    R"(Batch 1, one thread, µs an image: median over the blocks [lowest-highest round]. † marks a block whose
main thread had its core for less than 95 % of the time, however often it was measured again; with one
thread its CPU time stands there instead. Ratio: ours over the fastest peer, folded or not; spread: from
the luckiest rounds of ours and the unluckiest of the peer to the reverse. Floor: the larger of
multiply-adds at the FMA (or int8) peak and weights at the bandwidth of their size, of the folded model.
It counts every weight; ours leaves out those whose inputs are zeros, and may go below it.

)";

/// Tells what the engines were timed on.
std::string workload_text(const Json& m) {
  if (m.at("trained_on").is_null())
    return concat("random weights and images without a pixel of 0 (seed ", m.at("seed").dump(), ")");
  std::string datasets;
  for (const Json& name : m.at("trained_on"))
    datasets += concat(datasets.empty() ? "" : ", ", name.get<std::string>());
  return concat("trained networks\n(default recipes; ", datasets, ") and images of their test sets");
}

std::string method(const Json& run) {
  const Json& m = run.at("method");
  return concat(
      "Every engine runs in a process of its own, on the same ", workload_text(m),
      ",\nand its outputs are compared with an f64 reference first. Batch 1 goes round ", m.at("images"),
      " images. Processes are pinned to one\n"
      "core, or two for two threads, and take turns: ",
      m.at("rounds"), " rounds of ", m.at("blocks"), " blocks of ", m.at("block_s"),
      " s each, back and forth.\nBehind BranchyNet's early exit go on as many images as do in its test set, "
      "in real "
      "control flow.\n"
      "\"Folded\" gives a peer the weights with adjacent linear layers joined, as our plan joins them.\n\n");
}

/// Returns the ratio of images a second over LibTorch's that training must reach.
double training_bar(const std::string& model, int threads) {
  return model == "lenet" ? 3.0 : threads == 1 ? 1.5 : 1.3;
}

std::string training_text(const Json& training) {
  Table table({"model", "batch", "threads", "ours", "peer", "ratio", "spread", "must reach", ""}, 1);
  for (const Json& one : training.at("trainings")) {
    const auto rate = [&](std::size_t engine) {
      const Json& e = one.at("engines").at(engine);
      const auto text = [&](const char* key) { return grouped(std::llround(e.at(key).get<double>())); };
      return concat(text("images_per_s"), " [", text("low"), "-", text("high"), "]");
    };
    const double ratio = one.at("ratio"), bar = training_bar(one.at("model"), one.at("threads"));
    table.add({one.at("model"), one.at("batch_size").dump(), one.at("threads").dump(), rate(0), rate(1),
               fixed(ratio, 2),
               concat(fixed(one.at("ratio_low").get<double>(), 2), "-",
                      fixed(one.at("ratio_high").get<double>(), 2)),
               fixed(bar, 1), ratio >= bar ? "met" : "missed"});
  }
  return concat("\n## Training\n\nImages a second, median over the rounds [lowest-highest]; the peer is ",
                training.at("peer").get<std::string>(), ".\n\n", table.markdown());
}

/// The table has whole plans; the steps that they are made of stand in the record.
std::string roofline_text(const Json& roofline) {
  bench::check_schema(roofline, "cbnet-roofline/1");
  Table table({"plan", "µs", "of limit", "batch", "µs an image", "of limit"});
  for (const Json& model : roofline.at("models")) {
    std::vector<std::string> cells = {model.at("model")};
    for (const Json& point : model.at("whole").at("points")) {
      if (cells.size() > 1) cells.push_back(point.at("batch").dump());
      cells.push_back(bench::time_cell(point));
      const std::optional<double> fraction = bench::number_at(point, "share");
      cells.push_back(fraction ? concat(fixed(100.0 * *fraction, 0), " %") : "-");
    }
    table.add(std::move(cells));
  }
  return concat(
      "\n## Beside the limits of the machine\n\nWhole plans on noise, one core; of limit: the least time "
      "by arithmetic or memory over the measured one.\n\n",
      table.markdown());
}

std::string make(const Page& page) {
  const Json& first = page.runs.front();
  Table points({"run", "threads", "batch", "precision", "at least as fast", "lowest ratio", "highest ratio"},
               1);
  for (const Json& run : page.runs) {
    const bool random = run.at("method").at("trained_on").is_null();
    add_points(points,
               !run.at("cap").is_null() ? "AVX2 only"
               : random                 ? "no zeros"
                                        : "all vectors",
               entries_of(run));
  }
  std::string out = concat(
      "# Performance\n\nMade by `scripts/bench-peers` from the measurements in `docs/performance/`, which "
      "have "
      "all figures; do not edit.\n`CONTRIBUTING.md` says how to measure, `docs/performance-notes.md` what "
      "stands "
      "behind the figures.\n\nOn ",
      first.at("host").get<std::string>(), ", commit ", first.at("commit").get<std::string>(), ".\n\n",
      method(first), "## Bars\n\n", kBarsText, bars_table(entries_of(first)),
      "\n## Every thread count and batch\n\nOver the models, the ratio of ours to the fastest peer of the "
      "same "
      "precision. \"AVX2 only\" caps everything\nthat can be capped, which ONNX Runtime cannot; \"no zeros\" "
      "is on "
      "random networks and images.\n\n",
      points.markdown());
  if (!page.training.is_null()) out += training_text(page.training);
  if (!page.roofline.is_null()) out += roofline_text(page.roofline);
  if (!page.figure.empty())
    out +=
        concat("\n## How cost grows\n\n![Time per image against batch, width and side](", page.figure, ")\n");
  for (const std::string& section : page.more) out += "\n" + section;
  return out;
}

}  // namespace

std::string markdown(const Page& page) {
  require(!page.runs.empty(), "peers", "a page needs at least one run");
  for (const Json& run : page.runs) static_cast<void>(entries_of(run));
  try {
    return make(page);
  } catch (const Json::exception& error) {
    throw InputError("results of the peer bench", "every field that the page shows", error.what());
  }
}

std::vector<std::string> summary(const Json& run) {
  const std::vector<Entry> entries = entries_of(run);
  std::vector<std::string> out;
  for (const Bar& bar : bars()) {
    const Comparison c = compare(entries, bar.of);
    if (!c.ours && !c.peer) continue;
    out.push_back(concat(bar.of.model, " ", bar.of.precision, ": ours ", side(c.ours), " µs, best peer ",
                         c.peer ? c.peer->name() : "-", " ", side(c.peer), " µs, ratio ", fixed(c.ratio, 2),
                         ", must ", fixed(bar.must, 2), ": ", verdict(c, bar.must, bar.aim)));
  }
  return out;
}

}  // namespace cbnet::peers
