// dropout: y = x mask, mask = 1 / (1 - p) with probability 1 - p and 0 otherwise; y = x outside training.
// Shapes : x (any) -> y same.     Dtypes: f32, f64.
// Saves  : mask, in training.      Grad  : dx = dy mask; dy outside training.
// Edge   : p == 0 is the identity and draws nothing; p == 1 throws; NaN and infinity times 0 are NaN, so
//          dropping hides neither.
// Kernels: random (counter-based: a seed gives one mask, whatever the threads and the device); the product is
//          that of mul.
// Ref    : Srivastava et al., Dropout, 2014, section 10 (scaling while training).
#include "autograd/ops/dropout.h"

#include "autograd/ops/pointwise.h"
#include "tensor/backend.h"

namespace cbnet::ops {
Shape Dropout::infer(const Args& args, std::span<const Shape> in) {
  require(args.p >= 0.0 && args.p < 1.0, kName, "p must be in [0, 1); got ", args.p);
  return in[0];
}

Tensor Dropout::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor& x = in[0];
  if (!args.training || args.p == 0.0) return x;
  Tensor mask = Tensor::empty(x.shape(), x);
  const RandomCall call{.dtype = x.dtype(),
                        .kind = RandomKind::mask,
                        .state = args.rng->state(),
                        .a = args.p,
                        .b = 1.0 / (1.0 - args.p),
                        .count = x.numel(),
                        .y = mask.address()};
  backend_of(x.device()).random(call);
  args.rng->discard(call.draws());
  saved.keep({mask});
  return product(x, mask);
}

Gradients Dropout::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  if (saved.tensors.empty()) return {doutput};
  return {product(doutput, saved.tensors[0])};
}

}  // namespace cbnet::ops
