#pragma once

#include <optional>

#include "cbnet/predictor.h"
#include "runtime/graph.h"

namespace cbnet {

/// Makes a predictor of the network `graph` as one kernel on the GPU; `converter`, where there is one, makes
/// the converted images. Throws std::invalid_argument for a layer that the kernel does not compute, and where
/// there is no GPU.
std::unique_ptr<Predictor> make_device_predictor(
    PredictorInfo info, const runtime::Graph& graph,
    const std::optional<runtime::Graph>& converter = std::nullopt);

}  // namespace cbnet
