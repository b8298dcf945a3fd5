#include "autograd/tape.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <thread>

#include "autograd/ops/concat.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reshape.h"
#include "autograd/ops/sum.h"
#include "autograd/ops/transpose.h"
#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

TEST_CASE("backward: wrong use throws") {
  Variable plain(random({1}, 1));
  CHECK_THROWS_WITH_AS(plain.backward(),
                       "[backward] this variable was not computed from anything that requires a gradient",
                       std::invalid_argument);
  Variable wide = square(leaf(random({2}, 1)));
  CHECK_THROWS_WITH_AS(wide.backward(), "[backward] only a scalar has an implicit seed; got f64 (2)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(wide.backward(random({3}, 1)),
                       "[backward] the seed must look like the variable, f64 (2); got f64 (3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(wide.backward(Tensor::ones({2})),
                       "[backward] the seed must look like the variable, f64 (2); got f32 (2)",
                       std::invalid_argument);
  CHECK_THROWS_AS(wide.backward(Tensor()), std::invalid_argument);
}

TEST_CASE("backward: a second walk through the same graph throws") {
  const Variable x = leaf(values({3}, {1}));
  Variable y = square(x);
  y.backward();
  CHECK_THROWS_WITH_AS(y.backward(), "[square] backward() ran through here before and freed what it needed",
                       std::invalid_argument);
  Variable z = relu(y);
  CHECK_THROWS_AS(z.backward(), std::invalid_argument);
  CHECK(x.grad().item() == 6);
}

TEST_CASE("backward: adds to the gradients of earlier walks until zero_grad") {
  Variable x = leaf(values({3}, {1}));
  for (int walk = 1; walk <= 3; ++walk) {
    Variable y = square(x);
    y.backward();
    CHECK(x.grad().item() == 6.0 * walk);
  }
  x.zero_grad();
  Variable y = square(x);
  y.backward();
  CHECK(x.grad().item() == 6);
}

TEST_CASE("backward: diamonds add up their branches") {
  const Variable x = leaf(values({3}, {1}));
  const Variable h = square(x);
  Variable y = h * x + h;  // x^3 + x^2
  y.backward();
  CHECK(x.grad().item() == 27 + 6);

  // One variable as both operands.
  const Variable z = leaf(values({5}, {1}));
  Variable squared = z * z;
  squared.backward();
  CHECK(z.grad().item() == 10);
}

TEST_CASE("backward: a lattice of diamonds is walked once per node, not once per path") {
  const Variable x = leaf(values({1}, {1}));
  Variable y = x;
  for (int i = 0; i < 60; ++i) y = y + y;
  y.backward();
  CHECK(x.grad().item() == std::ldexp(1.0, 60));
}

TEST_CASE("backward: intermediate variables keep no gradient, frozen leaves get none") {
  const Variable x = leaf(values({3}, {1}));
  const Variable frozen(values({2}, {1}));
  const Variable h = square(x);
  Variable y = h * frozen;
  y.backward();
  CHECK(x.grad().item() == 12);
  CHECK_FALSE(h.grad().defined());
  CHECK_FALSE(frozen.grad().defined());
}

TEST_CASE("backward: on a leaf the seed is the gradient") {
  Variable x = leaf(values({3}, {1}));
  x.backward();
  x.backward(values({4}, {1}));
  CHECK(x.grad().item() == 5);
}

TEST_CASE("backward: writing to a gradient reaches neither the seed nor another gradient") {
  const Tensor seed = values({1, 2, 3, 4}, {2, 2});
  Variable a = leaf(random({2, 2}, 1));
  Variable y = transpose(reshape(a, {2, 2}), {0, 1});
  y.backward(seed);
  a.mutable_grad().scale(10.0);
  CHECK(seed.to_vector<double>() == std::vector<double>{1, 2, 3, 4});

  // The gradient of sum is one element stretched over x.
  Variable b = leaf(random({2, 2}, 2));
  Variable total = sum(b);
  total.backward();
  b.mutable_grad().scale(3.0);
  CHECK(b.grad().to_vector<double>() == std::vector<double>{3, 3, 3, 3});

  Variable c = leaf(random({2}, 3));
  Variable d = leaf(random({2}, 4));
  Variable joined = concat({c, d}, 0);
  joined.backward(values({1, 2, 3, 4}, {4}));
  c.mutable_grad().scale(10.0);
  CHECK(d.grad().to_vector<double>() == std::vector<double>{3, 4});
}

TEST_CASE("backward: frees the graph it walked") {
  const Variable x = leaf(values({3}, {1}));
  Variable y = exp(square(x));
  CHECK(y.node()->inputs.size() == 1);
  y.backward();
  CHECK(y.node()->released);
  CHECK(y.node()->inputs.empty());
}

TEST_CASE("no_grad: nothing is recorded while one lives") {
  const Variable x = leaf(values({3}, {1}));
  CHECK(grad_enabled());
  {
    const NoGrad outer;
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE(square(x).requires_grad());
    CHECK(square(x).node() == nullptr);
    {
      const NoGrad inner;
      CHECK_FALSE(grad_enabled());
    }
    CHECK_FALSE(grad_enabled());
    bool other_thread = false;
    std::thread([&] { other_thread = grad_enabled(); }).join();
    CHECK(other_thread);
  }
  CHECK(grad_enabled());
  CHECK(square(x).requires_grad());
}

