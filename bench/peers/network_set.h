#pragma once

#include <string>
#include <vector>

#include "bench/peers/model.h"

// The engines are compared on any network, not the paper's alone: one of the standing set, one that cbnet has
// a name for, or one of a file.

namespace cbnet::peers {

/// Lists the standing set. At 1x28x28: "conv", "mobile", "resnet8", "resnet20" and "alexnet"; MLPerf Tiny's
/// keyword spotting "ds-cnn" and its person detection "mobilenet-0.25" (Banbury et al. 2021); at 3x32x32:
/// "cifar-resnet20" and "cifar-alexnet".
const std::vector<std::string>& network_set();

/// Makes the network that `given` names: one of the standing set, else of models/networks.def for 28x28 grey
/// images, else of a file .json, .onnx or .safetensors. Where no file brings weights they are random ones of
/// `seed`, and the statistics of batch normalisation those of noise. A softmax at the end is left out. Throws
/// InputError where there is neither name nor file, and for one with side exits.
PeerModel given_model(const std::string& given, std::uint64_t seed);

/// Makes f32 (n, input…) in (0, 1) without a zero: smooth shapes and some noise. Noise alone is the same
/// picture to a deep network again and again, whose answers would hang on rounding.
Tensor pictures(std::uint64_t seed, std::int64_t n, const Shape& input);

/// Makes the model that any network is to the engines: its layers as a graph.
PeerModel network_model(std::string name, NetworkSpec spec, StateDict weights);

/// Returns the graph with ReLUs moved back in front of the max-pools that folding moved them behind: engines
/// join a convolution with the ReLU that follows it.
runtime::Graph relu_before_pool(runtime::Graph graph);

}  // namespace cbnet::peers
