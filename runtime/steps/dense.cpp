// Fully connected layers, for all images of a call at once.
#include <algorithm>
#include <limits>

#include "runtime/step.h"

namespace cbnet::runtime {
namespace {

QuantParams params_of(const Form& form) { return {form.scale, form.zero_point}; }

class DenseStep : public Step {
 public:
  DenseStep(DenseLayer layer, int from, const Form& from_form, int to, const Form& to_form)
      : layer_(std::move(layer)),
        from_u8_(from_form.type == Form::Type::u8),
        to_u8_(to_form.type == Form::Type::u8) {
    reads = {from};
    writes = to;
  }

  void run(const Frame& frame) const override {
    const void* x =
        from_u8_ ? static_cast<const void*>(frame.at<std::uint8_t>(reads[0])) : frame.at<float>(reads[0]);
    void* y = to_u8_ ? static_cast<void*>(frame.at<std::uint8_t>(writes)) : frame.at<float>(writes);
    std::uint8_t* const lost = to_u8_ ? frame.not_finite(writes) : nullptr;
    if (to_u8_) std::fill_n(lost, frame.n, std::uint8_t{0});
    layer_.run(x, frame.pitch(reads[0]), y, frame.pitch(writes), frame.n, frame.scratch, frame.backwards,
               lost);
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
  DenseLayer layer_;
  bool from_u8_, to_u8_;
};

class SoftmaxStep : public Step {
 public:
  SoftmaxStep(Isa isa, std::int64_t size, float factor, int from, int to)
      : isa_(isa), size_(size), factor_(factor) {
    reads = {from};
    writes = to;
  }

  void run(const Frame& frame) const override {
    softmax_rows(frame.at<float>(reads[0]), frame.pitch(reads[0]), frame.at<float>(writes),
                 frame.pitch(writes), frame.n, size_, factor_, isa_);
  }

 private:
  Isa isa_;
  std::int64_t size_;
  float factor_;
};

}  // namespace

StepPtr make_dense_step(Isa isa, const Node& linear, Activation activation, double slope, int from,
                        const Form& from_form, int to, const Form& to_form) {
  DenseSpec spec;
  spec.activation = activation;
  spec.slope = static_cast<float>(slope);
  spec.input_u8 = from_form.type == Form::Type::u8;
  spec.output_u8 = to_form.type == Form::Type::u8;
  spec.input = params_of(from_form);
  spec.output = params_of(to_form);
  return std::make_unique<DenseStep>(DenseLayer(linear.dense, spec, isa), from, from_form, to, to_form);
}

StepPtr make_softmax_step(Isa isa, std::int64_t size, int from, int to) {
  return std::make_unique<SoftmaxStep>(isa, size, 1.0F, from, to);
}

}  // namespace cbnet::runtime
