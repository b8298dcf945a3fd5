#pragma once

#include <torch/torch.h>

#include "tensor/tensor.h"

namespace cbnet::testing {

/// A copy, of the same dtype (f32, f64 or i64).
inline torch::Tensor to_torch(const Tensor& tensor) {
  Tensor dense = tensor.contiguous();
  const auto copy = [&](auto* data, torch::ScalarType type) {
    return torch::from_blob(data, dense.shape(), type).clone();
  };
  switch (dense.dtype()) {
    case DType::f32:
      return copy(dense.data<float>(), torch::kFloat32);
    case DType::f64:
      return copy(dense.data<double>(), torch::kFloat64);
    default:
      return copy(dense.data<std::int64_t>(), torch::kInt64);
  }
}

/// A copy in f64.
inline Tensor from_torch(const torch::Tensor& tensor) {
  const torch::Tensor dense = tensor.detach().to(torch::kFloat64).contiguous();
  const auto* data = dense.data_ptr<double>();
  return Tensor::from(std::vector<double>(data, data + dense.numel()), dense.sizes().vec());
}

}  // namespace cbnet::testing