TEST_CASE("no_grad: backward itself records nothing and restores the mode, also when it throws") {
  const Variable x = leaf(values({3}, {1}));
  Variable y = square(x);
  y.backward();
  CHECK(grad_enabled());
  CHECK_THROWS(y.backward());
  CHECK(grad_enabled());
}

TEST_CASE("nodes are numbered as they are made") {
  const Variable x = leaf(values({3}, {1}));
  const Variable a = square(x);
  const Variable b = square(a);
  CHECK(a.node()->sequence < b.node()->sequence);
  CHECK(std::string(b.node()->op) == "square");
  CHECK(b.node()->inputs[0].same(a));
}

// Deep enough that a destructor which calls the next one overflows a stack of 8 MiB.
constexpr int kDeep = 200'000;

TEST_CASE("a chain of 200,000 ops is freed without recursion") {
  const Variable x = leaf(values({1}, {1}));
  {
    Variable y = x;
    for (int i = 0; i < kDeep; ++i) y = neg(y);
  }
  {
    Variable y = x;
    for (int i = 0; i < kDeep; ++i) y = y + neg(y);  // residual: every variable has two users
  }
  {
    Variable y = x;
    for (int i = 0; i < kDeep; ++i) y = y * y;  // both inputs are one variable
  }
}

TEST_CASE("a chain of 200,000 ops is walked and freed without recursion") {
  const Variable x = leaf(values({1}, {1}));
  Variable y = x;
  for (int i = 0; i < kDeep; ++i) y = neg(y);
  y.backward();
  CHECK(x.grad().item() == 1);
}

namespace {

/// y = f(x), then `write`, then backward: the message, or "" when it ran.
std::string after_write(Variable y, const std::function<void()>& write) {
  write();
  try {
    y.backward(Tensor::ones(y.shape(), y.dtype()));
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("backward: what a forward saw and was written to since is refused, by the op's name") {
  const Tensor elements = random({4}, 1);
  const auto fresh = [&] { return leaf(elements.clone()); };
  const std::vector<std::function<void(Tensor&)>> writes = {
      [](Tensor& t) { t.fill(2); },
      [](Tensor& t) { t.scale(2); },
      [](Tensor& t) { t.add_scaled(Tensor::ones({4}, DType::f64)); },
      [](Tensor& t) { t.copy_from(Tensor::ones({4}, DType::f64)); },
      [](Tensor& t) { static_cast<void>(is_host_readable(t.device()) ? t.data<double>() : t.address()); },
      [](Tensor& t) { t.slice(0, 1, 2).fill(3); },
      [](Tensor& t) {
        t.view({2, 2}).fill(3);
      }};
  for (const auto& write : writes) {
    Variable x = fresh(), z = fresh();
    CHECK(
        after_write(x * z, [&] { write(x.mutable_value()); }) ==
        "[mul] backward() needs what the forward saw, but its input 0, f64 (4), was written to since; hint: "
        "call backward() before the optimizer's step or whatever writes, run the forward again after it, or "
        "write to a clone(); a data() pointer of a tensor that is not const counts as a write");
    CHECK_FALSE(x.grad().defined());
    CHECK_FALSE(z.grad().defined());
    // Through a tensor that was taken out before, and through the output.
    Variable w = fresh();
    Tensor shared = w.detach().value();
    CHECK(after_write(square(w), [&] { write(shared); }).find("[square]") == 0);
    Variable y = exp(fresh());
    Tensor made = y.value();
    CHECK(after_write(y, [&] { write(made); }).find("its output") != std::string::npos);
  }
}

TEST_CASE("backward: writing what no gradient reads, or reading, is no reason to refuse") {
  Variable x = leaf(random({4}, 1)), z = leaf(random({4}, 2));
  CHECK(after_write(x + z, [&] { x.mutable_value().fill(1); }).empty());
  CHECK(after_write(x - z, [&] { z.mutable_value().fill(1); }).empty());
  CHECK(after_write(scale(x, 2), [&] { x.mutable_value().fill(1); }).empty());
  CHECK(after_write(shift(x, 2), [&] { x.mutable_value().fill(1); }).empty());
  CHECK(after_write(neg(x), [&] { x.mutable_value().fill(1); }).empty());
  // A factor is read for the other's gradient alone.
  Variable constant(random({4}, 3));
  CHECK(after_write(x * constant, [&] { x.mutable_value().fill(1); }).empty());
  CHECK(after_write(x / constant, [&] { x.mutable_value().fill(1); }).empty());
  CHECK(after_write(x * constant, [&] { constant.mutable_value().fill(1); }).find("its input 1") !=
        std::string::npos);
  Variable kept = leaf(random({4}, 1));
  CHECK(after_write(sum(kept), [&] { kept.mutable_value().fill(1); }).empty());
  Variable read = leaf(random({4}, 1));
  CHECK(after_write(square(read), [&] {
          static_cast<void>(read.value().address());
          static_cast<void>(read.value().to_vector<float>());
          static_cast<void>(read.mutable_value().to(DType::f32));
        }).empty());
  // Written before the forward, and between two forwards.
  Variable twice = leaf(random({4}, 1));
  twice.mutable_value().fill(3);
  Variable first = sum(square(twice));
  first.backward();
  twice.mutable_value().fill(4);
  twice.zero_grad();
  Variable second = sum(square(twice));
  second.backward();
  CHECK(twice.grad().at({0}) == 8);
}

}  // namespace cbnet::testing
