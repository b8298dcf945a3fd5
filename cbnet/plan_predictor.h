#pragma once

#include <memory>
#include <optional>

#include "cbnet/compression.h"
#include "cbnet/predictor.h"
#include "runtime/plan.h"

namespace cbnet {

/// A model that the inference engine runs.
struct PlannedModel {
  std::string name, dataset;
  runtime::Plan plan;
  std::vector<std::int64_t> macs_by_exit;  // of the network as it was built, before folding
  std::int64_t parameter_count = 0;        // likewise
  /// CBNet: its autoencoder, where `Predictions::converted` is to be filled.
  std::optional<runtime::Plan> converter;
};

std::unique_ptr<Predictor> make_plan_predictor(PlannedModel model);

/// A model that `cbnet compile` wrote, and what it says of itself. Throw InputError for a missing, damaged or
/// foreign file.
struct CompiledGraph {
  CompiledInfo info;
  runtime::Graph graph;
};
CompiledGraph load_compiled_graph(const std::filesystem::path& file);

struct CompiledModel {
  CompiledInfo info;
  std::unique_ptr<Predictor> predictor;
};
/// Throws InputError besides for a plan that cannot be used with the datasets: (1,28,28) pixels in, 10
/// classes or as many pixels out. `threshold` < 0 keeps the stored one; it takes a plan with one side exit.
CompiledModel load_compiled(const std::filesystem::path& file, double threshold = -1.0);

}  // namespace cbnet
