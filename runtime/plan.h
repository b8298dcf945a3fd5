#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "tensor/cpu/isa.h"

// The inference engine runs a network as a straight list of kernel calls over one arena whose every byte is
// planned beforehand. A plan is immutable and shared; each caller brings a workspace of its own. After a
// first call of a size, calls of at most that size allocate nothing.

namespace cbnet::runtime {

class Plan;

/// A plan says this of N images. The spans lie in the workspace and hold until its next use.
struct Results {
  /// (N); empty where the network does not classify. -1: the logits are not finite, so that there is no
  /// answer, and the probabilities are NaN.
  std::span<const std::int64_t> labels;
  std::span<const float> probabilities;  // (N, classes), of the exit that each image took
  std::span<const float> entropy;        // (N), nats, of the first exit's probabilities
  std::span<const std::int32_t> exit;    // (N): 0 is the first exit
  std::span<const float> output;  // (N, …): what the last layer makes where the network does not classify
};

/// This is one step of a plan, for tables.
struct StepInfo {
  std::string name;                   // of the layers it stands for
  std::int64_t macs = 0;              // of one image, padding zeros included
  std::int64_t weight_bytes = 0;      // in their precision, without those that a mask leaves out
  std::int64_t activation_bytes = 0;  // of one image: what is read and what is written, borders left out
  bool winograd = false;              // with fewer multiplications than `macs` says
  bool int8 = false;                  // works on bytes
};

/// A workspace is memory for the calls of one caller. It is not to be used by two threads at once. Where a
/// call has thrown std::bad_alloc it may be used again. One that was moved from throws std::invalid_argument.
class Workspace {
 public:
  explicit Workspace(const Plan& plan);
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;

 private:
  friend class Plan;
  struct Impl;
  Impl& impl() const;
  std::unique_ptr<Impl> impl_;
};

/// A plan that was moved from throws std::invalid_argument, whatever is asked of it.
class Plan {
 public:
  /// Folds the graph and packs its weights for `isa`. Throws std::invalid_argument for a graph that check()
  /// refuses and for an ISA that is not available.
  explicit Plan(const Graph& graph, Isa isa = active_isa());
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  /// Takes n >= 1 images, one after the other: bytes 0 to 255, or f32 in which 1 is what 255 is as a byte.
  /// Batches are split over num_threads(), which changes no bit; one image stays in the calling thread. In a
  /// batch only the images that did not leave at an exit go on. Numbers below 1.2e-38 count as zeros, which
  /// takes the time of zeros. Throws std::invalid_argument for n < 1 or more than memory can hold, for pixels
  /// that are null or, as f32, not finite, and for a workspace of another plan.
  Results run(const std::uint8_t* pixels, std::int64_t n, Workspace& workspace) const;
  Results run(const float* pixels, std::int64_t n, Workspace& workspace) const;

  /// Returns the folded graph that the plan runs.
  const Graph& graph() const;
  Isa isa() const;
  /// Lists the steps in the order in which they run.
  std::vector<StepInfo> steps() const;
  /// Runs step `i` alone on n images, on whatever the workspace holds: what a roofline is drawn from. n is at
  /// most tile_images(); the caller has run the plan on n images before.
  void run_step(std::size_t i, std::int64_t n, Workspace& workspace) const;
  /// Writes ones, or bytes of 255, for step `i` to read, so that run_step meets no zero that could be left
  /// out; what lies in planes or with channels side by side stays as it is: no step there leaves zeros out.
  void fill_step(std::size_t i, std::int64_t n, Workspace& workspace) const;
  /// Returns how many images go through the steps together.
  std::int64_t tile_images() const;
  /// Returns the bytes of a workspace's arena for one thread.
  std::size_t arena_bytes() const;
  /// Returns the bytes of all weights as they are stored.
  std::int64_t weight_bytes() const;
  /// Counts the multiply-adds of an image that leaves at exit 0, 1, …, of the folded network.
  std::vector<std::int64_t> macs_by_exit() const;

 private:
  friend class Workspace;
  struct Impl;
  const Impl& impl() const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cbnet::runtime
