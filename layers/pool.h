#pragma once

#include "autograd/ops/avg_pool2d.h"
#include "autograd/ops/max_pool2d.h"
#include "layers/module.h"

namespace cbnet {

/// x (N, C, H, W) -> (N, C, OH, OW); sizes as in the op max_pool2d.
class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const Pool2dOptions& options) : options_(options) {}
  Variable forward(const Variable& x) override { return max_pool2d(x, options_); }

 private:
  Pool2dOptions options_;
};

/// x (N, C, H, W) -> (N, C, OH, OW); sizes as in the op avg_pool2d.
class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(const Pool2dOptions& options, bool count_include_pad = true)
      : options_(options), count_include_pad_(count_include_pad) {}
  Variable forward(const Variable& x) override { return avg_pool2d(x, options_, count_include_pad_); }

 private:
  Pool2dOptions options_;
  bool count_include_pad_;
};

/// x (N, C, H, W) -> (N, C, 1, 1).
class GlobalAvgPool2d : public Module {
 public:
  Variable forward(const Variable& x) override { return global_avg_pool2d(x); }
};

}  // namespace cbnet
