#include "bench/peers/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/growth.h"
#include "bench/peers/comparison.h"
#include "bench/records.h"
#include "bench/roofline.h"
#include "console/output.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

using bench::us_text;

std::string row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) out += " " + cell + " |";
  return out + "\n";
}

std::string head(const std::vector<std::string>& cells, std::size_t left) {
  std::string out = row(cells) + "|";
  for (std::size_t i = 0; i < cells.size(); ++i) out += i < left ? "---|" : "---:|";
  return out + "\n";
}

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
  std::string out = head({"model", "precision", "ours", "by", "best peer", "by", "ratio", "spread",
                          "must reach", "aim", "", "floor", "ours over the floor"},
                         2);
  for (const Bar& bar : bars()) {
    const Comparison c = compare(entries, bar.of);
    out += row({bar.of.model, bar.of.precision, side(c.ours), c.ours ? c.ours->variant : "-", side(c.peer),
                c.peer ? c.peer->name() : "-", fixed(c.ratio, 2), spread(c), fixed(bar.must, 2),
                fixed(bar.aim, 2), verdict(c, bar.must, bar.aim), floor_text(c), over_floor(c)});
  }
  return out;
}

/// Models, batches and thread counts that there are results of, in their order.
struct Axes {
  std::vector<std::string> models;
  std::set<std::pair<int, std::int64_t>> points;
};

Axes axes_of(const std::vector<Entry>& entries) {
  Axes out;
  for (const Entry& entry : entries) {
    if (std::find(out.models.begin(), out.models.end(), entry.model) == out.models.end())
      out.models.push_back(entry.model);
    out.points.emplace(entry.threads, entry.batch);
  }
  std::sort(out.models.begin(), out.models.end());
  return out;
}

/// Everything beside the bars: throughput must be the best peer's at least, in either precision.
std::string others_table(const std::vector<Entry>& entries) {
  std::string out = head({"threads", "batch", "model", "precision", "ours", "best peer", "by", "ratio",
                          "spread", "at least as fast", "ours over the floor"},
                         4);
  const Axes axes = axes_of(entries);
  for (const auto& [threads, batch] : axes.points) {
    for (const std::string& model : axes.models) {
      for (const char* precision : {"fp32", "int8"}) {
        const Comparison c = compare(entries, {model, precision, batch, threads});
        if (!c.peer) continue;
        out += row({std::to_string(threads), std::to_string(batch), model, precision, side(c.ours),
                    side(c.peer), c.peer->name(), fixed(c.ratio, 2), spread(c),
                    !c.ratio          ? "-"
                    : *c.ratio <= 1.0 ? "yes"
                                      : "no",
                    over_floor(c)});
      }
    }
  }
  return out;
}

/// One table per point: engines down, models across; the fastest fp32 peer of each model in bold.
std::string engine_tables(const std::vector<Entry>& entries, const std::string& level) {
  std::string out;
  const Axes axes = axes_of(entries);
  for (const auto& [threads, batch] : axes.points) {
    std::map<std::pair<std::string, std::string>, std::map<std::string, Entry>> rows;
    for (const Entry& entry : entries) {
      if (entry.threads == threads && entry.batch == batch)
        rows[{entry.precision, entry.name()}].emplace(entry.model, entry);
    }
    out +=
        concat("\n", level, " ", threads, threads == 1 ? " thread" : " threads", ", batch ", batch, "\n\n");
    std::vector<std::string> cells = {"engine", "precision"};
    cells.insert(cells.end(), axes.models.begin(), axes.models.end());
    out += head(cells, 2);
    for (const auto& [key, by_model] : rows) {
      cells = {key.second, key.first};
      for (const std::string& model : axes.models) {
        const auto found = by_model.find(model);
        const Comparison c = compare(entries, {model, "fp32", batch, threads});
        const bool best = found != by_model.end() && c.peer && !found->second.ours() && key.first == "fp32" &&
                          c.peer->name() == found->second.name();
        const std::string text = found == by_model.end() ? "-" : timed(found->second);
        cells.push_back(best ? "**" + text + "**" : text);
      }
      out += row(cells);
    }
  }
  return out;
}

