// cross_entropy: y = mean over n of -sum_c q[n,c] ln softmax(logits)[n,c], with q = 1 at the label and 0
//          elsewhere; label_smoothing s makes it (1 - s) q + s / C.
// Shapes : logits (N, C), labels i64 (N) -> y ().     Dtypes: f32, f64.
// Saves  : l = log_softmax(logits), labels.
// Grad   : dlogits = (exp(l) - q) dy / N.
// Edge   : N == 0, C == 0 and labels outside [0, C) throw; a logit of -inf at the label gives inf, elsewhere
//          it counts as probability 0 (with smoothing it gives inf); a row of -inf gives NaN.
// Kernels: softmax; the mean is summed in f64, in row order.
//          Ref: Goodfellow et al., "Deep Learning", section 6.2.2.3; smoothing: Szegedy et al., "Rethinking
//          the Inception architecture", section 7.
#include "autograd/ops/cross_entropy.h"

#include "tensor/backend.h"

namespace cbnet::ops {

Shape CrossEntropy::infer(const Args& args, std::span<const Shape> in) {
  require(in[0].size() == 2 && in[0][1] > 0, kName, "logits must be (N, C) with C > 0; got ", in[0]);
  require(
      args.labels.defined() && args.labels.dtype() == DType::i64 && args.labels.shape() == Shape{in[0][0]},
      kName, "labels must be i64 (N); got logits ", in[0], ", labels ", args.labels);
  require(in[0][0] > 0, kName, "there is no mean over an empty batch; got ", in[0]);
  require(args.label_smoothing >= 0.0 && args.label_smoothing <= 1.0, kName,
          "label_smoothing must be in [0, 1]; got ", args.label_smoothing);
  return {};
}

Tensor CrossEntropy::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor logits = in[0].contiguous();
  const std::int64_t n = logits.size(0);
  const std::int64_t classes = logits.size(1);
  const std::int64_t wrong = first_outside(args.labels, 0.0, static_cast<double>(classes - 1));
  require(
      wrong < 0, kName, "labels must be in [0,", classes, "); got ",
      [&] { return args.labels.to(Device::cpu).at({wrong}); }, " in row ", wrong);
  // The caller may reuse its labels for the next batch before the backward pass.
  const Tensor here = args.labels.to(logits.device()).contiguous();
  const Tensor labels = saved.needs_grad[0] && here.shares_storage(args.labels) ? here.clone() : here;
  Tensor log_p = Tensor::empty(logits.shape(), logits);
  Tensor y = Tensor::empty({}, logits);
  if (saved.needs_grad[0]) saved.keep({log_p, labels});
  const Backend& backend = backend_of(logits.device());
  backend.softmax({.dtype = logits.dtype(),
                   .kind = SoftmaxKind::log_softmax,
                   .outer = n,
                   .channels = classes,
                   .x = logits.address(),
                   .y = log_p.address()});
  backend.cross_entropy({.dtype = logits.dtype(),
                         .rows = n,
                         .classes = classes,
                         .smoothing = args.label_smoothing,
                         .log_p = std::as_const(log_p).address(),
                         .labels = static_cast<const std::int64_t*>(labels.address()),
                         .y = y.address()});
  return y;
}

Gradients CrossEntropy::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor &log_p = saved.tensors[0], &labels = saved.tensors[1];
  Tensor dlogits = Tensor::empty(log_p.shape(), log_p);
  backend_of(log_p.device())
      .cross_entropy_backward({.dtype = log_p.dtype(),
                               .rows = log_p.size(0),
                               .classes = log_p.size(1),
                               .smoothing = args.label_smoothing,
                               .log_p = log_p.address(),
                               .labels = static_cast<const std::int64_t*>(labels.address()),
                               .dy = doutput.address(),
                               .dx = dlogits.address()});
  return {dlogits};
}

}  // namespace cbnet::ops
