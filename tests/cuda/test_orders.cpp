// The kernels of the module give the same bits in whatever order the threads of a block take their turns.
#include <doctest/doctest.h>

#include "autograd/ops/avg_pool2d.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/bce_with_logits.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/log_softmax.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/max.h"
#include "autograd/ops/max_pool2d.h"
#include "autograd/ops/mean.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax_entropy.h"
#include "autograd/ops/sum.h"
#include "autograd/ops/transpose.h"
#include "tensor/cuda/launch.h"

using namespace cbnet;
using emulation::Order;

namespace {

Tensor random(const Shape& shape, std::uint64_t seed) {
  Rng rng(seed);
  return Tensor::normal(shape, 0.0, 1.0, rng).to(Device::cuda);
}

/// Outputs and gradients of ops of every kernel, on sizes with odd tails.
std::vector<float> everything() {
  const Variable image(random({3, 6, 11, 9}, 1), true), bias(random({5 * 2}, 3), true);
  const Variable grouped(random({10, 3, 3, 2}, 4), true), rows(random({37, 13}, 5), true);
  const Variable gamma(random({6}, 6), true), beta(random({6}, 7), true);
  const Tensor labels = Tensor::from(std::vector<std::int64_t>(37, 4), {37});
  const Conv2dOptions strided{2, 1, 1, 2, 1, 2, 2};
  const Tensor zero = Tensor::zeros({6}).to(Device::cuda), one = Tensor::ones({6}).to(Device::cuda);
  Variable loss = cross_entropy(rows, labels, 0.1);
  for (const Variable& part :
       {mean(square(conv2d(image, grouped, bias, strided))),
        mean(square(max_pool2d(image, Pool2dOptions::square(3, 2, 1)))),
        mean(square(avg_pool2d(image, Pool2dOptions::square(2, 1)))),
        mean(square(batch_norm(image, gamma, beta, zero, one, {.training = true}))),
        mean(log_softmax(rows, 1)), mean(softmax_entropy(rows)), mean(square(max(rows, 0))),
        mean(square(sum(image, {0, 2}))), mse_loss(rows, Variable(random({37, 13}, 8))),
        bce_with_logits(rows, Variable(Tensor::full({37, 13}, 0.25).to(Device::cuda))),
        mean(square(index_select(rows, 1, Tensor::from<std::int64_t>({3, 1, 3}, {3})))),
        mean(square(matmul(rows, transpose(rows, 0, 1))))}) {
    loss = loss + part;
  }
  loss.backward();
  std::vector<float> out = loss.value().to_vector<float>();
  for (const Variable& leaf : {image, grouped, bias, rows, gamma, beta}) {
    for (const float value : leaf.grad().to_vector<float>()) out.push_back(value);
  }
  return out;
}

std::vector<float> in_order(Order order, std::uint64_t seed = 0) {
  emulation::set_order(order, seed);
  std::vector<float> out = everything();
  emulation::set_order(Order::forwards);
  return out;
}

}  // namespace

TEST_CASE("every kernel gives the same bits forwards, backwards and shuffled") {
  const std::vector<float> forwards = in_order(Order::forwards);
  for (const float value : forwards) REQUIRE(value == value);
  CHECK(in_order(Order::backwards) == forwards);
  CHECK(in_order(Order::shuffled, 1) == forwards);
  CHECK(in_order(Order::shuffled, 99) == forwards);
}
