#include "models/kinds/gelu.h"

#include <cmath>

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::gelu_samples() {
  return {{kinds::Gelu{}, {{5}}}, {kinds::Gelu{.approximate_tanh = true}, {{2, 3, 4}}}};
}

TEST_CASE("gelu: x times the normal distribution, and its approximation beside it") {
  Rng rng(1), dropout(2);
  const std::vector<Shape> in = {{4}};
  const std::vector<double> points = {-3, -0.5, 0, 2};
  for (const bool approximate_tanh : {false, true}) {
    const BuiltLayer built = kinds::Gelu{.approximate_tanh = approximate_tanh}.build(
        {in, {rng, dropout}, Init::lecun_normal, DType::f64});
    const std::vector<Variable> x = {Variable(Tensor::from(points, {1, 4}))};
    const std::vector<double> got = built.run(x).value().to_vector<double>();
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double exact = points[i] * 0.5 * std::erfc(-points[i] / std::sqrt(2.0));
      // The approximation is within 5e-4 (Hendrycks and Gimpel, figure 1).
      CHECK(std::fabs(got[i] - exact) < (approximate_tanh ? 5e-4 : 1e-12));
    }
  }
}
