// This file runs linear layers, for all images of a call at once.
#include <algorithm>
#include <limits>

#include "runtime/step.h"

namespace cbnet::runtime {
namespace {

QuantParams params_of(const Layout& layout) { return {layout.scale, layout.zero_point}; }

class LinearStep : public Step {
 public:
  LinearStep(LinearLayer layer, const Operand& from, const Operand& to)
      : Step({from.buffer}, to.buffer),
        layer_(std::move(layer)),
        from_u8_(from.is_bytes()),
        to_u8_(to.is_bytes()) {
    shares_weights = true;
  }

  void run(const Frame& frame) const override {
    const void* x =
        from_u8_ ? static_cast<const void*>(frame.at<std::uint8_t>(reads[0])) : frame.at<float>(reads[0]);
    void* y = to_u8_ ? static_cast<void*>(frame.at<std::uint8_t>(writes)) : frame.at<float>(writes);
    std::uint8_t* const lost = to_u8_ ? frame.not_finite(writes) : nullptr;
    if (to_u8_) std::fill_n(lost, frame.n, std::uint8_t{0});
    layer_.run(
        {x, frame.pitch(reads[0]), y, frame.pitch(writes), frame.n, frame.scratch, frame.backwards, lost});
    if (from_u8_) pass_on(frame, lost);
  }

  /// What was not finite before the layer is not finite behind it.
  void pass_on(const Frame& frame, std::uint8_t* lost) const {
    const std::uint8_t* const before = frame.not_finite(reads[0]);
    for (std::int64_t i = 0; i < frame.n; ++i) {
      if (before[i] == 0) continue;
      if (to_u8_) {
        lost[i] = 1;
      } else {
        std::fill_n(frame.at<float>(writes, i), layer_.out(), std::numeric_limits<float>::quiet_NaN());
      }
    }
  }

  std::int64_t scratch_bytes(std::int64_t images) const override {
    return static_cast<std::int64_t>(layer_.scratch_bytes(images));
  }

 private:
  LinearLayer layer_;
  bool from_u8_, to_u8_;
};

class SoftmaxStep : public Step {
 public:
  SoftmaxStep(Isa isa, std::int64_t size, int from, int to) : Step({from}, to), isa_(isa), size_(size) {}

  void run(const Frame& frame) const override {
    softmax_rows({frame.at<float>(reads[0]), frame.pitch(reads[0]), frame.at<float>(writes),
                  frame.pitch(writes), frame.n, size_},
                 isa_);
  }

 private:
  Isa isa_;
  std::int64_t size_;
};

}  // namespace

StepPtr make_linear_step(Isa isa, const Node& linear, const Node* then, const Operand& from,
                         const Operand& to) {
  LinearSpec spec;
  if (then != nullptr) {
    spec.activation = then->kind == Kind::relu      ? Activation::relu
                      : then->kind == Kind::sigmoid ? Activation::sigmoid
                      : then->kind == Kind::tanh    ? Activation::tanh
                                                    : Activation::leaky_relu;
    spec.slope = static_cast<float>(then->value);
  }
  spec.input_u8 = from.is_bytes();
  spec.output_u8 = to.is_bytes();
  spec.input = params_of(from.layout);
  spec.output = params_of(to.layout);
  return std::make_unique<LinearStep>(LinearLayer(linear.dense, spec, isa), from, to);
}

StepPtr make_softmax_step(Isa isa, std::int64_t size, int from, int to) {
  return std::make_unique<SoftmaxStep>(isa, size, from, to);
}

}  // namespace cbnet::runtime
