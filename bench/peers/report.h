#pragma once

#include <string>
#include <vector>

#include "models/json.h"

// docs/performance.md is made from the JSON of measurements and from nothing else.

namespace cbnet::peers {

struct Page {
  std::vector<Json> runs;         // of `cbnet_peers run`, the one without a cap first
  Json training;                  // of bench_train; null for none, as the one below
  Json roofline;                  // of `cbnet_bench roofline`
  std::string figure;             // the plot of growth, as the page links it; "" for none
  std::vector<std::string> more;  // Markdown sections, as they are
};

/// Throws InputError for JSON of another schema or without what a table needs.
std::string markdown(const Page& page);

/// Draws the bars of one run, a line each.
std::vector<std::string> summary(const Json& run);

}  // namespace cbnet::peers
