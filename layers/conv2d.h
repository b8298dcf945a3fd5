#pragma once

#include "autograd/ops/conv2d.h"
#include "layers/init.h"
#include "layers/module.h"
#include "tensor/windows.h"

namespace cbnet {

/// x (N, in_channels, H, W) -> (N, out_channels, OH, OW); sizes as in the op conv2d.
class Conv2d : public Module {
 public:
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, const Pair& kernel_size,
         const Conv2dOptions& options = {})
      : Conv2d(in_channels, out_channels, kernel_size, default_rng(), options) {}
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, const Pair& kernel_size, Rng& rng,
         const Conv2dOptions& options = {}, bool bias = true, Init init = Init::lecun_normal,
         DType dtype = DType::f32);
  Variable forward(const Variable& x) override;

  Variable weight;  // (out_channels, in_channels / groups, Kh, Kw)
  Variable bias;    // (out_channels) or undefined

 private:
  Conv2dOptions options_;
};

}  // namespace cbnet
