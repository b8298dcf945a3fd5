#pragma once

#include <functional>
#include <string>

#include "runtime/graph.h"

// A folded graph of f32 becomes one of fewer bits.

namespace cbnet::runtime {

struct ReduceOptions {
  Precision precision = Precision::int8;  // or bf16
  /// Linear layers of fewer weights stay f32, unless there are no others.
  std::int64_t min_weights = 0;
  /// Says for int8 what the bytes of value v of a graph are to stand for: quantize.h's calibrate() of what it
  /// is on sample images. Is asked of values that are not the pixels themselves.
  std::function<QuantParams(const Graph& graph, std::int32_t v)> range;
  /// Is told of every layer with weights what becomes of it, as a line of text; may be empty.
  std::function<void(const std::string&)> say = {};
};

/// Brings the weights of linear layers to `precision` and, for int8, those of the convolutions that a plan
/// computes faster on bytes on this machine; what such layers hand to each other gets a Node::range.
void reduce(Graph& graph, const ReduceOptions& options);

/// Returns the part of a graph that makes value v, for `range` to run.
Graph up_to(const Graph& graph, std::int32_t v);

}  // namespace cbnet::runtime
