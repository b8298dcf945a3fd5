// batch_norm: y = gamma xhat + beta, xhat = (x - mean) / sqrt(var + eps), per channel.
// Shapes : x (N, C) or (N, C, H, W), gamma, beta, running_mean, running_var (C) -> y as x.
//          Dtypes: f32, f64.
// Training: mean and the biased variance (divided by M = N H W) are the batch's. The running statistics
//          become (1 - momentum) running + momentum batch, with the unbiased variance (divided by M - 1), as
//          in PyTorch. Otherwise mean and var are the running statistics, constants to the gradient.
// Saves  : x, gamma, and in f64 mean, 1 / sqrt(var + eps).
// Grad   : dbeta = sum dy; dgamma = sum dy xhat; dx = gamma / sqrt(var + eps) * dy, in training with
//          dy - (dbeta + xhat dgamma) / M in the place of dy.
// Edge   : M < 2 throws in training; N == 0 gives an empty y otherwise; constant channels give y = beta.
// Kernels: one channel after the other in f64 (scalar, avx2, avx512, neon), rounded once where an element is
//          stored. With few values xhat explains nearly all of dy: at two, dx is (dy_1 - dy_2) / 2 times
//          eps / (var + eps), which f32, whatever the order of its operations, cannot leave of dy.
// Ref    : Ioffe and Szegedy, Batch Normalization, 2015, algorithm 1 and section 3.
#include "autograd/ops/batch_norm.h"

#include "tensor/backend.h"

namespace cbnet::ops {
namespace {

std::int64_t plane_of(const Shape& x) { return numel(Shape(x.begin() + 2, x.end())); }

}  // namespace

Shape BatchNorm::infer(const Args& args, std::span<const Shape> in) {
  const Shape& x = in[0];
  require(x.size() == 2 || x.size() == 4, kName, "x must be (N,C) or (N,C,H,W); got ", x);
  const Shape channels = {x[1]};
  require(in[1] == channels && in[2] == channels, kName, "gamma and beta must be (C); got x ", x, ", gamma ",
          in[1], ", beta ", in[2]);
  for (const Tensor* running : {&args.running_mean, &args.running_var}) {
    require(running->defined() && running->shape() == channels, kName,
            "running_mean and running_var must be (C); got x ", x, ", ", args.running_mean, " and ",
            args.running_var);
  }
  require(args.options.eps > 0.0, kName, "eps must be positive; got ", args.options.eps);
  require(args.options.momentum >= 0.0 && args.options.momentum <= 1.0, kName,
          "momentum must be in [0, 1]; got ", args.options.momentum);
  require(!args.options.training || x[0] * plane_of(x) >= 2, kName,
          "training needs at least two values per channel; got x ", x);
  return x;
}

Tensor BatchNorm::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor gamma = in[1].contiguous();
  const Tensor beta = in[2].contiguous();
  for (const Tensor* running : {&args.running_mean, &args.running_var}) {
    require(running->dtype() == x.dtype(), kName, "running_mean and running_var must have x's dtype; got x ",
            x, ", ", args.running_mean, " and ", args.running_var);
    require_same_device(x, *running, kName);
  }
  const Tensor running_mean = args.running_mean.contiguous(), running_var = args.running_var.contiguous();
  Tensor y = Tensor::empty(x.shape(), x);
  Tensor mean = Tensor::empty(gamma.shape(), DType::f64, x.device());
  Tensor inverse_std = Tensor::empty(gamma.shape(), DType::f64, x.device());
  // They are stored together, when nothing can fail any more.
  Tensor moved_mean = Tensor::empty(gamma.shape(), x), moved_var = Tensor::empty(gamma.shape(), x);
  saved.keep({x, gamma, mean, inverse_std}, {3, 1, 3, 3});
  backend_of(x.device())
      .batch_norm({.dtype = x.dtype(),
                   .n = x.size(0),
                   .channels = x.size(1),
                   .plane = plane_of(x.shape()),
                   .training = args.options.training,
                   .eps = args.options.eps,
                   .momentum = args.options.momentum,
                   .x = x.address(),
                   .gamma = gamma.address(),
                   .beta = beta.address(),
                   .running_mean = running_mean.address(),
                   .running_var = running_var.address(),
                   .y = y.address(),
                   .mean = static_cast<double*>(mean.address()),
                   .inverse_std = static_cast<double*>(inverse_std.address()),
                   .moved_mean = moved_mean.address(),
                   .moved_var = moved_var.address()});
  if (args.options.training) {
    Tensor to_mean = args.running_mean, to_var = args.running_var;
    to_mean.copy_from(moved_mean);
    to_var.copy_from(moved_var);
  }
  return y;
}

Gradients BatchNorm::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  const Tensor &x = saved.tensors[0], &gamma = saved.tensors[1];
  const Tensor &mean = saved.tensors[2], &inverse_std = saved.tensors[3];
  Gradients gradients(3);
  const auto gradient = [&](std::size_t input, const Tensor& like) -> void* {
    if (!saved.needs_grad[input]) return nullptr;
    gradients[input] = Tensor::empty(like.shape(), like);
    return gradients[input].address();
  };
  BatchNormBackwardCall call{.dtype = x.dtype(),
                             .n = x.size(0),
                             .channels = x.size(1),
                             .plane = plane_of(x.shape()),
                             .training = args.options.training,
                             .x = x.address(),
                             .gamma = gamma.address(),
                             .dy = dy.address(),
                             .mean = static_cast<const double*>(mean.address()),
                             .inverse_std = static_cast<const double*>(inverse_std.address())};
  call.dx = gradient(0, x);
  call.dgamma = gradient(1, gamma);
  call.dbeta = gradient(2, gamma);
  backend_of(x.device()).batch_norm_backward(call);
  return gradients;
}

}  // namespace cbnet::ops
