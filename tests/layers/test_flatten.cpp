#include "layers/flatten.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("flatten and unflatten are views of one another") {
  const Variable x(Tensor::zeros({2, 3, 4, 5}));
  const Variable flat = Flatten()(x);
  CHECK(flat.shape() == Shape{2, 60});
  CHECK(flat.value().shares_storage(x.value()));
  CHECK(Unflatten({3, 4, 5})(flat).shape() == x.shape());
  CHECK(Flatten()(Variable(Tensor::zeros({0, 3, 4}))).shape() == Shape{0, 12});
  Unflatten wrong({7});
  CHECK_THROWS_SAYING(wrong(flat), std::invalid_argument, "reshape");
}
