#pragma once

#include <string>

#include "bench/peers/model.h"

namespace onnx {
class GraphProto;
class ModelProto;
}  // namespace onnx

namespace cbnet::peers {

/// A graph for ONNX Runtime is written so.
struct GraphOptions {
  bool relu_first = false;  // before max-pools
  bool int8_dense = false;  // linear layers by DynamicQuantizeLinear and MatMulInteger
};

/// Returns the bytes of what `cbnet export` writes for a network of any layers, less what it makes of the
/// logits: `pixels` f32 (batch, C, H, W) -> `logits` f32 (batch, width).
std::string exported_graph(const PeerModel& model, std::int64_t batch);

/// Returns the bytes of an ONNX file: `pixels` f32 (batch, 1, 28, 28) -> `y` f32 (batch, width), and nothing
/// else. A side exit is an `If` on the entropy, and takes batch 1.
std::string onnx_graph(const PeerModel& model, std::int64_t batch, const GraphOptions& options);

/// Returns the same for a network of any layers, from the graph whose layers are folded. int8: every layer
/// between QuantizeLinear and DequantizeLinear, weights with a scale an output.
std::string network_graph(const PeerModel& model, std::int64_t batch, bool int8);

/// These are what the writers of graphs share: a model without nodes, its bytes once `batch` is set, and a
/// weight of any type, by its bytes.
onnx::ModelProto empty_model(const std::string& name);
std::string bytes_of(onnx::ModelProto& model, std::int64_t batch);
std::string raw_weight(onnx::GraphProto& graph, const std::string& name, int dtype, const Shape& shape,
                       const std::string& bytes);

}  // namespace cbnet::peers
