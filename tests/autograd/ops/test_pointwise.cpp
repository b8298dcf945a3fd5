#include "autograd/ops/pointwise.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {
namespace {

using Unary = Variable (*)(const Variable&);
using Binary = Variable (*)(const Variable&, const Variable&);
using MakeInput = Tensor (*)(const Shape&, std::uint64_t seed);

Tensor any(const Shape& shape, std::uint64_t seed) { return random(shape, seed); }
Tensor positive(const Shape& shape, std::uint64_t seed) { return random(shape, seed, 0.2, 2.0); }
Tensor off_zero(const Shape& shape, std::uint64_t seed) { return away_from_zero(shape, seed); }

std::vector<OpSample> unary_samples(const std::function<Variable(const Variable&)>& op, MakeInput make) {
  const auto call = [op](const std::vector<Variable>& in) { return op(in[0]); };
  return {
      {.name = "scalar", .inputs = {make({}, 1)}, .call = call},
      {.name = "one", .inputs = {make({1, 1}, 1)}, .call = call},
      {.name = "odd", .inputs = {make({7, 13}, 3)}, .call = call},
      {.name = "four axes", .inputs = {make({2, 3, 1, 5}, 4)}, .call = call},
      {.name = "empty", .inputs = {make({0, 3}, 5)}, .call = call, .expect_all_zero = true},
      {.name = "large", .inputs = {make({127, 1033}, 6)}, .call = call, .large = true},
  };
}

std::vector<OpSample> binary_samples(Binary op, MakeInput make_z) {
  const auto call = [op](const std::vector<Variable>& in) { return op(in[0], in[1]); };
  std::vector<OpSample> samples;
  const auto sample = [&](const char* name, const Shape& x, const Shape& z) {
    samples.push_back({.name = name, .inputs = {random(x, 1), make_z(z, 2)}, .call = call});
  };
  sample("scalars", {}, {});
  sample("one", {1}, {1});
  sample("odd", {7, 13}, {7, 13});
  sample("scalar z", {7, 13}, {});
  sample("scalar x", {}, {7, 13});
  sample("row", {7, 13}, {13});
  sample("column", {7, 13}, {7, 1});
  sample("both stretch", {3, 1, 5}, {2, 1});
  sample("channels", {2, 3, 2, 5}, {3, 1, 1});
  sample("empty", {0, 3}, {1, 3});
  samples.back().expect_all_zero = true;
  sample("large", {127, 1033}, {127, 1033});
  samples.back().large = true;
  sample("large row", {127, 1033}, {1033});
  samples.back().large = true;
  return samples;
}

}  // namespace

std::vector<OpSample> samples_relu() { return unary_samples(relu, off_zero); }
std::vector<OpSample> samples_sigmoid() { return unary_samples(sigmoid, any); }
std::vector<OpSample> samples_tanh() { return unary_samples(static_cast<Unary>(tanh), any); }
std::vector<OpSample> samples_exp() { return unary_samples(static_cast<Unary>(exp), any); }
std::vector<OpSample> samples_log() { return unary_samples(static_cast<Unary>(log), positive); }
std::vector<OpSample> samples_sqrt() { return unary_samples(static_cast<Unary>(sqrt), positive); }
std::vector<OpSample> samples_square() { return unary_samples(square, any); }
std::vector<OpSample> samples_abs() { return unary_samples(static_cast<Unary>(abs), off_zero); }
std::vector<OpSample> samples_neg() { return unary_samples(neg, any); }
std::vector<OpSample> samples_leaky_relu() {
  return unary_samples([](const Variable& x) { return leaky_relu(x, 0.1); }, off_zero);
}
std::vector<OpSample> samples_erf() { return unary_samples(static_cast<Unary>(erf), any); }
std::vector<OpSample> samples_pow() {
  return unary_samples([](const Variable& x) { return pow(x, -1.5); }, positive);
}
std::vector<OpSample> samples_clamp_min() {
  return unary_samples([](const Variable& x) { return clamp_min(x, 0.0); }, off_zero);
}
std::vector<OpSample> samples_clamp_max() {
  return unary_samples([](const Variable& x) { return clamp_max(neg(x), 0.0); }, off_zero);
}
std::vector<OpSample> samples_scale() {
  return unary_samples([](const Variable& x) { return scale(x, -2.5); }, any);
}
std::vector<OpSample> samples_shift() {
  return unary_samples([](const Variable& x) { return shift(x, 0.75); }, any);
}
std::vector<OpSample> samples_add() { return binary_samples(add, any); }
std::vector<OpSample> samples_sub() { return binary_samples(sub, any); }
std::vector<OpSample> samples_mul() { return binary_samples(mul, any); }
std::vector<OpSample> samples_div() { return binary_samples(static_cast<Binary>(div), off_zero); }

