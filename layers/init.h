#pragma once

#include "tensor/tensor.h"

namespace cbnet {

/// A layer's weight starts with these values; biases start at zero.
enum class Init {
  /// They are normal with variance 1 / fan_in (LeCun et al. 1998, "Efficient BackProp"): BranchyNet's Chainer
  /// default.
  lecun_normal,
  /// They are uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010): Keras' default.
  glorot_uniform,
  /// They are normal with variance 2 / fan_in (He et al. 2015), for layers before a ReLU.
  he_normal,
};

/// weight (out, in) or (out, in, Kh, Kw): fan_in = in Kh Kw, fan_out = out Kh Kw.
Tensor init_weight(Init init, const Shape& shape, Rng& rng, DType dtype = DType::f32);

}  // namespace cbnet
