#include "bench/op_cases.h"

#include "autograd/ops/ops.h"

namespace cbnet::bench {

#define OP(name, Type) OpCase case_##name();
#include "autograd/ops/ops.def"
#undef OP

namespace {

using Inputs = std::vector<Variable>;

constexpr std::int64_t kBatch = 64;
constexpr std::int64_t kClasses = 10;
const Shape kPlanes = {kBatch, 10, 17, 17};  // what LeNet's second convolution makes
const Shape kPixels = {kBatch, 784};
const Shape kLogits = {kBatch, kClasses};

/// They are away from 0, so that logarithms, roots and quotients of them are ordinary numbers.
Tensor values(const Shape& shape) {
  Rng rng(1);
  return Tensor::uniform(shape, 0.1, 0.9, rng);
}

Tensor labels() {
  Rng rng(2);
  std::vector<std::int64_t> out(kBatch);
  for (std::int64_t& label : out) label = static_cast<std::int64_t>(rng.below(kClasses));
  return Tensor::from(out, {kBatch});
}

OpCase make(std::vector<Tensor> inputs, std::function<Variable(const Inputs&)> call, std::int64_t macs = 0) {
  std::vector<bool> needs_grad(inputs.size(), true);
  return {"", std::move(inputs), std::move(needs_grad), std::move(call), macs};
}

}  // namespace

OpCase case_linear() {
  return make(
      {values(kPixels), values({512, 784}), values({512})},
      [](const Inputs& in) { return linear(in[0], in[1], in[2]); }, kBatch * 784 * 512);
}

OpCase case_conv2d() {  // LeNet's second
  return make(
      {values({kBatch, 5, 15, 15}), values({10, 5, 5, 5}), values({10})},
      [](const Inputs& in) { return conv2d(in[0], in[1], in[2], Conv2dOptions::square(1, 3)); },
      kBatch * 361'250);
}

OpCase case_max_pool2d() {
  return make({values(kPlanes)}, [](const Inputs& in) {
    return max_pool2d(in[0], Pool2dOptions::square(2, 2, 0, 1, /*ceil_mode=*/true));
  });
}

OpCase case_avg_pool2d() {
  return make({values(kPlanes)},
              [](const Inputs& in) { return avg_pool2d(in[0], Pool2dOptions::square(2, 2)); });
}

OpCase case_softmax() {
  return make({values(kLogits)}, [](const Inputs& in) { return softmax(in[0], -1); });
}

OpCase case_log_softmax() {
  return make({values(kLogits)}, [](const Inputs& in) { return log_softmax(in[0], -1); });
}

OpCase case_cross_entropy() {
  return make({values(kLogits)},
              [truth = labels()](const Inputs& in) { return cross_entropy(in[0], truth); });
}

OpCase case_softmax_entropy() {
  return make({values(kLogits)}, [](const Inputs& in) { return softmax_entropy(in[0]); });
}

OpCase case_mse_loss() {
  OpCase out =
      make({values(kPixels), values(kPixels)}, [](const Inputs& in) { return mse_loss(in[0], in[1]); });
  out.needs_grad[1] = false;
  return out;
}

OpCase case_bce_loss() {
  OpCase out =
      make({values(kPixels), values(kPixels)}, [](const Inputs& in) { return bce_loss(in[0], in[1]); });
  out.needs_grad[1] = false;
  return out;
}

OpCase case_bce_with_logits() {
  OpCase out = make({values(kPixels), values(kPixels)},
                    [](const Inputs& in) { return bce_with_logits(in[0], in[1]); });
  out.needs_grad[1] = false;
  return out;
}

OpCase case_l1_penalty() {
  return make({values({kBatch, 128})}, [](const Inputs& in) { return l1_penalty(in[0], 1e-7); });
}

OpCase case_batch_norm() {
  return make({values(kPlanes), values({10}), values({10})}, [](const Inputs& in) {
    Tensor mean = Tensor::zeros({10}), var = Tensor::ones({10});
    return batch_norm(in[0], in[1], in[2], mean, var, {.training = true});
  });
}

OpCase case_dropout() {
  return make({values(kPixels)}, [](const Inputs& in) {
    Rng rng(3);
    return dropout(in[0], 0.5, true, rng);
  });
}

OpCase case_matmul() {
  return make(
      {values({kBatch, 256}), values({256, 128})}, [](const Inputs& in) { return matmul(in[0], in[1]); },
      kBatch * 256 * 128);
}

OpCase case_reshape() {
  return make({values(kPlanes)}, [](const Inputs& in) { return reshape(in[0], {kBatch, -1}); });
}

OpCase case_transpose() {
  return make({values(kPixels)}, [](const Inputs& in) { return transpose(in[0], 0, 1); });
}

OpCase case_concat() {
  return make({values(kPlanes), values(kPlanes)}, [](const Inputs& in) { return concat({in[0], in[1]}, 1); });
}

OpCase case_index_select() {
  return make({values(kPixels)},
              [index = labels()](const Inputs& in) { return index_select(in[0], 0, index); });
}

OpCase case_sum() {
  return make({values(kPixels)}, [](const Inputs& in) { return sum(in[0]); });
}

OpCase case_mean() {
  return make({values(kPixels)}, [](const Inputs& in) { return mean(in[0]); });
}

OpCase case_max() {
  return make({values(kLogits)}, [](const Inputs& in) { return max(in[0], -1); });
}

std::vector<OpCase> op_cases() {
  std::vector<OpCase> cases;
  const auto add_case = [&](const char* name, OpCase one) {
    one.name = name;
    cases.push_back(std::move(one));
  };
#define OP(name, Type) add_case(#name, case_##name());
#include "autograd/ops/ops.def"
#undef OP
#define UNARY(name, ...) \
  add_case(#name, make({values(kPixels)}, [](const Inputs& in) { return name(in[0]); }));
#define UNARY_PARAMETER(name, ...) \
  add_case(#name, make({values(kPixels)}, [](const Inputs& in) { return name(in[0], 0.5); }));
#define BINARY(name, ...) \
  add_case(#name,         \
           make({values(kPixels), values(kPixels)}, [](const Inputs& in) { return name(in[0], in[1]); }));
#include "tensor/pointwise.def"
  return cases;
}

}  // namespace cbnet::bench