TEST_CASE("pointwise: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  const Variable z(random({2}, 1));
  CHECK_THROWS_WITH_AS(add(x, z), "[add] shapes must broadcast; got (2,3) and (2)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(x / z, "[div] shapes must broadcast; got (2,3) and (2)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(mul(x, Variable(Tensor::ones({2, 3}))),
                       "[mul] inputs must all be f32 or all f64; got f64 (2,3) and f32 (2,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(relu(Variable(Tensor::ones({2}, DType::i64))),
                       "[relu] inputs must all be f32 or all f64; got i64 (2) and i64 (2)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(relu(Variable()), "[relu] undefined input", std::invalid_argument);
}

namespace {

struct UnaryCase {
  const char* name;
  std::function<Variable(const Variable&)> op;
  double x, y, derivative;
};

const std::vector<UnaryCase>& unary_cases() {
  const auto leaky = [](const Variable& x) { return leaky_relu(x, 0.1); };
  const auto twice = [](const Variable& x) { return scale(x, 2.0); };
  const auto add3 = [](const Variable& x) { return shift(x, 3.0); };
  const Unary tanh1 = tanh;
  const Unary exp1 = exp;
  const Unary log1 = log;
  const Unary sqrt1 = sqrt;
  const Unary abs1 = abs;
  const Unary erf1 = erf;
  const auto square_root = [](const Variable& x) { return pow(x, 0.5); };
  const auto inverse = [](const Variable& x) { return pow(x, -1.0); };
  const auto at_least = [](const Variable& x) { return clamp_min(x, -1.0); };
  const auto at_most = [](const Variable& x) { return clamp_max(x, 6.0); };
  const double e = std::exp(1.0);
  const double half_logit = std::log(3.0);  // sigmoid(ln 3) = 3/4
  static const std::vector<UnaryCase> cases = {
      {"relu", relu, 2, 2, 1},
      {"relu", relu, -2, 0, 0},
      {"relu", relu, 0, 0, 0},
      {"relu", relu, kInfinity, kInfinity, 1},
      {"relu", relu, -kInfinity, 0, 0},
      {"relu", relu, kNan, kNan, 1},
      {"sigmoid", sigmoid, 0, 0.5, 0.25},
      {"sigmoid", sigmoid, half_logit, 0.75, 0.1875},
      {"sigmoid", sigmoid, kInfinity, 1, 0},
      {"sigmoid", sigmoid, -kInfinity, 0, 0},
      {"sigmoid", sigmoid, kNan, kNan, kNan},
      {"tanh", tanh1, 0, 0, 1},
      {"tanh", tanh1, std::log(2.0), 0.6, 0.64},
      {"tanh", tanh1, -kInfinity, -1, 0},
      {"tanh", tanh1, kNan, kNan, kNan},
      {"exp", exp1, 0, 1, 1},
      {"exp", exp1, 1, e, e},
      {"exp", exp1, -kInfinity, 0, 0},
      {"exp", exp1, 1000, kInfinity, kInfinity},
      {"exp", exp1, kNan, kNan, kNan},
      {"log", log1, 1, 0, 1},
      {"log", log1, e, 1, 1 / e},
      {"log", log1, 0, -kInfinity, kInfinity},
      {"log", log1, -1, kNan, -1},
      {"log", log1, kInfinity, kInfinity, 0},
      {"sqrt", sqrt1, 4, 2, 0.25},
      {"sqrt", sqrt1, 0, 0, kInfinity},
      {"sqrt", sqrt1, -1, kNan, kNan},
      {"sqrt", sqrt1, kInfinity, kInfinity, 0},
      {"square", square, -3, 9, -6},
      {"square", square, -kInfinity, kInfinity, -kInfinity},
      {"square", square, kNan, kNan, kNan},
      {"abs", abs1, -3, 3, -1},
      {"abs", abs1, 3, 3, 1},
      {"abs", abs1, 0, 0, 0},
      {"abs", abs1, -kInfinity, kInfinity, -1},
      {"abs", abs1, kNan, kNan, 0},
      {"neg", neg, 3, -3, -1},
      {"neg", neg, kInfinity, -kInfinity, -1},
      {"neg", neg, kNan, kNan, -1},
      {"erf", erf1, 0, 0, 2 / std::sqrt(std::acos(-1.0))},
      {"erf", erf1, 1, 0.8427007929497149, 2 / std::sqrt(std::acos(-1.0)) / e},
      {"erf", erf1, -kInfinity, -1, 0},
      {"erf", erf1, kNan, kNan, kNan},
      {"pow", square_root, 4, 2, 0.25},
      {"pow", square_root, -4, kNan, kNan},
      {"pow", inverse, -4, -0.25, -0.0625},
      {"pow", inverse, 0, kInfinity, -kInfinity},
      {"clamp_min", at_least, -2, -1, 0},
      {"clamp_min", at_least, -1, -1, 1},
      {"clamp_min", at_least, 3, 3, 1},
      {"clamp_min", at_least, kNan, kNan, 0},
      {"clamp_max", at_most, 7, 6, 0},
      {"clamp_max", at_most, 6, 6, 1},
      {"clamp_max", at_most, kInfinity, 6, 0},
      {"clamp_max", at_most, kNan, kNan, 0},
      {"leaky_relu", leaky, 3, 3, 1},
      {"leaky_relu", leaky, -3, -0.3, 0.1},
      {"leaky_relu", leaky, 0, 0, 0.1},
      {"leaky_relu", leaky, -kInfinity, -kInfinity, 0.1},
      {"leaky_relu", leaky, kNan, kNan, 0.1},
      {"scale", twice, -3, -6, 2},
      {"scale", twice, kInfinity, kInfinity, 2},
      {"scale", twice, kNan, kNan, 2},
      {"shift", add3, -3, 0, 1},
      {"shift", add3, -kInfinity, -kInfinity, 1},
      {"shift", add3, kNan, kNan, 1},
  };
  return cases;
}

struct BinaryCase {
  const char* name;
  Binary op;
  double x, z, y, by_x, by_z;
};

const std::vector<BinaryCase>& binary_cases() {
  const Binary div2 = div;
  static const std::vector<BinaryCase> cases = {
      {"add", add, 2, 5, 7, 1, 1},
      {"add", add, kInfinity, -kInfinity, kNan, 1, 1},
      {"sub", sub, 2, 5, -3, 1, -1},
      {"sub", sub, kInfinity, kInfinity, kNan, 1, -1},
      {"mul", mul, 2, 5, 10, 5, 2},
      {"mul", mul, kInfinity, 0, kNan, 0, kInfinity},
      {"mul", mul, kNan, 2, kNan, 2, kNan},
      {"div", div2, 2, 4, 0.5, 0.25, -0.125},
      {"div", div2, 1, 0, kInfinity, kInfinity, -kInfinity},
      {"div", div2, 0, 0, kNan, kInfinity, kNan},
      {"div", div2, 3, kInfinity, 0, 0, 0},
  };
  return cases;
}

void check_same(double value, double expected) {
  if (is_nan(expected)) {
    CHECK(is_nan(value));
  } else if (std::isinf(expected)) {
    CHECK(value == expected);
  } else {
    CHECK(value == doctest::Approx(expected).epsilon(1e-14));
  }
}

}  // namespace

TEST_CASE("pointwise: closed-form and special values of the unary ops") {
  for (const UnaryCase& c : unary_cases()) {
    CAPTURE(std::string(c.name));
    CAPTURE(c.x);
    const Variable x = leaf(values({c.x}, {1}));
    Variable y = c.op(x);
    y.backward();
    check_same(y.value().item(), c.y);
    check_same(x.grad().item(), c.derivative);
  }
}

TEST_CASE("pointwise: closed-form and special values of the binary ops") {
  for (const BinaryCase& c : binary_cases()) {
    CAPTURE(std::string(c.name));
    CAPTURE(c.x);
    CAPTURE(c.z);
    const Variable x = leaf(values({c.x}, {}));
    const Variable z = leaf(values({c.z}, {}));
    Variable y = c.op(x, z);
    y.backward();
    check_same(y.value().item(), c.y);
    check_same(x.grad().item(), c.by_x);
    check_same(z.grad().item(), c.by_z);
  }
}

TEST_CASE("pointwise: every line of the table has closed-form values") {
  std::vector<std::string> checked;
  for (const UnaryCase& c : unary_cases()) checked.emplace_back(c.name);
  for (const BinaryCase& c : binary_cases()) checked.emplace_back(c.name);
  const auto has = [&](const char* name) {
    return std::find(checked.begin(), checked.end(), name) != checked.end();
  };
#define UNARY(name, ...) CHECK_MESSAGE(has(#name), #name);
#define UNARY_PARAMETER(name, ...) CHECK_MESSAGE(has(#name), #name);
#define BINARY(name, ...) CHECK_MESSAGE(has(#name), #name);
#include "tensor/pointwise.def"
}

TEST_CASE("pointwise: broadcasting, and its gradient summed back") {
  const Variable x = leaf(values({1, 2, 3, 4, 5, 6}, {2, 3}));
  const Variable row = leaf(values({10, 20, 30}, {3}));
  const Variable column = leaf(values({1, 2}, {2, 1}));
  Variable y = x * row + column;
  CHECK(y.value().to_vector<double>() == std::vector<double>{11, 41, 91, 42, 102, 182});
  y.backward(values({1, 2, 3, 4, 5, 6}, {2, 3}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{10, 40, 90, 40, 100, 180});
  CHECK(row.grad().to_vector<double>() == std::vector<double>{17, 29, 45});
  CHECK(column.grad().to_vector<double>() == std::vector<double>{6, 15});
  CHECK(column.grad().shape() == Shape{2, 1});
}

TEST_CASE("pointwise: operators") {
  const Variable x(values({6}, {1}));
  const Variable z(values({3}, {1}));
  CHECK((x + z).value().item() == 9);
  CHECK((x - z).value().item() == 3);
  CHECK((x * z).value().item() == 18);
  CHECK((x / z).value().item() == 2);
  CHECK((-x).item() == -6);
}

TEST_CASE("pointwise: operators with numbers, on either side, and their gradients") {
  const auto check = [](Variable (*f)(const Variable&), double value, double gradient) {
    for (const DType dtype : {DType::f64, DType::f32}) {
      const Variable x(values({3}, {1}).to(dtype), true);
      Variable y = f(x);
      CHECK(y.dtype() == dtype);
      CHECK(y.item() == value);
      y.backward();
      CHECK(x.grad().item() == gradient);
    }
  };
  check([](const Variable& x) { return x + 1; }, 4, 1);
  check([](const Variable& x) { return 2.5 + x; }, 5.5, 1);
  check([](const Variable& x) { return x - 1; }, 2, 1);
  check([](const Variable& x) { return 1.0 - x; }, -2, -1);
  check([](const Variable& x) { return x * 0.5; }, 1.5, 0.5);
  check([](const Variable& x) { return 2.0 * x; }, 6, 2);
  check([](const Variable& x) { return x / 4; }, 0.75, 0.25);
  check([](const Variable& x) { return 6.75 / x; }, 2.25, -0.75);
  // Divided, not multiplied by the reciprocal, which is rounded.
  CHECK((Variable(values({5}, {1})) / 49).item() == 5.0 / 49);
  CHECK((Tensor::ones({2, 3}) / 2).shape() == Shape{2, 3});
}

TEST_CASE("pointwise: sum_to adds up what was stretched") {
  const Tensor dense = values({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(ops::sum_to(dense, {2, 3}).shares_storage(dense));
  CHECK(ops::sum_to(dense, {3}).to_vector<double>() == std::vector<double>{5, 7, 9});
  CHECK(ops::sum_to(dense, {2, 1}).to_vector<double>() == std::vector<double>{6, 15});
  CHECK(ops::sum_to(dense, {}).item() == 21);
  CHECK(ops::sum_to(dense.transpose(0, 1), {1, 2}).to_vector<double>() == std::vector<double>{6, 15});
  CHECK(ops::sum_to(Tensor::zeros({0, 3}, DType::f64), {1, 3}).to_vector<double>() ==
        std::vector<double>(3, 0.0));
}

TEST_CASE("pointwise: empty tensors") {
  const Variable nothing = leaf(Tensor::zeros({0, 3}, DType::f64));
  CHECK(relu(nothing).shape() == Shape{0, 3});
  CHECK((nothing + Variable(random({1, 3}, 1))).shape() == Shape{0, 3});
}

}  // namespace cbnet::testing
