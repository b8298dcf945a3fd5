// l1_penalty: y = coefficient sum |x| / N.
// Shapes : x (N, ...) -> y ().     Dtypes: f32, f64.
// Saves  : x.      Grad  : dx = coefficient sign(x) dy / N, 0 at 0 and at NaN.
// Edge   : N == 0 and a scalar x throw; NaN makes y NaN.
// Kernels: baseline loops, summed in f64 in an order that no thread count changes. A strided x is copied.
//          Ref: the converting autoencoder's paper, section III-A.3 (coefficient 10e-8 on the encoder's
//          output); Keras' activity regularisers, which also divide by N.
#include "autograd/ops/l1_penalty.h"

#include "autograd/ops/mse_loss.h"

namespace cbnet::ops {

Shape L1Penalty::infer(const Args&, std::span<const Shape> in) {
  require(!in[0].empty() && in[0][0] > 0, kName, "x must have a first axis of at least 1; got ", in[0]);
  return {};
}

Tensor L1Penalty::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  saved.keep({x});
  return loss_of(LossKind::l1, x, Tensor(), args.coefficient, static_cast<double>(x.size(0)));
}

Gradients L1Penalty::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const auto n = static_cast<double>(saved.tensors[0].size(0));
  return loss_gradients(LossKind::l1, saved, args.coefficient, n, doutput);
}

}  // namespace cbnet::ops
