#include "autograd/op.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/bce_loss.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/sum.h"
#include "tensor/parallel.h"
#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {
namespace {

/// round(x): its derivative is 0 wherever it exists.
struct Round {
  static constexpr const char* kName = "round";
  static constexpr const char* kNonDifferentiable = "the derivative is 0 almost everywhere";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape> in) { return in[0]; }
  static Tensor forward(const Args&, Inputs in, Saved&) {
    std::vector<double> y = in[0].to_vector<double>();
    for (double& value : y) value = std::round(value);
    return Tensor::from(y, in[0].shape());
  }
};

/// Neither a backward nor a reason to have none.
struct Undecided {
  static constexpr const char* kName = "undecided";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape> in) { return in[0]; }
  static Tensor forward(const Args&, Inputs in, Saved&) { return in[0]; }
};

/// Both at once.
struct Torn : Undecided {
  static constexpr const char* kNonDifferentiable = "none";
  static Gradients backward(const Args&, const Saved&, const Tensor& dy) { return {dy}; }
};

struct WithBackward : Undecided {
  static constexpr const char* kName = "with_backward";
  static Gradients backward(const Args&, const Saved&, const Tensor& dy) { return {dy}; }
};

/// A backward that adds into somebody's tensor instead of returning gradients.
struct Accumulating : Undecided {
  static void backward(const Args&, const Saved&, const Tensor&) {}
};

struct NoShapeRule {
  static constexpr const char* kName = "no_shape_rule";
  struct Args {};
  static Tensor forward(const Args&, Inputs in, Saved&) { return in[0]; }
  static Gradients backward(const Args&, const Saved&, const Tensor& dy) { return {dy}; }
};

static_assert(OpType<Round> && NonDifferentiable<Round> && !Differentiable<Round>);
static_assert(OpType<WithBackward>);
static_assert(!OpType<Undecided>);
static_assert(!OpType<Torn>);
static_assert(!OpType<Accumulating>);
static_assert(!OpType<NoShapeRule>);
static_assert(OpType<ops::Relu> && OpType<ops::Scale> && OpType<ops::Add>);

/// Breaks its own shape rule.
struct Liar {
  static constexpr const char* kName = "liar";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape>) { return {7}; }
  static Tensor forward(const Args&, Inputs in, Saved&) { return in[0]; }
  static Gradients backward(const Args&, const Saved&, const Tensor& dy) { return {dy}; }
};

struct TooFewGradients {
  static constexpr const char* kName = "too_few";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape> in) { return in[0]; }
  static Tensor forward(const Args&, Inputs in, Saved&) { return in[0].clone(); }
  static Gradients backward(const Args&, const Saved&, const Tensor& dy) { return {dy}; }
};

/// Shows what apply() hands to an op.
struct Spy {
  static constexpr const char* kName = "spy";
  struct Args {
    std::vector<bool>* needs_grad;
  };
  static Shape infer(const Args&, std::span<const Shape> in) { return in[0]; }
  static Tensor forward(const Args& args, Inputs in, Saved& saved) {
    *args.needs_grad = saved.needs_grad;
    saved.keep({in[0]});
    return in[0].clone();
  }
  static Gradients backward(const Args&, const Saved& saved, const Tensor& dy) {
    Gradients gradients(saved.needs_grad.size());
    if (saved.needs_grad[0]) gradients[0] = dy;
    return gradients;
  }
};

}  // namespace

TEST_CASE("apply: wrong use throws with the op's name") {
  CHECK_THROWS_WITH_AS(apply<Round>({}, {Variable()}), "[round] undefined input", std::invalid_argument);
  CHECK_THROWS_WITH_AS(apply<Round>({}, {Variable(Tensor::zeros({2}, DType::u8))}),
                       "[round] inputs must all be f32 or all f64; got u8 (2) and u8 (2)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(apply<Liar>({}, {Variable(random({2}, 1))}),
                       "[liar] shape rule promised (7); forward made f64 (2)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(apply<Liar>({}, {leaf(random({2}, 1))}),
                       "[liar] shape rule promised (7); forward made f64 (2)", std::invalid_argument);
  Variable y = apply<TooFewGradients>({}, {leaf(random({1}, 1)), leaf(random({1}, 1))});
  CHECK_THROWS_WITH_AS(y.backward(), "[too_few] backward must return one gradient per input",
                       std::invalid_argument);
}

