// softmax_entropy: y[n] = -sum_c p[n,c] ln p[n,c], with p = softmax(logits) along C; natural logarithm.
// Shapes : logits (N, C) -> y (N).     Dtypes: f32, f64.
// Saves  : p, y.      Grad  : dlogits_c = -p_c (ln p_c + y) dy.
// Edge   : C == 0 throws; N == 0 gives an empty y; p = 0 contributes 0, to y and to the gradient; a row of
//          -inf, or with NaN or +inf in it, gives NaN.
// Kernels: softmax (y = ln sum exp(x - max) + sum p (max - x): two sums of terms >= 0, nothing cancels).
//          Ref: Teerapittayanon et al., "BranchyNet", section III-B.
#include "autograd/ops/softmax_entropy.h"

#include "tensor/backend.h"

namespace cbnet::ops {

Shape SoftmaxEntropy::infer(const Args&, std::span<const Shape> in) {
  require(in[0].size() == 2 && in[0][1] > 0, kName, "logits must be (N, C) with C > 0; got ", in[0]);
  return {in[0][0]};
}

Tensor SoftmaxEntropy::forward(const Args&, Inputs in, Saved& saved) {
  const Tensor logits = in[0].contiguous();
  Tensor p = Tensor::empty(logits.shape(), logits);
  Tensor y = Tensor::empty({logits.size(0)}, logits);
  saved.keep({p, y});
  backend_of(logits.device())
      .softmax({.dtype = logits.dtype(),
                .kind = SoftmaxKind::entropy,
                .outer = logits.size(0),
                .channels = logits.size(1),
                .x = logits.address(),
                .y = p.address(),
                .entropy = y.address()});
  return y;
}

Gradients SoftmaxEntropy::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  const Tensor &p = saved.tensors[0], &y = saved.tensors[1];
  const Tensor dy = doutput.contiguous();
  Tensor dlogits = Tensor::empty(p.shape(), p);
  backend_of(p.device())
      .softmax_backward({.dtype = p.dtype(),
                         .kind = SoftmaxKind::entropy,
                         .outer = p.size(0),
                         .channels = p.size(1),
                         .y = p.address(),
                         .entropy = y.address(),
                         .dy = dy.address(),
                         .dx = dlogits.address()});
  return {dlogits};
}

}  // namespace cbnet::ops
