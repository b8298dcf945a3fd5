#include "tensor/cpu/kernels/im2col.h"

namespace cbnet::kernels {
namespace {

/// Calls visit(row of columns, column index, pixel index or -1 in the padding) in the order of `columns`.
template <class Visit>
void for_each_tap(const Im2colDims& d, Visit visit) {
  std::int64_t column = 0;
  for (std::int64_t c = 0; c < d.channels; ++c) {
    for (std::int64_t ky = 0; ky < d.kernel_h; ++ky) {
      for (std::int64_t kx = 0; kx < d.kernel_w; ++kx) {
        for (std::int64_t oy = 0; oy < d.out_h; ++oy) {
          const std::int64_t y = oy * d.stride_h + ky * d.dilation_h - d.pad_h;
          const bool row_inside = y >= 0 && y < d.height;
          for (std::int64_t ox = 0; ox < d.out_w; ++ox, ++column) {
            const std::int64_t x = ox * d.stride_w + kx * d.dilation_w - d.pad_w;
            visit(column, row_inside && x >= 0 && x < d.width ? (c * d.height + y) * d.width + x : -1);
          }
        }
      }
    }
  }
}

}  // namespace

template <class T>
void im2col(const T* image, const Im2colDims& dims, T* columns) {
  for_each_tap(dims, [&](std::int64_t column, std::int64_t pixel) {
    columns[column] = pixel >= 0 ? image[pixel] : T(0);
  });
}

template <class T>
void col2im(const T* columns, const Im2colDims& dims, T* image) {
  for_each_tap(dims, [&](std::int64_t column, std::int64_t pixel) {
    if (pixel >= 0) image[pixel] += columns[column];
  });
}

template void im2col<float>(const float*, const Im2colDims&, float*);
template void im2col<double>(const double*, const Im2colDims&, double*);
template void col2im<float>(const float*, const Im2colDims&, float*);
template void col2im<double>(const double*, const Im2colDims&, double*);

}  // namespace cbnet::kernels
