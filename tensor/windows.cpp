#include "tensor/windows.h"

#include <algorithm>
#include <limits>

#include "tensor/error.h"
#include "tensor/shape.h"

namespace cbnet {
namespace {

using std::int32_t;
using std::int64_t;

int64_t output_size(const char* op, const char* axis, int64_t size, int64_t kernel, int64_t stride,
                    int64_t padding, int64_t dilation, bool ceil_mode) {
  require(kernel >= 1 && stride >= 1 && dilation >= 1, op,
          "kernel_size, stride and dilation must be positive; got ", kernel, ", ", stride, ", ", dilation,
          " along ", axis);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  require(std::max({kernel, stride, dilation, padding, size}) <= kMost, op,
          "kernel_size, stride, dilation, padding and size must fit 31 bits; got ", kernel, ", ", stride,
          ", ", dilation, ", ", padding, ", ", size, " along ", axis);
  const int64_t extent = dilation * (kernel - 1) + 1;
  require(padding >= 0 && padding <= extent / 2, op,
          "padding must be between 0 and half the dilated kernel; got padding ", padding, ", dilated kernel ",
          extent, " along ", axis);
  const int64_t out = window_count(size, kernel, stride, padding, dilation, ceil_mode);
  require(size >= 1 && out >= 1, op, "a window must fit the padded input; got size ", size, ", padding ",
          padding, ", dilated kernel ", extent, " along ", axis);
  return out;
}

}  // namespace

Pool2dDims pool2d_dims(const char* op, int64_t planes, int64_t h, int64_t w, const Pool2dOptions& options) {
  const Pool2dOptions& o = options;
  const int64_t oh = output_size(op, "H", h, o.kernel_h, o.stride_h, o.padding_h, o.dilation_h, o.ceil_mode);
  const int64_t ow = output_size(op, "W", w, o.kernel_w, o.stride_w, o.padding_w, o.dilation_w, o.ceil_mode);
  require(h <= std::numeric_limits<int32_t>::max() / w, op, "H * W must fit 31 bits; got ", h, " and ", w);
  return {planes,     h,          w,           oh,          ow,           o.kernel_h,  o.kernel_w,
          o.stride_h, o.stride_w, o.padding_h, o.padding_w, o.dilation_h, o.dilation_w};
}

}  // namespace cbnet
