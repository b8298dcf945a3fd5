#include "bench/op_cases.h"

#include <algorithm>

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

/// The first input alone has a gradient.
OpCase by_first(OpCase out) {
  std::fill(out.needs_grad.begin() + 1, out.needs_grad.end(), false);
  return out;
}

}  // namespace

/// case_<name>() calls the op on `in`, which are the values that follow.
#define CASE(name, CALL, ...)                                          \
  OpCase case_##name() {                                               \
    return make({__VA_ARGS__}, [](const Inputs& in) { return CALL; }); \
  }

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

OpCase case_matmul() {
  return make(
      {values({kBatch, 256}), values({256, 128})}, [](const Inputs& in) { return matmul(in[0], in[1]); },
      kBatch * 256 * 128);
}

CASE(max_pool2d, max_pool2d(in[0], Pool2dOptions::square(2, 2, 0, 1, /*ceil_mode=*/true)), values(kPlanes))
CASE(avg_pool2d, avg_pool2d(in[0], Pool2dOptions::square(2, 2)), values(kPlanes))
CASE(softmax, softmax(in[0], -1), values(kLogits))
CASE(log_softmax, log_softmax(in[0], -1), values(kLogits))
CASE(softmax_entropy, softmax_entropy(in[0]), values(kLogits))
CASE(l1_penalty, l1_penalty(in[0], 1e-7), values({kBatch, 128}))
CASE(reshape, reshape(in[0], {kBatch, -1}), values(kPlanes))
CASE(transpose, transpose(in[0], 0, 1), values(kPixels))
CASE(concat, concat({in[0], in[1]}, 1), values(kPlanes), values(kPlanes))
CASE(sum, sum(in[0]), values(kPixels))
CASE(mean, mean(in[0]), values(kPixels))
CASE(max, max(in[0], -1), values(kLogits))

OpCase case_mse_loss() {
  return by_first(
      make({values(kPixels), values(kPixels)}, [](const Inputs& in) { return mse_loss(in[0], in[1]); }));
}

OpCase case_bce_loss() {
  return by_first(
      make({values(kPixels), values(kPixels)}, [](const Inputs& in) { return bce_loss(in[0], in[1]); }));
}

OpCase case_bce_with_logits() {
  return by_first(make({values(kPixels), values(kPixels)},
                       [](const Inputs& in) { return bce_with_logits(in[0], in[1]); }));
}

OpCase case_cross_entropy() {
  return make({values(kLogits)},
              [truth = labels()](const Inputs& in) { return cross_entropy(in[0], truth); });
}

OpCase case_index_select() {
  return make({values(kPixels)},
              [index = labels()](const Inputs& in) { return index_select(in[0], 0, index); });
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
