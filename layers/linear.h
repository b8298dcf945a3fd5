#pragma once

#include "layers/init.h"
#include "layers/module.h"

namespace cbnet {

/// y = x W^T + b: x (N, in_features) -> (N, out_features).
class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, Rng& rng = default_rng(), bool bias = true,
         Init init = Init::lecun_normal, DType dtype = DType::f32);
  Variable forward(const Variable& x) override;

  Variable weight;  // (out_features, in_features)
  Variable bias;    // (out_features) or undefined
};

}  // namespace cbnet
