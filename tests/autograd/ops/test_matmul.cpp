#include "autograd/ops/matmul.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_matmul() {
  const auto call = [](const std::vector<Variable>& in) { return matmul(in[0], in[1]); };
  return {
      {.name = "one", .inputs = {random({1, 1}, 1), random({1, 1}, 2)}, .call = call},
      {.name = "odd", .inputs = {random({7, 13}, 3), random({13, 5}, 4)}, .call = call},
      {.name = "batch", .inputs = {random({3, 2, 7}, 5), random({3, 7, 5}, 6)}, .call = call},
      {.name = "shared b", .inputs = {random({3, 2, 7}, 7), random({7, 5}, 8)}, .call = call},
      {.name = "batch of one", .inputs = {random({1, 2, 3}, 9), random({1, 3, 1}, 10)}, .call = call},
      {.name = "no columns",
       .inputs = {random({2, 0}, 11), random({0, 3}, 12)},
       .call = call,
       .expect_all_zero = true},
      {.name = "no batch",
       .inputs = {random({0, 2, 3}, 13), random({3, 2}, 14)},
       .call = call,
       .expect_all_zero = true},
      {.name = "large",
       .inputs = {random({65, 129}, 15), random({129, 67}, 16)},
       .call = call,
       .large = true},
      {.name = "large batch",
       .inputs = {random({13, 33, 29}, 17), random({13, 29, 31}, 18)},
       .call = call,
       .large = true},
  };
}

TEST_CASE("matmul: wrong use throws") {
  const auto run = [](const Shape& a, const Shape& b) {
    return matmul(Variable(Tensor::zeros(a)), Variable(Tensor::zeros(b)));
  };
  CHECK_THROWS_WITH_AS(run({3}, {3, 2}),
                       "[matmul] expected (M,K) (K,N), (B,M,K) (B,K,N) or (B,M,K) (K,N); got a (3), b (3,2)",
                       std::invalid_argument);
  CHECK_THROWS_AS(run({2, 3}, {1, 3, 2}), std::invalid_argument);
  CHECK_THROWS_AS(run({1, 1, 2, 3}, {3, 2}), std::invalid_argument);
  CHECK_THROWS_WITH_AS(run({2, 3}, {2, 3}),
                       "[matmul] columns of a must equal rows of b; got a (2,3), b (2,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(run({2, 4, 3}, {1, 3, 2}),
                       "[matmul] batch sizes must be equal; got a (2,4,3), b (1,3,2)", std::invalid_argument);
}

TEST_CASE("matmul: values and gradients by hand") {
  const Variable a = leaf(values({1, 2, 3, 4}, {2, 2}));
  const Variable b = leaf(values({5, 6, 7, 8}, {2, 2}));
  Variable c = matmul(a, b);
  CHECK(c.value().to_vector<double>() == std::vector<double>{19, 22, 43, 50});
  c.backward(values({1, 0, 0, 1}, {2, 2}));
  CHECK(a.grad().to_vector<double>() == std::vector<double>{5, 7, 6, 8});
  CHECK(b.grad().to_vector<double>() == std::vector<double>{1, 3, 2, 4});
}

TEST_CASE("matmul: a batch is its matrices one by one") {
  const Tensor a = random({3, 2, 5}, 1);
  const Tensor b = random({3, 5, 4}, 2);
  const Tensor c = matmul(Variable(a), Variable(b)).value();
  const Tensor shared = matmul(Variable(a), Variable(b.select(0, 1))).value();
  CHECK(c.shape() == Shape{3, 2, 4});
  CHECK(shared.shape() == Shape{3, 2, 4});
  for (std::int64_t i = 0; i < 3; ++i) {
    const Variable one(a.select(0, i));
    const std::vector<double> expected = matmul(one, Variable(b.select(0, i))).value().to_vector<double>();
    const std::vector<double> by_shared = matmul(one, Variable(b.select(0, 1))).value().to_vector<double>();
    for (std::size_t e = 0; e < expected.size(); ++e) {
      CHECK(c.select(0, i).to_vector<double>()[e] == doctest::Approx(expected[e]).epsilon(1e-14));
      CHECK(shared.select(0, i).to_vector<double>()[e] == doctest::Approx(by_shared[e]).epsilon(1e-14));
    }
  }
}

TEST_CASE("matmul: special values") {
  const Variable ones(values({1, 1}, {2, 1}));
  CHECK(is_nan(matmul(Variable(values({kNan, 1}, {1, 2})), ones).value().item()));
  CHECK(matmul(Variable(values({-kInfinity, 1}, {1, 2})), ones).value().item() == -kInfinity);
  CHECK(is_nan(matmul(Variable(values({kInfinity, -kInfinity}, {1, 2})), ones).value().item()));
  const Variable nothing = matmul(Variable(random({2, 0}, 1)), Variable(random({0, 3}, 1)));
  CHECK(nothing.value().to_vector<double>() == std::vector<double>(6, 0.0));
  CHECK(matmul(Variable(random({0, 2, 3}, 1)), Variable(random({0, 3, 4}, 1))).shape() == Shape{0, 2, 4});
}

}  // namespace cbnet::testing
