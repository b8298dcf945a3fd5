#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "runtime/steps/channels.h"

// What the steps of kernels/channels_u8.h share.

namespace cbnet::runtime {

inline double scale_of(const Layout& layout) { return static_cast<double>(layout.scale); }

/// Brings a real number to the unit of `layout`, which is 1 where it holds f32.
inline double in_unit(double real, const Layout& layout) {
  return layout.is_bytes() ? real / scale_of(layout) + layout.zero_point : real;
}

/// Returns the bounds of a result in the unit of `target`.
inline std::pair<float, float> bounds(const ChannelsTail& tail, const Layout& target) {
  const auto low = static_cast<float>(in_unit(static_cast<double>(tail.low), target));
  const auto high = static_cast<float>(in_unit(static_cast<double>(tail.high), target));
  if (!target.is_bytes()) return {low, high};
  return {std::clamp(low, 0.0F, 255.0F), std::clamp(high, 0.0F, 255.0F)};
}

/// A step goes image by image and says what was not finite before it.
class ByteStep : public Step {
 public:
  ByteStep(const std::vector<Operand>& from, const Operand& to) : Step({}, to.buffer), target_(to.layout) {
    int8 = true;
    for (const Operand& operand : from) reads.push_back(operand.buffer);
  }

  void run(const Frame& frame) const final;

 protected:
  const std::uint8_t* in(const Frame& frame, std::size_t k, std::int64_t image) const {
    return frame.at<std::uint8_t>(reads[k], image);
  }
  virtual void run_image(const Frame& frame, std::int64_t image, void* out) const = 0;

  Layout target_;
};

/// Makes a step of a convolution.
StepPtr make_bytes_conv_step(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                             const std::vector<Operand>& from, const Operand& to);

}  // namespace cbnet::runtime
