#include "bench/peers/comparison.h"

#include <algorithm>

#include "tensor/error.h"

namespace cbnet::peers {
namespace {

std::optional<double> optional(const Json& value) {
  return value.is_null() ? std::optional<double>() : value.get<double>();
}

bool matches(const Entry& entry, const Case& of) {
  return entry.model == of.model && entry.batch == of.batch && entry.threads == of.threads &&
         (of.precision == "best" || entry.precision == of.precision);
}

}  // namespace

std::string Entry::name() const { return concat(engine, " ", variant, folded ? ", folded" : ""); }

std::vector<Entry> entries_of(const Json& run) {
  constexpr const char* kSchema = "cbnet-peers/1";
  const std::string schema = run.is_object() ? run.value("schema", "no schema") : "no object";
  if (schema != kSchema)
    throw InputError("results of the peer bench", kSchema, schema, "`cbnet_peers run` writes them");
  std::vector<Entry> out;
  try {
    for (const Json& result : run.at("results")) {
      Entry entry;
      entry.model = result.at("model");
      entry.engine = result.at("engine");
      entry.variant = result.at("variant");
      entry.precision = result.at("precision");
      entry.folded = result.at("folded");
      entry.batch = result.at("batch");
      entry.threads = result.at("threads");
      entry.us = result.at("us");
      entry.low = result.at("low");
      entry.high = result.at("high");
      entry.busy = result.at("busy");
      entry.error = result.value("error", 0.0);
      entry.agree = result.value("agree", 0.0);
      entry.floor_us = optional(result.at("floor_us"));
      entry.memory_bound = result.at("floor_by") == "memory";
      out.push_back(std::move(entry));
    }
  } catch (const Json::exception& error) {
    throw InputError("results of the peer bench", "every field of a result", error.what());
  }
  return out;
}

Comparison compare(const std::vector<Entry>& entries, const Case& of) {
  Comparison out{of, {}, {}, {}, {}, {}, {}, false};
  for (const Entry& entry : entries) {
    if (!matches(entry, of)) continue;
    std::optional<Entry>& side = entry.ours() ? out.ours : out.peer;
    if (!side || entry.us < side->us) side = entry;
    if (entry.floor_us && (!out.floor_us || *entry.floor_us < *out.floor_us)) {
      out.floor_us = entry.floor_us;
      out.memory_bound = entry.memory_bound;
    }
  }
  if (out.ours && out.peer) {
    out.ratio = out.ours->us / out.peer->us;
    out.ratio_low = out.ours->low / out.peer->high;
    out.ratio_high = out.ours->high / out.peer->low;
  }
  return out;
}

const std::vector<Bar>& bars() {
  static const std::vector<Bar> table = {
      {{"lenet", "fp32"}, 0.6, 0.45},
      {{"classifier", "fp32"}, 0.5, 0.3},
      {{"branchynet", "fp32"}, 0.55, 0.4},
      {{"autoencoder-mnist", "fp32"}, 0.95, 0.7},
      {{"autoencoder-mnist", "int8"}, 0.5, 0.35},
      {{"cbnet-mnist", "best"}, 0.4, 0.25},
  };
  return table;
}

std::string verdict(const Comparison& comparison, double must, double aim) {
  if (!comparison.ratio) return "not measured";
  if (*comparison.ratio <= aim) return "met, and the aim";
  return *comparison.ratio <= must ? "met" : "missed";
}

}  // namespace cbnet::peers
