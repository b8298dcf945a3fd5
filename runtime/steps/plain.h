#pragma once

#include <functional>

#include "runtime/step.h"

// What steps without a kernel of their own are made of: a body that is called image by image.

namespace cbnet::runtime {

/// Makes one image of the output from one of every input.
using Body = std::function<void(const float* const* x, float* y, float* scratch)>;

class PlainStep : public Step {
 public:
  PlainStep(const std::vector<int>& from, int to, Body body, std::int64_t scratch_bytes)
      : Step(from, to), body_(std::move(body)) {
    // The pointers of a call stand before what the body needs: a plan is shared by threads.
    pointers_ = (static_cast<std::int64_t>(from.size() * sizeof(float*)) + 63) / 64 * 64;
    scratch_fixed_ = pointers_ + scratch_bytes;
  }

  void run(const Frame& frame) const override {
    auto* x = reinterpret_cast<const float**>(frame.scratch);
    for (std::int64_t i = 0; i < frame.n; ++i) {
      for (std::size_t k = 0; k < reads.size(); ++k) x[k] = frame.at<float>(reads[k], i);
      body_(x, frame.at<float>(writes, i), reinterpret_cast<float*>(frame.scratch + pointers_));
    }
  }

 private:
  Body body_;
  std::int64_t pointers_ = 0;
};

/// A plain step is made of this.
struct Making {
  Isa isa;
  const Graph& graph;
  const Node& node;
  const Shape& input;          // of the first value that it reads
  std::int64_t size;           // elements of one sample of what it makes
  std::int64_t& scratch_size;  // elements that the step needs
};

/// Returns the body for one sample of `node`, dense f32 in and out; of what goes number by number, for `size`
/// numbers.
Body plain_body(const Making& making);

}  // namespace cbnet::runtime
