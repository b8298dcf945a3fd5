// dropout: y = x mask, mask = 1 / (1 - p) with probability 1 - p and 0 otherwise; y = x outside training.
// Shapes : x (any) -> y same.     Dtypes: f32, f64.
// Saves  : mask, in training.      Grad  : dx = dy mask; dy outside training.
// Edge   : p == 0 is the identity and draws nothing; p == 1 throws; NaN and infinity times 0 are NaN, so
//          dropping hides neither.
// Kernels: the mask is drawn in one thread, so that a seed gives one mask; the product is that of mul.
// Ref    : Srivastava et al., Dropout, 2014, section 10 (scaling while training).
#include "autograd/ops/dropout.h"

#include "autograd/ops/pointwise.h"

namespace cbnet::ops {
namespace {

Tensor product(const Tensor& a, const Tensor& b) {
  const Tensor operands[] = {a, b};
  Saved nothing;
  return Mul::forward({}, operands, nothing);
}

}  // namespace

Shape Dropout::infer(const Args& args, std::span<const Shape> in) {
  require(args.p >= 0.0 && args.p < 1.0, kName, "p must be in [0, 1); got ", args.p);
  return in[0];
}

Tensor Dropout::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor& x = in[0];
  if (!args.training || args.p == 0.0) return x;
  Tensor mask = Tensor::empty(x.shape(), x.dtype());
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T kept = static_cast<T>(1.0 / (1.0 - args.p));
    T* values = mask.data<T>();
    for (std::int64_t i = 0; i < mask.numel(); ++i) values[i] = args.rng->uniform() < args.p ? T(0) : kept;
  });
  saved.keep({mask});
  return product(x, mask);
}

Gradients Dropout::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  if (saved.tensors.empty()) return {doutput};
  return {product(doutput, saved.tensors[0])};
}

}  // namespace cbnet::ops
