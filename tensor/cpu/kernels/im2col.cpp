#include "tensor/cpu/kernels/im2col.h"

namespace cbnet::kernels {
namespace {

/// Calls visit(row of columns, column index, pixel index or -1 in the padding) in the order of `columns`.
template <class Visit>
void for_each_tap(const Conv2dSizes& s, Visit visit) {
  const Conv2dOptions& o = s.options;
  std::int64_t column = 0;
  for (std::int64_t c = 0; c < s.c / o.groups; ++c) {
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      for (std::int64_t kx = 0; kx < s.kw; ++kx) {
        for (std::int64_t oy = 0; oy < s.oh; ++oy) {
          const std::int64_t y = oy * o.stride_h + ky * o.dilation_h - o.padding_h;
          const bool row_inside = y >= 0 && y < s.h;
          for (std::int64_t ox = 0; ox < s.ow; ++ox, ++column) {
            const std::int64_t x = ox * o.stride_w + kx * o.dilation_w - o.padding_w;
            visit(column, row_inside && x >= 0 && x < s.w ? (c * s.h + y) * s.w + x : -1);
          }
        }
      }
    }
  }
}

}  // namespace

template <class T>
void im2col(const T* image, const Conv2dSizes& sizes, T* columns) {
  for_each_tap(sizes, [&](std::int64_t column, std::int64_t pixel) {
    columns[column] = pixel >= 0 ? image[pixel] : T(0);
  });
}

template <class T>
void col2im(const T* columns, const Conv2dSizes& sizes, T* image) {
  for_each_tap(sizes, [&](std::int64_t column, std::int64_t pixel) {
    if (pixel >= 0) image[pixel] += columns[column];
  });
}

template void im2col<float>(const float*, const Conv2dSizes&, float*);
template void im2col<double>(const double*, const Conv2dSizes&, double*);
template void col2im<float>(const float*, const Conv2dSizes&, float*);
template void col2im<double>(const double*, const Conv2dSizes&, double*);

}  // namespace cbnet::kernels