std::string limits_table(const Json& limits) {
  const auto rate = [&](const char* key) {
    const Json& value = limits.at(key);
    return value.is_null() ? std::string("not measured") : fixed(value.get<double>(), 1) + " GMAC/s";
  };
  std::string out = concat("One core, ISA ", limits.at("isa").get<std::string>(), ": f32 FMA ",
                           rate("fma_gmac_per_s"), ", int8 ", rate("int8_gmac_per_s"), ".\n\n");
  out += head({"buffer, bytes", "read one way, GB/s", "forward, then backward, GB/s"}, 0);
  for (const Json& read : limits.at("reads")) {
    out += row({grouped(static_cast<std::int64_t>(read.at("size_bytes").get<double>())),
                fixed(read.at("one_way_gb_per_s").get<double>(), 1),
                fixed(read.at("zigzag_gb_per_s").get<double>(), 1)});
  }
  return out;
}

std::string engines_table(const Json& engines) {
  std::string out = head({"engine", "version", "variant", "precision", "set up as"}, 5);
  for (const Json& engine : engines) {
    for (const Json& variant : engine.at("variants")) {
      out += row({engine.at("engine"), engine.at("version"), variant.at("variant"), variant.at("precision"),
                  concat(variant.at("setup").get<std::string>(),
                         engine.at("openmp_blas").get<bool>() ? "; OpenBLAS built for OpenMP" : "")});
    }
  }
  return out;
}

std::string models_table(const Json& models) {
  std::string out = head({"model", "multiply-adds", "less those on padding", "f32 weights, bytes",
                          "of dense multiply-adds, those whose input is 0", "stay behind the exit"},
                         1);
  const auto share = [](const Json& value) {
    return value.is_null() ? std::string("-") : fixed(100.0 * value.get<double>(), 1) + " %";
  };
  for (const Json& model : models) {
    const auto count = [&](const char* key) {
      return grouped(static_cast<std::int64_t>(model.at(key).get<double>()));
    };
    out += row(
        {concat(model.at("model").get<std::string>(), model.at("folded").get<bool>() ? ", folded" : ""),
         count("macs"), count("macs_without_padding"), count("weight_bytes"),
         model.at("zero_share") == 0.0 ? "-" : share(model.at("zero_share")), share(model.at("hard_share"))});
  }
  return out;
}

constexpr const char* kBarsText =
    "Batch 1, one thread, µs an image: median over the blocks [lowest-highest round]. † marks a block whose "
    "main thread\n"
    "had its core for less than 95 % of the time, however often it was measured again; with one thread its "
    "CPU time stands\n"
    "there instead. Ratio: ours over the fastest peer, folded or not; spread: from the luckiest rounds of "
    "ours and the\n"
    "unluckiest of the peer to the reverse. Floor: the larger of multiply-adds at the FMA (or int8) peak and "
    "weights at the\n"
    "bandwidth of their size, of the folded model. It counts every weight; ours leaves out those whose "
    "inputs are "
    "zeros, and\n"
    "may go below it.\n\n";

std::string run_text(const Json& run, const std::vector<Entry>& entries, const std::string& level) {
  return concat(
      kBarsText, bars_table(entries), "\n", level,
      " Every model, batch and thread count\n\nOurs against the fastest peer of the same precision.\n\n",
      others_table(entries), "\n", level, " Limits of the machine\n\n", limits_table(run.at("limits")));
}

/// On what the engines were timed.
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
      " s each, back and forth.\nBehind BranchyNet's early exit goes on the share of images that the table "
      "of models "
      "names, in real control flow.\n"
      "\"Folded\" gives a peer the weights with adjacent linear layers joined, as our plan joins them.\n\n");
}

/// Ratio of images a second over LibTorch's that training must reach.
double training_bar(const std::string& model, int threads) {
  return model == "lenet" ? 3.0 : threads == 1 ? 1.5 : 1.3;
}

