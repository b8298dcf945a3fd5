#include "tensor/windows.h"

#include <algorithm>
#include <limits>

#include "tensor/error.h"
#include "tensor/shape.h"

namespace cbnet {
namespace {

using std::int32_t;
using std::int64_t;

constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max();  // products of two stay in int64

struct Line {
  int64_t size, kernel, stride, before, after, dilation;
};

int64_t count(const Line& line, bool ceil_mode) {
  const int64_t room = line.size + line.before + line.after - line.dilation * (line.kernel - 1) - 1;
  if (room < 0) return 0;
  const int64_t whole = room / line.stride + 1;
  const bool partial = ceil_mode && room % line.stride != 0 && whole * line.stride < line.size + line.before;
  return partial ? whole + 1 : whole;
}

}  // namespace

Shape window_shape(const char* where, const Shape& planes, int64_t channels, const Window2d& window) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = window;
  require(planes.size() == 3, where, "needs planes (C,H,W); got ", planes);
  for (const int64_t size : {kernel.h, kernel.w, stride.h, stride.w, dilation.h, dilation.w})
    require(size >= 1 && size <= kMaxSize, where, "kernel_size, stride and dilation must be 1 to ", kMaxSize,
            "; got ", size);
  for (const int64_t size : {padding.top, padding.left, padding.bottom, padding.right})
    require(size >= 0 && size <= kMaxSize, where, "padding must be 0 to ", kMaxSize, "; got ", size);
  require(planes[1] >= 1 && planes[2] >= 1, where, "images must have pixels; got ", planes);
  for (const int64_t size : planes)
    require(size <= kMaxSize, where, "sizes must be at most ", kMaxSize, "; got ", planes);
  const Line rows{planes[1], kernel.h, stride.h, padding.top, padding.bottom, dilation.h};
  const Line columns{planes[2], kernel.w, stride.w, padding.left, padding.right, dilation.w};
  Shape out = {channels, count(rows, ceil_mode), count(columns, ceil_mode)};
  require(out[1] >= 1 && out[2] >= 1, where, "the kernel is larger than the padded input ", planes);
  return out;
}

Shape pool_shape(const char* where, const Shape& planes, const Window2d& window) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = window;
  Shape out = window_shape(where, planes, planes.empty() ? 0 : planes[0], window);
  const Pair reach((kernel.h - 1) * dilation.h + 1, (kernel.w - 1) * dilation.w + 1);
  require(std::max(padding.top, padding.bottom) < reach.h && std::max(padding.left, padding.right) < reach.w,
          where, "padding must be less than the kernel ", Shape{reach.h, reach.w}, "; got ",
          Shape{padding.top, padding.left, padding.bottom, padding.right});
  require(!ceil_mode || padding.is_symmetric(), where, "ceil_mode needs the same padding on opposite sides");
  return out;
}

Pool2dDims pool2d_dims(const char* op, int64_t planes, int64_t h, int64_t w, const Pool2dOptions& o) {
  const Window2d window = {{o.kernel_h, o.kernel_w},
                           {o.stride_h, o.stride_w},
                           Pair(o.padding_h, o.padding_w),
                           {o.dilation_h, o.dilation_w},
                           o.ceil_mode};
  const Shape out = pool_shape(op, {1, h, w}, window);
  require(h <= std::numeric_limits<int32_t>::max() / w, op, "H * W must fit 31 bits; got ", h, " and ", w);
  return {planes,     h,          w,           out[1],      out[2],       o.kernel_h,  o.kernel_w,
          o.stride_h, o.stride_w, o.padding_h, o.padding_w, o.dilation_h, o.dilation_w};
}

}  // namespace cbnet
