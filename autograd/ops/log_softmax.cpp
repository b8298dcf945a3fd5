// log_softmax: y_i = x_i - max x - ln sum_j exp(x_j - max x), along `axis`.
// Shapes : x (..., C, ...) -> y same.     Dtypes: f32, f64.
// Saves  : y.      Grad  : dx = dy - exp(y) sum(dy).
// Edge   : C == 0 throws; a line of -inf, or with NaN or +inf in it, gives NaN; a single -inf stays -inf.
// Kernels: softmax (baseline loops that vectorise; exp of f32 within 2 ulp). A strided x is copied first.
//          Ref: Goodfellow et al., "Deep Learning", section 6.2.2.3.
#include "autograd/ops/log_softmax.h"

#include "autograd/ops/softmax.h"

namespace cbnet::ops {

Shape LogSoftmax::infer(const Args& args, std::span<const Shape> in) {
  return lines_shape(kName, in[0], args.axis);
}

Tensor LogSoftmax::forward(const Args& args, Inputs in, Saved& saved) {
  Tensor y = softmax_lines(SoftmaxKind::log_softmax, in[0], args.axis);
  saved.keep({y});
  return y;
}

Gradients LogSoftmax::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  return {softmax_lines_backward(SoftmaxKind::log_softmax, saved.tensors[0], doutput, args.axis)};
}

}  // namespace cbnet::ops
