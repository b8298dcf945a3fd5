#include "tensor/reference/functions.h"

namespace cbnet::reference {

void gemm(const GemmCall& call) {
  const Source a(call.a, call.dtype), b(call.b, call.dtype);
  Target c(call.c, call.dtype);
  const int64_t m = call.m, n = call.n, k = call.k;
  for (int64_t matrix = 0; matrix < call.batch; ++matrix) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (int64_t p = 0; p < k; ++p) {
          sum += a[matrix * m * k + (call.transpose_a ? p * m + i : i * k + p)] *
                 b[matrix * k * n + (call.transpose_b ? j * k + p : p * n + j)];
        }
        const int64_t to = (matrix * m + i) * n + j;
        c.set(to, call.beta == 0.0 ? sum : call.beta * c[to] + sum);
      }
    }
  }
}

namespace {

/// Calls visit(where in y, in x, in the weight) for every product that a convolution adds up.
template <class Visit>
void for_each_product(const Conv2dSizes& s, Visit visit) {
  const Conv2dOptions& o = s.options;
  const int64_t channels = s.c / o.groups, outputs = s.o / o.groups;  // of a group
  const int64_t outer[] = {s.n, s.o, s.oh, s.ow}, inner[] = {channels, s.kh, s.kw};
  for_each(outer, [&](const Index& y) {
    const int64_t to = ((y[0] * s.o + y[1]) * s.oh + y[2]) * s.ow + y[3];
    for_each(inner, [&](const Index& w) {
      const int64_t row = y[2] * o.stride_h - o.padding_h + w[1] * o.dilation_h;
      const int64_t column = y[3] * o.stride_w - o.padding_w + w[2] * o.dilation_w;
      if (row < 0 || row >= s.h || column < 0 || column >= s.w) return;  // padding is 0
      const int64_t channel = y[1] / outputs * channels + w[0];
      visit(to, ((y[0] * s.c + channel) * s.h + row) * s.w + column,
            ((y[1] * channels + w[0]) * s.kh + w[1]) * s.kw + w[2]);
    });
  });
}

/// Stores sums, where somebody asks for them.
void store(const std::vector<double>& sums, void* to, DType dtype) {
  Target target(to, dtype);
  for (std::size_t i = 0; to != nullptr && i < sums.size(); ++i) target.set(static_cast<int64_t>(i), sums[i]);
}

}  // namespace

void conv2d(const Conv2dCall& call) {
  const Conv2dSizes& s = call.sizes;
  const Source x(call.x, call.dtype), weight(call.weight, call.dtype), bias(call.bias, call.dtype);
  const int64_t pixels = s.oh * s.ow;
  std::vector<double> y(static_cast<std::size_t>(s.n * s.o * pixels), 0.0);
  for (std::size_t i = 0; bias && i < y.size(); ++i) y[i] = bias[static_cast<int64_t>(i) / pixels % s.o];
  for_each_product(s, [&](int64_t to, int64_t from, int64_t tap) {
    y[static_cast<std::size_t>(to)] += x[from] * weight[tap];
  });
  store(y, call.y, call.dtype);
}

void conv2d_backward(const Conv2dBackwardCall& call) {
  const Conv2dSizes& s = call.sizes;
  const Source x(call.x, call.dtype), weight(call.weight, call.dtype), dy(call.dy, call.dtype);
  const int64_t pixels = s.oh * s.ow;
  std::vector<double> dx(static_cast<std::size_t>(s.n * s.c * s.h * s.w), 0.0);
  std::vector<double> dweight(static_cast<std::size_t>(s.o * (s.c / s.options.groups) * s.kh * s.kw), 0.0);
  std::vector<double> dbias(static_cast<std::size_t>(s.o), 0.0);
  for_each_product(s, [&](int64_t to, int64_t from, int64_t tap) {
    dx[static_cast<std::size_t>(from)] += dy[to] * weight[tap];
    dweight[static_cast<std::size_t>(tap)] += dy[to] * x[from];
  });
  for (int64_t i = 0; i < s.n * s.o * pixels; ++i) dbias[static_cast<std::size_t>(i / pixels % s.o)] += dy[i];
  store(dx, call.dx, call.dtype);
  store(dweight, call.dweight, call.dtype);
  store(dbias, call.dbias, call.dtype);
}

}  // namespace cbnet::reference
