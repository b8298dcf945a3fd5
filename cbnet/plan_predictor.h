#pragma once

#include <memory>
#include <optional>

#include "cbnet/compression.h"
#include "cbnet/predictor.h"
#include "runtime/plan.h"

namespace cbnet {

/// This is a model that the inference engine runs.
struct PlannedModel {
  PredictorInfo info;  // of the network as it was built, before folding
  runtime::Plan plan;
  /// This is of CBNet its autoencoder, where `Predictions::converted` is to be filled.
  std::optional<runtime::Plan> converter;
};

std::unique_ptr<Predictor> make_plan_predictor(PlannedModel model);

/// This is a model that `cbnet compile` wrote, and what it says of itself. Both functions throw InputError
/// for a missing, damaged or foreign file.
struct CompiledGraph {
  CompiledInfo info;
  runtime::Graph graph;
};
CompiledGraph load_compiled_graph(const std::filesystem::path& file);

struct CompiledModel {
  CompiledInfo info;
  std::unique_ptr<Predictor> predictor;
};
/// Throws InputError besides for a plan that is none of pictures: pixels of one or three channels in, and
/// classes or as many pixels out. `thresholds` are for its side exits, one for all or one each; empty: the
/// stored ones.
CompiledModel load_compiled(const std::filesystem::path& file, const std::vector<double>& thresholds = {});

}  // namespace cbnet
