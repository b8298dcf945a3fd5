#include "layers/init.h"

#include <cmath>

namespace cbnet {

Tensor init_weight(Init init, const Shape& shape, Rng& rng, DType dtype) {
  require(shape.size() >= 2 && numel(shape) > 0, "init", "expected a weight (out, in, …); got ", shape);
  std::int64_t taps = 1;
  for (std::size_t axis = 2; axis < shape.size(); ++axis) taps *= shape[axis];
  const auto fan_in = static_cast<double>(shape[1] * taps);
  const auto fan_out = static_cast<double>(shape[0] * taps);
  switch (init) {
    case Init::lecun_normal:
      return Tensor::normal(shape, 0.0, std::sqrt(1.0 / fan_in), rng, dtype);
    case Init::he_normal:
      return Tensor::normal(shape, 0.0, std::sqrt(2.0 / fan_in), rng, dtype);
    case Init::glorot_uniform:
      break;
  }
  const double limit = std::sqrt(6.0 / (fan_in + fan_out));
  return Tensor::uniform(shape, -limit, limit, rng, dtype);
}

}  // namespace cbnet
