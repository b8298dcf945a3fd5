#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The matrix products of two layers: (…,M,K) and (…,K,N) -> (…,M,N).
struct Matmul {
  CBNET_LAYER_PARTS("matmul", Matmul)
};

}  // namespace cbnet::kinds
