#include "layers/residual.h"

#include "layers/linear.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("an empty shortcut adds the input; names tell body from shortcut") {
  Rng rng(1);
  auto body = std::make_shared<Linear>(2, 2, rng);
  body->weight.mutable_value().fill(0.0);
  body->bias.mutable_value().fill(3.0);
  auto sequence = std::make_shared<Sequential>();
  sequence->append(body);
  Residual block(sequence, std::make_shared<Sequential>());
  CHECK(block(Variable(Tensor::from<float>({1, 2}, {1, 2}))).value().to_vector<float>() ==
        std::vector<float>{4, 5});
  CHECK(block.named_parameters().front().first == "body.0.weight");
}

TEST_CASE("sides of different shape throw") {
  Rng rng(1);
  auto body = std::make_shared<Sequential>();
  body->append(std::make_shared<Linear>(2, 3, rng));
  Residual block(body, std::make_shared<Sequential>());
  CHECK_THROWS_SAYING(block(Variable(Tensor::zeros({1, 2}))), std::invalid_argument, "(1,3) and (1,2)");
}
