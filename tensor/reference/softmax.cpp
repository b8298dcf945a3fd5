#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {
namespace {

/// This is one line of (outer, channels, inner): element c is at first + c * inner.
struct Line {
  int64_t first, channels, inner;
  int64_t operator[](int64_t c) const { return first + c * inner; }
};

/// Calls visit(number of the line, line) for every line.
template <class Call, class Visit>
void for_each_line(const Call& call, Visit visit) {
  for (int64_t outer = 0; outer < call.outer; ++outer) {
    for (int64_t inner = 0; inner < call.inner; ++inner) {
      visit(outer * call.inner + inner,
            Line{outer * call.channels * call.inner + inner, call.channels, call.inner});
    }
  }
}

/// Returns x_c - max x - ln sum exp(x - max x), for every c.
std::vector<double> log_softmax(const Source& x, const Line& line) {
  int64_t top = 0;
  for (int64_t c = 0; c < line.channels; ++c) top = x[line[c]] > x[line[top]] ? c : top;
  const double max = x[line[top]];
  // The largest element's own exp(0) = 1 stays out of the sum, or a small rest would drown in it; what is
  // left of it is 0, and NaN for an infinite maximum.
  double rest = std::exp(max - max) - 1.0;
  for (int64_t c = 0; c < line.channels; ++c) rest += c == top ? 0.0 : std::exp(x[line[c]] - max);
  std::vector<double> y;
  for (int64_t c = 0; c < line.channels; ++c) y.push_back(x[line[c]] - max - std::log1p(rest));
  return y;
}

}  // namespace

void softmax(const SoftmaxCall& call) {
  const Source x(call.x, call.dtype);
  Target y(call.y, call.dtype), entropy(call.entropy, call.dtype);
  for_each_line(call, [&](int64_t number, const Line& line) {
    const std::vector<double> log_p = log_softmax(x, line);
    double sum = 0.0;
    for (int64_t c = 0; c < line.channels; ++c) {
      const double l = log_p[static_cast<std::size_t>(c)], p = std::exp(l);
      y.set(line[c], call.kind == SoftmaxKind::log_softmax ? l : p);
      sum -= p == 0.0 ? 0.0 : p * l;
    }
    if (call.kind == SoftmaxKind::entropy) entropy.set(number, sum);
  });
}

void softmax_backward(const SoftmaxBackwardCall& call) {
  const Source y(call.y, call.dtype), entropy(call.entropy, call.dtype), dy(call.dy, call.dtype);
  Target dx(call.dx, call.dtype);
  for_each_line(call, [&](int64_t number, const Line& line) {
    double sum = 0.0;  // of dy, or of dy y
    if (call.kind != SoftmaxKind::entropy) {
      for (int64_t c = 0; c < line.channels; ++c) {
        sum += dy[line[c]] * (call.kind == SoftmaxKind::softmax ? y[line[c]] : 1.0);
      }
    }
    for (int64_t c = 0; c < line.channels; ++c) {
      const double p = y[line[c]];
      switch (call.kind) {
        case SoftmaxKind::softmax:
          dx.set(line[c], p * (dy[line[c]] - sum));
          break;
        case SoftmaxKind::log_softmax:
          dx.set(line[c], dy[line[c]] - std::exp(p) * sum);
          break;
        case SoftmaxKind::entropy:
          dx.set(line[c], p == 0.0 ? 0.0 : -p * (std::log(p) + entropy[number]) * dy[number]);
          break;
      }
    }
  });
}

}  // namespace cbnet::reference
