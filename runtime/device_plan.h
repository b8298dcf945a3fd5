#pragma once

#include <memory>

#include "runtime/graph.h"
#include "tensor/cuda/network.h"

// A GPU runs a folded graph as one kernel, tensor/cuda/network.h.

namespace cbnet::runtime {

/// Returns the program of a folded graph. Throws std::invalid_argument, naming the node, for what the
/// device's kernel does not compute: weights that are not f32, transposes, products of two values, constants
/// that are added, slices.
cuda::NetProgram device_program(const Graph& graph);

/// Tells whether there is a program of the graph, folded.
bool device_computes(const Graph& graph);

/// This is a network on the device; the plan's counterpart there. It is for one thread at a time.
class DevicePlan {
 public:
  /// Folds the graph. Throws as device_program(), and where this build or machine has no CUDA.
  explicit DevicePlan(const Graph& graph);

  /// Takes n >= 1 images of bytes from the host's memory, answers in the host's memory: one by `launch`,
  /// several a block each. The reference is good until the next call.
  const cuda::NetAnswers& run(const std::uint8_t* pixels, std::int64_t n,
                              cuda::NetLaunch launch = cuda::NetLaunch::graph);

  const Graph& graph() const { return graph_; }
  cuda::NetEngine& engine() { return *engine_; }

 private:
  Graph graph_;
  std::unique_ptr<cuda::NetEngine> engine_;
  cuda::NetAnswers answers_;
};

}  // namespace cbnet::runtime
