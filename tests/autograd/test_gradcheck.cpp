#include "autograd/gradcheck.h"

#include <doctest/doctest.h>

#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/sum.h"
#include "autograd/ops/transpose.h"
#include "tests/autograd/ops/samples.h"
#include "tests/support/throws.h"

// A checker that has never failed has proved nothing: most of these ops have a planted bug.

namespace cbnet::testing {
namespace {

using Inputs2 = std::vector<Variable>;

/// y = x^2 with the gradient that `Bug` makes of the right one.
template <class Bug>
struct Planted {
  static constexpr const char* kName = "planted";
  using Args = ops::NoArgs;
  static Shape infer(const Args&, std::span<const Shape> in) { return in[0]; }
  static Tensor forward(const Args&, Inputs in, Saved& saved) { return ops::Square::forward({}, in, saved); }
  static Gradients backward(const Args&, const Saved& saved, const Tensor& dy) {
    return {Bug::change(ops::Square::backward({}, saved, dy)[0])};
  }
};

template <class Bug>
GradcheckResult check_planted(const GradcheckOptions& options = {}) {
  const auto f = [](const Inputs2& in) { return apply<Planted<Bug>>({}, {in[0]}); };
  return gradcheck(f, {leaf(away_from_zero({2, 3}, 1))}, options);
}

struct None {
  static Tensor change(const Tensor& dx) { return dx; }
};
struct WrongSign {
  static Tensor change(Tensor dx) {
    dx.scale(-1.0);
    return dx;
  }
};
struct SlightlyOff {
  static Tensor change(Tensor dx) {
    dx.scale(1.0 + 1e-4);
    return dx;
  }
};
struct AllZero {
  static Tensor change(const Tensor& dx) { return Tensor::zeros(dx.shape(), dx.dtype()); }
};
struct NotANumber {
  static Tensor change(const Tensor& dx) {
    dx.view({-1}).select(0, 4).fill(kNan);
    return dx;
  }
};
struct OneElement {
  static Tensor change(const Tensor& dx) {
    Tensor element = dx.view({-1}).select(0, 4);
    element.fill(element.item() + 0.5);
    return dx;
  }
};
struct Missing {
  static Tensor change(const Tensor&) { return {}; }
};
struct WrongShape {
  static Tensor change(const Tensor& dx) { return dx.view({3, 2}); }
};

/// y = x W^T where W is square, so that its transpose fits as well; the bug hands back dW^T.
struct TransposedWeight {
  static constexpr const char* kName = "transposed_weight";
  using Args = ops::NoArgs;
  static Shape infer(const Args&, std::span<const Shape> in) { return {in[0][0], in[1][0]}; }
  static Tensor forward(const Args&, Inputs in, Saved& saved) {
    const Tensor operands[] = {in[0], in[1].transpose(0, 1)};
    return ops::Matmul::forward({}, operands, saved);
  }
  static Gradients backward(const Args&, const Saved& saved, const Tensor& dy) {
    return ops::Matmul::backward({}, saved, dy);
  }
};

/// y_j = x_index[j], picked twice; the bug writes where it should add.
struct ForgottenSum {
  static constexpr const char* kName = "forgotten_sum";
  using Args = ops::NoArgs;
  static Shape infer(const Args&, std::span<const Shape> in) { return {2 * in[0][0]}; }
  static Tensor forward(const Args&, Inputs in, Saved&) {
    Tensor y = Tensor::empty({2 * in[0].size(0)}, in[0].dtype());
    y.slice(0, 0, in[0].size(0)).copy_from(in[0]);
    y.slice(0, in[0].size(0), y.size(0)).copy_from(in[0]);
    return y;
  }
  static Gradients backward(const Args&, const Saved&, const Tensor& dy) {
    return {dy.slice(0, dy.size(0) / 2, dy.size(0))};
  }
};

/// y = x - mean x; the bug forgets that the mean moves with x.
struct MissingTerm {
  static constexpr const char* kName = "missing_term";
  using Args = ops::NoArgs;
  static Shape infer(const Args&, std::span<const Shape> in) { return in[0]; }
  static Tensor forward(const Args&, Inputs in, Saved&) {
    const Tensor mean = ops::sum_axes(in[0], {0}, true, 1.0 / static_cast<double>(in[0].numel()));
    const Tensor operands[] = {in[0], mean};
    Saved nothing;
    return ops::Sub::forward({}, operands, nothing);
  }
  static Gradients backward(const Args&, const Saved&, const Tensor& dy) { return {dy}; }
};

}  // namespace

TEST_CASE("gradcheck: wrong use throws") {
  CHECK_THROWS_WITH_AS(gradcheck([](const Inputs2& in) { return square(in[0]); }, {leaf(Tensor::ones({2}))}),
                       "[gradcheck] inputs must be f64; got f32 (2)", std::invalid_argument);
}

TEST_CASE("gradcheck: passes what is right") {
  const GradcheckResult result = check_planted<None>();
  CHECK(result.ok);
  CHECK(result.worst_error < 1e-9);
  // Products of several inputs, one of them used twice, one frozen.
  const auto f = [](const Inputs2& in) { return in[0] * in[1] + square(in[0]) * in[2]; };
  CHECK(gradcheck(f, {leaf(random({3}, 1)), leaf(random({3}, 2)), Variable(random({3}, 3))}).ok);
}

TEST_CASE("gradcheck: catches a wrong sign") {
  const GradcheckResult result = check_planted<WrongSign>();
  CHECK_FALSE(result.ok);
  CHECK(result.worst_error > 0.1);
}

TEST_CASE("gradcheck: catches an error of 1e-4") { CHECK_FALSE(check_planted<SlightlyOff>().ok); }

TEST_CASE("gradcheck: names the input, the element and both values at the worst place") {
  const GradcheckResult result = check_planted<OneElement>();
  CHECK_FALSE(result.ok);
  CHECK(result.message.find("input 0, element 4: analytic ") == 0);
  CHECK(result.message.find(", numeric ") != std::string::npos);
  CHECK(result.worst_error > 0.1);
}

TEST_CASE("gradcheck: catches NaN where it stands") {
  const GradcheckResult result = check_planted<NotANumber>();
  CHECK_FALSE(result.ok);
  CHECK(is_nan(result.worst_error));
  CHECK(result.message.find("input 0, element 4: analytic nan") == 0);
}

TEST_CASE("gradcheck: gradients that are all zero pass only when declared and right") {
  CHECK_FALSE(check_planted<AllZero>().ok);
  GradcheckOptions declared;
  declared.expect_all_zero = true;
  CHECK_FALSE(check_planted<AllZero>(declared).ok);

  const auto constant = [](const Inputs2& in) { return scale(in[0], 0.0); };
  const GradcheckResult undeclared = gradcheck(constant, {leaf(random({3}, 1))});
  CHECK_FALSE(undeclared.ok);
  CHECK(undeclared.message ==
        "every gradient is zero, which proves nothing; declare expect_all_zero if it should be");
  CHECK(gradcheck(constant, {leaf(random({3}, 1))}, declared).ok);
}

TEST_CASE("gradcheck: catches a gradient that never came") {
  const GradcheckResult result = check_planted<Missing>();
  CHECK_FALSE(result.ok);
  CHECK(result.message == "input 0 got no gradient");
  CHECK_THROWS_WITH_AS(check_planted<WrongShape>(),
                       "[backward] a gradient must look like its variable, f64 (2,3); got f64 (3,2)",
                       std::invalid_argument);
}

TEST_CASE("gradcheck: catches an output that depends on nothing") {
  const GradcheckResult result =
      gradcheck([](const Inputs2& in) { return square(in[0].detach()); }, {leaf(random({3}, 1))});
  CHECK_FALSE(result.ok);
  CHECK(result.message == "the output does not depend on any input that requires a gradient");
}

TEST_CASE("gradcheck: catches a transposed weight, a forgotten sum and a missing term") {
  const GradcheckResult transposed =
      gradcheck([](const Inputs2& in) { return apply<TransposedWeight>({}, in); },
                {leaf(random({2, 3}, 1)), leaf(random({3, 3}, 2))});
  CHECK_FALSE(transposed.ok);
  CHECK(transposed.message.find("input 1") == 0);
  CHECK_FALSE(
      gradcheck([](const Inputs2& in) { return apply<ForgottenSum>({}, in); }, {leaf(random({3}, 1))}).ok);
  CHECK_FALSE(
      gradcheck([](const Inputs2& in) { return apply<MissingTerm>({}, in); }, {leaf(random({3}, 1))}).ok);
}

TEST_CASE("gradcheck: leaves the caller's variables alone") {
  const Variable x = leaf(random({3}, 1));
  const std::vector<double> before = x.value().to_vector<double>();
  CHECK(gradcheck([](const Inputs2& in) { return square(in[0]); }, {x}).ok);
  CHECK_FALSE(x.grad().defined());
  CHECK(x.value().to_vector<double>() == before);
}

TEST_CASE("gradcheck: of a function that holds its variables, whose elements come back") {
  Variable x = leaf(random({3}, 1));
  Variable z = leaf(random({3}, 2));
  const std::vector<double> before = x.value().to_vector<double>();
  CHECK(gradcheck([&] { return x * square(z); }, {x, z}).ok);
  CHECK(x.value().to_vector<double>() == before);
  CHECK_FALSE(gradcheck([&] { return apply<Planted<WrongSign>>({}, {x}) + z; }, {x, z}).ok);
  Variable strided = leaf(strided_storage(random({2, 3}, 3)));
  CHECK_THROWS_SAYING(gradcheck([&] { return square(strided); }, {strided}), std::invalid_argument,
                      "must be f64 and contiguous");
}

TEST_CASE("gradcheck: reads views in row-major order") {
  const Variable x = leaf(strided_storage(random({2, 3}, 1)));
  const Variable z = leaf(transposed_storage(random({2, 3}, 2)));
  CHECK(gradcheck([](const Inputs2& in) { return in[0] * square(in[1]); }, {x, z}).ok);
}

}  // namespace cbnet::testing
