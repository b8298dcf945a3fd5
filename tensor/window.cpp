#include "tensor/window.h"

#include <algorithm>

#include "tensor/error.h"

namespace cbnet {
namespace {

/// Far above any image, far below what overflows a product of two.
constexpr std::int64_t kMaxSize = std::int64_t{1} << 28;

struct Line {
  std::int64_t size, kernel, stride, before, after, dilation;
};

std::int64_t count(const Line& line, bool ceil_mode) {
  const std::int64_t room = line.size + line.before + line.after - line.dilation * (line.kernel - 1) - 1;
  if (room < 0) return 0;
  const std::int64_t whole = room / line.stride + 1;
  const bool partial = ceil_mode && room % line.stride != 0 && whole * line.stride < line.size + line.before;
  return partial ? whole + 1 : whole;
}

}  // namespace

Shape window_shape(const char* where, const Shape& planes, std::int64_t channels, const Window2d& window) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = window;
  require(planes.size() == 3, where, "needs planes (C,H,W); got ", planes);
  for (const std::int64_t size : {kernel.h, kernel.w, stride.h, stride.w, dilation.h, dilation.w})
    require(size >= 1 && size <= kMaxSize, where, "kernel_size, stride and dilation must be 1 to ", kMaxSize,
            "; got ", size);
  for (const std::int64_t size : {padding.top, padding.left, padding.bottom, padding.right})
    require(size >= 0 && size <= kMaxSize, where, "padding must be 0 to ", kMaxSize, "; got ", size);
  for (const std::int64_t size : planes)
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
  if (padding.is_symmetric()) {
    require(2 * padding.top <= reach.h && 2 * padding.left <= reach.w, where,
            "padding must be at most half of the kernel ", Shape{reach.h, reach.w}, "; got ",
            Shape{padding.top, padding.left});
  } else {
    require(
        std::max(padding.top, padding.bottom) < reach.h && std::max(padding.left, padding.right) < reach.w,
        where, "padding must be less than the kernel ", Shape{reach.h, reach.w});
    require(!ceil_mode, where, "ceil_mode needs the same padding on opposite sides");
  }
  return out;
}

}  // namespace cbnet