TEST_CASE("apply: an op without a derivative ends the history") {
  const Variable x = leaf(values({1.4, -2.6}, {2}));
  const Variable y = apply<Round>({}, {x});
  CHECK(y.value().to_vector<double>() == std::vector<double>{1, -3});
  CHECK_FALSE(y.requires_grad());
  CHECK(y.node() == nullptr);
  // Straight-through rounding: the rounding is a constant to the gradient.
  Variable through = x + apply<Round>({}, {x - x.detach()});
  through.backward(values({1, 2}, {2}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 2});
}

TEST_CASE("apply: tells the op which gradients are wanted") {
  std::vector<bool> needs_grad;
  const Variable wanted = leaf(values({1}, {1}));
  const Variable frozen(values({2}, {1}));
  Variable y = apply<Spy>({&needs_grad}, {wanted, frozen});
  CHECK(needs_grad == std::vector<bool>{true, false});
  y.backward();
  CHECK(wanted.grad().item() == 1);
  CHECK_FALSE(frozen.grad().defined());
  apply<Spy>({&needs_grad}, {frozen, wanted});
  CHECK(needs_grad == std::vector<bool>{false, true});
  const NoGrad no_grad;
  apply<Spy>({&needs_grad}, {wanted, wanted});
  CHECK(needs_grad == std::vector<bool>{false, false});
}

TEST_CASE("saved: keep replaces what was kept") {
  Saved saved;
  saved.keep({random({2}, 1), random({3}, 1)});
  CHECK(saved.tensors.size() == 2);
  saved.keep({random({4}, 1)});
  REQUIRE(saved.tensors.size() == 1);
  CHECK(saved.tensors[0].shape() == Shape{4});
}

namespace {

constexpr double kSmallestNormal = 1.17549435082228750797e-38;

std::int64_t subnormals_in(const Tensor& tensor) {
  std::int64_t count = 0;
  for (const float value : tensor.to_vector<float>()) count += std::fpclassify(value) == FP_SUBNORMAL ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE(
    "op: forward and backward make no subnormals, in any number of threads, and leave the mode as it was") {
  // Halves and quarters of the smallest normal number, all through.
  const auto tiny = [](const Shape& shape, std::uint64_t seed) {
    return Variable(random(shape, seed, 0.2, 0.9).to(DType::f32), true);
  };
  const auto scaled = [](const Variable& x) { return scale(x, kSmallestNormal); };
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    std::vector<Variable> leaves = {tiny({64, 32}, 1), tiny({48, 32}, 2), tiny({64, 48}, 3),
                                    tiny({64, 32}, 4)};
    const std::vector<Variable> results = {
        scaled(leaves[0]), scaled(leaves[0]) * leaves[3], linear(leaves[0], scaled(leaves[1]), Variable()),
        sigmoid(scale(leaves[0], -2e2)), softmax(scale(leaves[0], 2e2), 1)};
    for (const Variable& result : results) CHECK(subnormals_in(result.value()) == 0);
    Variable loss = sum(linear(leaves[0], leaves[1], Variable()) * leaves[2]) + sum(leaves[3] * leaves[0]);
    loss.backward(Tensor::full({}, kSmallestNormal));
    for (const Variable& leaf : leaves) {
      CHECK(leaf.grad().defined());
      CHECK(subnormals_in(leaf.grad()) == 0);
    }
    CHECK_THROWS_AS(linear(leaves[0], leaves[2], Variable()), std::invalid_argument);
    volatile float smallest = static_cast<float>(kSmallestNormal);
    CHECK(smallest * 0.5F > 0.0F);
  }
  set_num_threads(before);
}

TEST_CASE("op: a small number with a large result is not taken for zero") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double x = dtype == DType::f32 ? 1e-40 : 1e-310;
    const double digits = dtype == DType::f32 ? 1e-4 : 1e-9;
    const Variable v(Tensor::full({1}, x, dtype)), one(Tensor::full({1}, 1.0, dtype));
    CHECK(log(v).value().item() == doctest::Approx(std::log(x)).epsilon(digits));
    CHECK(sqrt(v).value().item() / std::sqrt(x) == doctest::Approx(1.0).epsilon(digits));
    CHECK((v / v).value().item() == 1.0);
    if (dtype == DType::f32) {  // in f64 the logarithm is cut
      CHECK(bce_loss(v, one).value().item() == doctest::Approx(-std::log(x)).epsilon(digits));
    }
  }
}

}  // namespace cbnet::testing
