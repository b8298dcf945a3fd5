#include <algorithm>
#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {
namespace {

/// These are the elements of a window that lie in the input, and what their mean is divided by.
struct Window {
  std::vector<int64_t> elements;  // row * w + column
  double divisor = 0.0;

  Window(const Pool2dDims& d, int64_t i, int64_t j, bool count_include_pad) {
    int64_t padded = 0;
    for (int64_t ky = 0; ky < d.kernel_h; ++ky) {
      for (int64_t kx = 0; kx < d.kernel_w; ++kx) {
        const int64_t row = i * d.stride_h - d.pad_h + ky * d.dilation_h;
        const int64_t column = j * d.stride_w - d.pad_w + kx * d.dilation_w;
        if (row < d.h + d.pad_h && column < d.w + d.pad_w) ++padded;
        if (row < 0 || row >= d.h || column < 0 || column >= d.w) continue;
        elements.push_back(row * d.w + column);
      }
    }
    const int64_t inside = std::max<int64_t>(static_cast<int64_t>(elements.size()), 1);
    divisor = static_cast<double>(count_include_pad && !elements.empty() ? padded : inside);
  }
};

/// Calls visit(where in y, first element of its plane of x, window) for every window.
template <class Visit>
void for_each_window(const Pool2dDims& d, bool count_include_pad, Visit visit) {
  for (int64_t plane = 0; plane < d.planes; ++plane) {
    for (int64_t i = 0; i < d.oh; ++i) {
      for (int64_t j = 0; j < d.ow; ++j) {
        visit((plane * d.oh + i) * d.ow + j, plane * d.h * d.w, Window(d, i, j, count_include_pad));
      }
    }
  }
}

}  // namespace

void pool2d(const Pool2dCall& call) {
  const Source x(call.x, call.dtype);
  Target y(call.y, call.dtype);
  for_each_window(call.dims, call.count_include_pad, [&](int64_t to, int64_t plane, const Window& window) {
    double sum = 0.0, largest = -HUGE_VAL;
    int64_t where = -1;
    for (const int64_t element : window.elements) {
      const double value = x[plane + element];
      sum += value;
      // The first of equals wins; a NaN wins too, and then stays.
      if (where < 0 || value > largest || (std::isnan(value) && !std::isnan(largest))) {
        largest = value;
        where = element;
      }
    }
    y.set(to, call.average ? sum / window.divisor : largest);
    if (call.argmax != nullptr) call.argmax[to] = static_cast<std::int32_t>(where);
  });
}

void pool2d_backward(const Pool2dBackwardCall& call) {
  const Pool2dDims& d = call.dims;
  const Source dy(call.dy, call.dtype);
  Target dx(call.dx, call.dtype);
  std::vector<double> sums(static_cast<std::size_t>(d.planes * d.h * d.w), 0.0);
  for_each_window(d, call.count_include_pad, [&](int64_t from, int64_t plane, const Window& window) {
    for (const int64_t element : window.elements) {
      double& sum = sums[static_cast<std::size_t>(plane + element)];
      if (call.average) sum += dy[from] / window.divisor;
      if (!call.average && call.argmax[from] == element) sum += dy[from];
    }
  });
  for (std::size_t i = 0; i < sums.size(); ++i) dx.set(static_cast<int64_t>(i), sums[i]);
}

}  // namespace cbnet::reference
