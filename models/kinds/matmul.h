#pragma once

#include "models/layer.h"

namespace cbnet {
class NodeReader;
}

namespace cbnet::kinds {

/// The matrix products of two layers: (…,M,K) and (…,K,N) -> (…,M,N).
struct Matmul {
  CBNET_LAYER_PARTS("matmul", Matmul)
};

/// Appends layers that multiply all lines along `axis` of the value at `from`, of K elements, by a constant
/// `weight` (out,K): the other axes are the pixels of a 1x1 convolution.
void add_product_along(NodeReader& node, std::int64_t from, std::int64_t axis, const Tensor& weight);
/// Appends layers that multiply all lines along the last axis by a constant `weight` (out,K), where K may
/// differ from `out`: one linear layer where a sample is one line.
void add_rows_product(NodeReader& node, std::int64_t from, const Tensor& weight);

}  // namespace cbnet::kinds
