#include "autograd/variable.h"

#include <doctest/doctest.h>

#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

TEST_CASE("variable: wrong use throws") {
  CHECK_THROWS_WITH_AS(Variable{Tensor{}}, "[variable] undefined tensor (default-constructed or moved from)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(Variable(Tensor::zeros({2}, DType::i64), true),
                       "[variable] only f32 and f64 carry gradients; got i64 (2)", std::invalid_argument);
  CHECK_THROWS_AS(Variable(Tensor::zeros({2}, DType::u8), true), std::invalid_argument);
  CHECK_THROWS_AS(Variable(Tensor::zeros({2}, DType::i32), true), std::invalid_argument);
  Variable undefined;
  CHECK_THROWS_WITH_AS(undefined.value(), "[variable] undefined variable (default-constructed or moved from)",
                       std::invalid_argument);
  CHECK_THROWS_AS(undefined.mutable_value(), std::invalid_argument);
  CHECK_THROWS_AS(undefined.grad(), std::invalid_argument);
  CHECK_THROWS_AS(undefined.zero_grad(), std::invalid_argument);
  CHECK_THROWS_AS(undefined.backward(), std::invalid_argument);
  CHECK_THROWS_AS(undefined.node(), std::invalid_argument);
}

TEST_CASE("variable: a leaf") {
  CHECK_FALSE(Variable().defined());
  CHECK_FALSE(Variable().requires_grad());
  const Variable plain(random({2, 3}, 1));
  CHECK(plain.defined());
  CHECK_FALSE(plain.requires_grad());
  CHECK(plain.shape() == Shape{2, 3});
  CHECK(plain.size(-1) == 3);
  CHECK(plain.dtype() == DType::f64);
  CHECK_FALSE(plain.grad().defined());
  CHECK(plain.node() == nullptr);
  CHECK(leaf(random({2}, 1)).requires_grad());
  CHECK(Variable(Tensor::zeros({2}, DType::i64)).dtype() == DType::i64);
}

TEST_CASE("variable: a tensor goes where a variable is expected") {
  const Variable y = square(values({3}, {1}));
  CHECK(y.item() == 9);
  CHECK_FALSE(y.requires_grad());
  CHECK_THROWS_WITH_AS(y.grad().item(), "[item] undefined tensor (default-constructed or moved from)",
                       std::invalid_argument);
  CHECK_THROWS_AS(square(Tensor()), std::invalid_argument);
}

TEST_CASE("variable: copies share value, gradient and history") {
  const Variable a = leaf(values({2}, {1}));
  Variable b = a;
  CHECK(a.same(b));
  CHECK_FALSE(a.same(leaf(a.value())));
  b.mutable_value().fill(3);
  CHECK(a.value().item() == 3);
  Variable y = square(a);
  y.backward();
  CHECK(b.grad().item() == 6);
  b.zero_grad();
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("variable: requires_grad follows the inputs") {
  const Variable a = leaf(values({2}, {1}));
  const Variable b(values({3}, {1}));
  CHECK((a * b).requires_grad());
  CHECK((a * b).node() != nullptr);
  CHECK_FALSE((b * b).requires_grad());
  CHECK((b * b).node() == nullptr);
}

TEST_CASE("variable: detach keeps the elements and drops the history") {
  const Variable a = leaf(values({2}, {1}));
  const Variable cut = square(a).detach();
  CHECK_FALSE(cut.requires_grad());
  CHECK(cut.value().item() == 4);
  Variable y = a * cut;
  y.backward();
  CHECK(a.grad().item() == 4);
  CHECK(a.detach().value().shares_storage(a.value()));
}

TEST_CASE("variable: a gradient may be replaced and scaled in place") {
  Variable a = leaf(values({2}, {1}));
  Variable y = square(a);
  y.backward();
  a.mutable_grad().scale(0.5);
  CHECK(a.grad().item() == 2);
}

TEST_CASE("variable: what was moved from is undefined and says so") {
  Variable x = leaf(random({2}, 1));
  const Variable y = std::move(x);
  CHECK_FALSE(x.defined());  // NOLINT(bugprone-use-after-move): that is the question
  CHECK_FALSE(x.requires_grad());
  CHECK_FALSE(x.same(y));
  const auto refused = [](auto&& use) {
    CHECK_THROWS_WITH_AS(use(), "[variable] undefined variable (default-constructed or moved from)",
                         std::invalid_argument);
  };
  refused([&] { return x.value(); });
  refused([&] { return x.mutable_value(); });
  refused([&] { return x.shape(); });
  refused([&] { return x.size(0); });
  refused([&] { return x.dtype(); });
  refused([&] { return x.grad(); });
  refused([&] { return x.mutable_grad(); });
  refused([&] { return x.detach(); });
  refused([&] { return x.node(); });
  refused([&] { x.zero_grad(); });
  refused([&] { x.backward(); });
  CHECK_THROWS_AS(x.backward(random({2}, 1)), std::invalid_argument);
  CHECK_THROWS_AS(Variable::from_node(Tensor(), nullptr), std::invalid_argument);
  x = y;
  CHECK(x.same(y));
}

}  // namespace cbnet::testing
