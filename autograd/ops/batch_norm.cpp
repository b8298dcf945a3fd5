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
// Kernels: baseline loops in f64, rounded once where an element is stored; the variance in a second pass over
//          x - mean. With few values xhat explains nearly all of dy: at two, dx is (dy_1 - dy_2) / 2 times
//          eps / (var + eps), which f32, whatever the order of its operations, cannot leave of dy.
// Ref    : Ioffe and Szegedy, Batch Normalization, 2015, algorithm 1 and section 3.
#include "autograd/ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/sum.h"
#include "tensor/parallel.h"

namespace cbnet::ops {
namespace {

constexpr std::int64_t kGrainElements = 1 << 15;

struct Sizes {
  std::int64_t n, channels, plane;

  explicit Sizes(const Shape& x) : n(x[0]), channels(x[1]), plane(numel(Shape(x.begin() + 2, x.end()))) {}
  std::int64_t per_channel() const { return n * plane; }
};

/// For every channel c the sum of term(i, c) over its elements i. Threads own channels, so the order of a
/// sum does not depend on their number.
template <class Term>
std::vector<double> channel_sums(const Sizes& s, Term&& term) {
  std::vector<double> sums(static_cast<std::size_t>(s.channels), 0.0);
  parallel_for(s.channels, kGrainElements / std::max<std::int64_t>(s.per_channel(), 1) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t n = 0; n < s.n; ++n) {
                   for (std::int64_t c = begin; c < end; ++c) {
                     const std::int64_t first = (n * s.channels + c) * s.plane;
                     sums[static_cast<std::size_t>(c)] +=
                         lane_sum(s.plane, [&](std::int64_t i) { return term(first + i, c); });
                   }
                 }
               });
  return sums;
}

/// Calls map(i, c) for every element i, c being its channel.
template <class Map>
void for_each_element(const Sizes& s, Map&& map) {
  parallel_for(s.n * s.channels, kGrainElements / std::max<std::int64_t>(s.plane, 1) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t run = begin; run < end; ++run) {
                   const std::int64_t c = run % s.channels;
                   for (std::int64_t i = run * s.plane; i < (run + 1) * s.plane; ++i) map(i, c);
                 }
               });
}

/// (1 - momentum) running + momentum * factor * batch, of running's dtype.
Tensor mixed(const Tensor& running, const std::vector<double>& batch, double factor, double momentum) {
  std::vector<double> out = running.to_vector<double>();
  for (std::size_t c = 0; c < out.size(); ++c) {
    out[c] = (1.0 - momentum) * out[c] + momentum * factor * batch[c];
  }
  return Tensor::from(out, running.shape()).to(running.dtype());
}

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
  require(!args.options.training || Sizes(x).per_channel() >= 2, kName,
          "training needs at least two values per channel; got x ", x);
  return x;
}

Tensor BatchNorm::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor gamma = in[1].contiguous();
  const Tensor beta = in[2].contiguous();
  require(args.running_mean.dtype() == x.dtype() && args.running_var.dtype() == x.dtype(), kName,
          "running_mean and running_var must have x's dtype; got x ", x, ", ", args.running_mean, " and ",
          args.running_var);
  const Sizes sizes(x.shape());
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  std::vector<double> mean = args.running_mean.to_vector<double>();
  std::vector<double> var = args.running_var.to_vector<double>();
  Tensor moved_mean, moved_var;  // stored together, when nothing can fail any more
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* xs = x.data<T>();
    T* ys = y.data<T>();
    if (args.options.training) {
      const auto count = static_cast<double>(sizes.per_channel());
      mean = channel_sums(sizes, [&](std::int64_t i, std::int64_t) { return xs[i]; });
      for (double& m : mean) m /= count;
      var = channel_sums(sizes, [&](std::int64_t i, std::int64_t c) {
        const double centred = static_cast<double>(xs[i]) - mean[static_cast<std::size_t>(c)];
        return centred * centred;
      });
      for (double& v : var) v /= count;
      moved_mean = mixed(args.running_mean, mean, 1.0, args.options.momentum);
      moved_var = mixed(args.running_var, var, count / (count - 1.0), args.options.momentum);
    }
    std::vector<double>& inverse_std = var;
    for (double& v : inverse_std) v = 1.0 / std::sqrt(v + args.options.eps);
    const T* gammas = gamma.data<T>();
    const T* betas = beta.data<T>();
    for_each_element(
        sizes, [&, means = mean.data(), inverse_stds = inverse_std.data()](std::int64_t i, std::int64_t c) {
          const double xhat = (static_cast<double>(xs[i]) - means[c]) * inverse_stds[c];
          ys[i] = static_cast<T>(static_cast<double>(gammas[c]) * xhat + static_cast<double>(betas[c]));
        });
    saved.keep({x, gamma, Tensor::from(mean, gamma.shape()), Tensor::from(inverse_std, gamma.shape())},
               {3, 1, 3, 3});
  });
  if (args.options.training) {
    Tensor running_mean = args.running_mean, running_var = args.running_var;
    running_mean.copy_from(moved_mean);
    running_var.copy_from(moved_var);
  }
  return y;
}

Gradients BatchNorm::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  const Tensor& x = saved.tensors[0];
  const Sizes sizes(x.shape());
  Gradients gradients(3);
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* xs = x.data<T>();
    const T* dys = dy.data<T>();
    const T* gammas = saved.tensors[1].data<T>();
    const double* means = saved.tensors[2].data<double>();
    const double* inverse_stds = saved.tensors[3].data<double>();
    const auto xhat = [&](std::int64_t i, std::int64_t c) {
      return (static_cast<double>(xs[i]) - means[c]) * inverse_stds[c];
    };
    const std::vector<double> dbeta =
        channel_sums(sizes, [&](std::int64_t i, std::int64_t) { return dys[i]; });
    const std::vector<double> dgamma = channel_sums(
        sizes, [&](std::int64_t i, std::int64_t c) { return static_cast<double>(dys[i]) * xhat(i, c); });
    if (saved.needs_grad[0]) {
      gradients[0] = Tensor::empty(x.shape(), x.dtype());
      T* dxs = gradients[0].data<T>();
      // In evaluation the statistics do not move with x.
      const double share = args.options.training ? 1.0 / static_cast<double>(sizes.per_channel()) : 0.0;
      for_each_element(sizes, [&](std::int64_t i, std::int64_t c) {
        const auto channel = static_cast<std::size_t>(c);
        const double left =
            static_cast<double>(dys[i]) - share * dbeta[channel] - xhat(i, c) * (share * dgamma[channel]);
        dxs[i] = static_cast<T>(static_cast<double>(gammas[c]) * inverse_stds[c] * left);
      });
    }
    const Shape channels = {sizes.channels};
    if (saved.needs_grad[1]) gradients[1] = Tensor::from(dgamma, channels).to(x.dtype());
    if (saved.needs_grad[2]) gradients[2] = Tensor::from(dbeta, channels).to(x.dtype());
  });
  return gradients;
}

}  // namespace cbnet::ops
