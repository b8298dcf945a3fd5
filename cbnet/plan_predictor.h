#pragma once

#include <memory>
#include <optional>

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

}  // namespace cbnet