std::string training_table(const Json& training) {
  std::string out =
      concat("\n## Training\n\nImages a second, median over the rounds [lowest-highest]; the peer is ",
             training.at("peer").get<std::string>(), ".\n\n",
             head({"model", "batch", "threads", "ours", "peer", "ratio", "spread", "must reach", ""}, 1));
  for (const Json& one : training.at("trainings")) {
    const auto rate = [&](std::size_t engine) {
      const Json& e = one.at("engines").at(engine);
      const auto text = [&](const char* key) { return grouped(std::llround(e.at(key).get<double>())); };
      return concat(text("images_per_s"), " [", text("low"), "-", text("high"), "]");
    };
    const double ratio = one.at("ratio"), bar = training_bar(one.at("model"), one.at("threads"));
    out += row({one.at("model"), one.at("batch_size").dump(), one.at("threads").dump(), rate(0), rate(1),
                fixed(ratio, 2),
                concat(fixed(one.at("ratio_low").get<double>(), 2), "-",
                       fixed(one.at("ratio_high").get<double>(), 2)),
                fixed(bar, 1), ratio >= bar ? "met" : "missed"});
  }
  return out;
}

std::string preformatted(const std::string& title, const std::string& before, const std::string& text) {
  return concat("\n## ", title, "\n\n", before, "```\n", text, "```\n");
}

std::string make(const Page& page) {
  std::string out =
      "# Performance\n\nMade by `scripts/bench-peers` from measurements; do not edit. `CONTRIBUTING.md` says "
      "how to measure,\n`docs/performance-notes.md` what stands behind the figures.\n\n";
  for (std::size_t i = 0; i < page.runs.size(); ++i) {
    const Json& run = page.runs[i];
    const std::vector<Entry> entries = entries_of(run);
    const bool capped = !run.at("cap").is_null();
    if (i == 0) {
      out +=
          concat("On ", run.at("host").get<std::string>(), ", commit ", run.at("commit").get<std::string>(),
                 ".\n\n", method(run), "## Bars\n\n", run_text(run, entries, "##"), "\n## Engines\n\n",
                 engines_table(run.at("engines")), "\n## Models\n\n", models_table(run.at("models")));
    } else {
      const Json& m = run.at("method");
      const bool same = m.at("trained_on") == page.runs[0].at("method").at("trained_on");
      out += concat("\n## ",
                    capped ? "With AVX2 only"
                    : same ? "Another run"
                           : "Where nothing is zero",
                    "\n\n");
      if (!same) out += concat("On ", workload_text(m), ".\n\n");
      if (capped)
        out +=
            "`CBNET_FORCE_ISA=avx2`; oneDNN by ONEDNN_MAX_CPU_ISA, LibTorch by ATEN_CPU_CAPABILITY too, "
            "OpenBLAS by\n"
            "OPENBLAS_CORETYPE. ONNX Runtime documents no such switch: its rows here may use wider "
            "vectors.\n\n";
      out += run_text(run, entries, "###");
    }
  }
  if (!page.training.is_null()) out += training_table(page.training);
  if (!page.roofline.is_null())
    out += preformatted("Each step on its own", "", bench::roofline_text(page.roofline));
  if (!page.growth.is_null()) {
    const std::string figure =
        page.figure.empty()
            ? ""
            : concat("![Time per image against batch, width and side](", page.figure, ")\n\n");
    out += preformatted("How cost grows", figure, bench::growth_text(page.growth));
  }
  for (const std::string& section : page.more) out += "\n" + section;
  for (std::size_t i = 0; i < page.runs.size(); ++i) {
    const bool random = page.runs[i].at("method").at("trained_on").is_null();
    out += concat("\n## All engines, µs an image", page.runs[i].at("cap").is_null() ? "" : ", AVX2 only",
                  random && i > 0 ? ", where nothing is zero" : "", "\n",
                  engine_tables(entries_of(page.runs[i]), "###"));
  }
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
