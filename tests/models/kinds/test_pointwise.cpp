#include "models/kinds/pointwise.h"

#include <cmath>

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::pointwise_samples() {
  std::vector<LayerSample> out;
  for (const char* function : {"neg", "exp", "erf", "abs"})
    out.push_back({kinds::Pointwise{.function = function}, {{2, 5}}});
  out.push_back({kinds::Pointwise{.function = "pow", .a = 2.0}, {{7}}});
  out.push_back({kinds::Pointwise{.function = "clamp_min", .a = -0.25}, {{7}}});
  out.push_back({kinds::Pointwise{.function = "clamp_max", .a = 0.25}, {{7}}});
  return out;
}

TEST_CASE("pointwise: only functions of one number, with a finite parameter") {
  const auto infer = [](const kinds::Pointwise& layer) {
    return layer.infer(std::vector<Shape>(1, Shape{2}));
  };
  CHECK_THROWS_SAYING(infer({.function = "sinc"}), std::invalid_argument,
                      "[pointwise] there is no function 'sinc'");
  CHECK_THROWS_SAYING(infer({.function = "add"}), std::invalid_argument, "'add' of one number");
  CHECK_THROWS_SAYING(infer({.function = "pow", .a = HUGE_VAL}), std::invalid_argument,
                      "must be finite; got inf");
}
