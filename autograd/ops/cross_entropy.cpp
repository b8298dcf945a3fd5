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

#include <cmath>

#include "tensor/kernels/softmax.h"

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
  const Tensor labels = args.labels.contiguous();
  const std::int64_t n = logits.size(0);
  const std::int64_t classes = logits.size(1);
  const std::int64_t* label = labels.data<std::int64_t>();
  for (std::int64_t row = 0; row < n; ++row) {
    require(label[row] >= 0 && label[row] < classes, kName, "labels must be in [0,", classes, "); got ",
            label[row], " in row ", row);
  }
  Tensor log_p = Tensor::empty(logits.shape(), logits.dtype());
  // The caller may reuse its labels for the next batch before the backward pass.
  if (saved.needs_grad[0]) saved.keep({log_p, args.labels.clone()});
  const double smoothing = args.label_smoothing;
  const double loss = dispatch_floating(logits.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    kernels::log_softmax<T>(logits.data<T>(), log_p.data<T>(), n, classes, 1);
    double sum = 0.0;
    for (std::int64_t row = 0; row < n; ++row) {
      const T* l = log_p.data<T>() + row * classes;
      // Shares of 0 are left out rather than multiplied by a logarithm that may be -inf.
      if (smoothing < 1.0) sum -= (1.0 - smoothing) * static_cast<double>(l[label[row]]);
      if (smoothing > 0.0) {
        double all = 0.0;
        for (std::int64_t c = 0; c < classes; ++c) all += static_cast<double>(l[c]);
        sum -= smoothing / static_cast<double>(classes) * all;
      }
    }
    return sum / static_cast<double>(n);
  });
  return Tensor::full({}, loss, logits.dtype());
}

Gradients CrossEntropy::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor& log_p = saved.tensors[0];
  const std::int64_t* label = saved.tensors[1].data<std::int64_t>();
  const std::int64_t n = log_p.size(0);
  const std::int64_t classes = log_p.size(1);
  Tensor dlogits = Tensor::empty(log_p.shape(), log_p.dtype());
  dispatch_floating(log_p.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T factor = static_cast<T>(doutput.item() / static_cast<double>(n));
    const T everywhere = static_cast<T>(args.label_smoothing / static_cast<double>(classes));
    const T at_label = static_cast<T>(1.0 - args.label_smoothing);
    for (std::int64_t row = 0; row < n; ++row) {
      const T* l = log_p.data<T>() + row * classes;
      T* to = dlogits.data<T>() + row * classes;
      for (std::int64_t c = 0; c < classes; ++c) to[c] = (std::exp(l[c]) - everywhere) * factor;
      to[label[row]] -= at_label * factor;
    }
  });
  return {dlogits};
}

}  // namespace cbnet::ops
