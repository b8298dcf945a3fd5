#include "tensor/cpu/kernels/pool2d.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tensor/parallel.h"

namespace cbnet::kernels {
namespace {

using std::int32_t;
using std::int64_t;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Planes that are worth a thread of their own.
int64_t plane_grain(const Pool2dDims& d) {
  constexpr int64_t kGrainElements = 1 << 14;
  return kGrainElements / std::max<int64_t>(d.h * d.w, 1) + 1;
}

/// The taps k of a window for which 0 <= start + k * dilation < size.
struct Taps {
  int64_t begin, end;
  Taps(int64_t start, int64_t kernel, int64_t dilation, int64_t size)
      : begin(start < 0 ? ceil_div(-start, dilation) : 0),
        end(start < size ? std::min(kernel, ceil_div(size - start, dilation)) : 0) {}
};

template <class T>
void max_plane(const T* x, T* y, int32_t* argmax, const Pool2dDims& d) {
  for (int64_t i = 0; i < d.oh; ++i) {
    const int64_t top = i * d.stride_h - d.pad_h;
    const Taps rows(top, d.kernel_h, d.dilation_h, d.h);
    for (int64_t j = 0; j < d.ow; ++j) {
      const int64_t left = j * d.stride_w - d.pad_w;
      const Taps columns(left, d.kernel_w, d.dilation_w, d.w);
      T best = -std::numeric_limits<T>::infinity();
      int64_t where = -1;
      for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
        const int64_t row = (top + ky * d.dilation_h) * d.w;
        for (int64_t kx = columns.begin; kx < columns.end; ++kx) {
          const int64_t at = row + left + kx * d.dilation_w;
          // A NaN wins, and then stays; the first element wins even when it is -inf.
          if (where < 0 || (!(x[at] <= best) && best == best)) {
            best = x[at];
            where = at;
          }
        }
      }
      y[i * d.ow + j] = best;
      if (argmax != nullptr) argmax[i * d.ow + j] = static_cast<int32_t>(where);
    }
  }
}

// The 2 x 2 windows with stride 2 and no padding of LeNet. They do not overlap, so both directions work on
// a pair of input rows at a time and the backward pass writes each element once. Four windows at a time
// through the compilers' vector extension: the compilers do not vectorise these loops by themselves.

bool is_halving(const Pool2dDims& d) {
  return d.kernel_h == 2 && d.kernel_w == 2 && d.stride_h == 2 && d.stride_w == 2 && d.pad_h == 0 &&
         d.pad_w == 0 && d.dilation_h == 1 && d.dilation_w == 1;
}

constexpr int64_t kLanes = 4;
using FloatLanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntLanes = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));

template <class Lanes, class T>
Lanes load(const T* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

template <class Lanes, class T>
void store(T* to, const Lanes& lanes) {
  std::memcpy(to, &lanes, sizeof(lanes));
}

/// Two input rows of a plane: `bottom` is `top` again where the last window hangs over the edge. `first` and
/// `down` are the position of top[0] in the plane and the distance to bottom[0].
template <class T>
struct RowPair {
  const T* top;
  const T* bottom;
  int32_t first, down;
};

template <bool kWantArgmax, class T>
void max_window(const RowPair<T>& rows, int64_t j, int64_t columns, T* y, int32_t* argmax) {
  T best = rows.top[2 * j];
  int32_t where = 0;
  const auto take = [&](T value, int32_t at) {
    if (!(value <= best) && best == best) {
      best = value;
      where = at;
    }
  };
  if (columns == 2) take(rows.top[2 * j + 1], 1);
  take(rows.bottom[2 * j], rows.down);
  if (columns == 2) take(rows.bottom[2 * j + 1], rows.down + 1);
  y[j] = best;
  if (kWantArgmax) argmax[j] = rows.first + static_cast<int32_t>(2 * j) + where;
}

/// Windows j to j + 3. kNarrow: the last of them hangs over the right edge, so its only column stands twice,
/// and the vectors start one column early to end with the row.
template <bool kWantArgmax, bool kNarrow>
[[gnu::always_inline]] inline void max_windows(RowPair<float> rows, int64_t j, float* y, int32_t* argmax) {
  if (kNarrow) {
    --rows.top;
    --rows.bottom;
  }
  const auto left = [](const FloatLanes& a, const FloatLanes& b) -> FloatLanes {
    return kNarrow ? __builtin_shufflevector(a, b, 1, 3, 5, 7) : __builtin_shufflevector(a, b, 0, 2, 4, 6);
  };
  const auto right = [](const FloatLanes& a, const FloatLanes& b) -> FloatLanes {
    return kNarrow ? __builtin_shufflevector(a, b, 2, 4, 6, 7) : __builtin_shufflevector(a, b, 1, 3, 5, 7);
  };
  const auto top0 = load<FloatLanes>(rows.top + 2 * j);
  const auto top1 = load<FloatLanes>(rows.top + 2 * j + kLanes);
  const auto bottom0 = load<FloatLanes>(rows.bottom + 2 * j);
  const auto bottom1 = load<FloatLanes>(rows.bottom + 2 * j + kLanes);
  const auto wins = [](const FloatLanes& value, const FloatLanes& best) -> IntLanes {
    return ~(value <= best) & (best == best);
  };
  // Left against right in each row, then the rows' winners: the first of equals still wins.
  const FloatLanes top_left = left(top0, top1);
  const FloatLanes top_right = right(top0, top1);
  const FloatLanes bottom_left = left(bottom0, bottom1);
  const FloatLanes bottom_right = right(bottom0, bottom1);
  const IntLanes top_wins = wins(top_right, top_left);
  const IntLanes bottom_wins = wins(bottom_right, bottom_left);
  const FloatLanes top = top_wins ? top_right : top_left;
  const FloatLanes bottom = bottom_wins ? bottom_right : bottom_left;
  const IntLanes down_wins = wins(bottom, top);
  store(y + j, down_wins ? bottom : top);
  if (kWantArgmax) {
    IntLanes where = {0, 2, 4, 6};
    where += rows.first + static_cast<int32_t>(2 * j);
    // A mask that is set is -1.
    where += down_wins ? rows.down - bottom_wins : -top_wins;
    store(argmax + j, where);
  }
}

template <bool kWantArgmax, class T>
void halve_plane(const T* x, T* y, int32_t* argmax, const Pool2dDims& d) {
  const int64_t full = std::min(d.ow, d.w / 2);
  for (int64_t i = 0; i < d.oh; ++i) {
    const bool hangs = 2 * i + 1 == d.h;
    const T* top = x + 2 * i * d.w;
    const RowPair<T> rows{top, hangs ? top : top + d.w, static_cast<int32_t>(2 * i * d.w),
                          hangs ? 0 : static_cast<int32_t>(d.w)};
    T* to = y + i * d.ow;
    int32_t* where = kWantArgmax ? argmax + i * d.ow : nullptr;
    int64_t j = 0;
    if constexpr (sizeof(T) == sizeof(float)) {
      if (full >= kLanes) {
        for (; j + kLanes <= full; j += kLanes) max_windows<kWantArgmax, false>(rows, j, to, where);
        // Some of the last windows again rather than one by one: they come out the same.
        if (full < d.ow) {
          max_windows<kWantArgmax, true>(rows, d.ow - kLanes, to, where);
        } else if (j < full) {
          max_windows<kWantArgmax, false>(rows, full - kLanes, to, where);
        }
        continue;
      }
    }
    for (; j < d.ow; ++j) max_window<kWantArgmax>(rows, j, j < full ? 2 : 1, to, where);
  }
}

/// Where gradients of a pair of rows go; `bottom` is null where the last window hangs over the edge.
template <class T>
struct GradientRows {
  T* top;
  T* bottom;
  int32_t first, down;
};

template <class T>
void spread_window(const GradientRows<T>& rows, int64_t j, int64_t columns, const T* dy,
                   const int32_t* argmax) {
  const int32_t where = argmax[j] - rows.first - static_cast<int32_t>(2 * j);
  for (int32_t kx = 0; kx < columns; ++kx) {
    rows.top[2 * j + kx] = where == kx ? dy[j] : T(0);
    if (rows.bottom != nullptr) rows.bottom[2 * j + kx] = where == rows.down + kx ? dy[j] : T(0);
  }
}

template <bool kNarrow>
[[gnu::always_inline]] inline void spread_windows(const GradientRows<float>& rows, int64_t j, const float* dy,
                                                  const int32_t* argmax) {
  const auto gradient = load<FloatLanes>(dy + j);
  const auto where = load<IntLanes>(argmax + j);
  IntLanes here = {0, 2, 4, 6};
  here += rows.first + static_cast<int32_t>(2 * j);
  const auto write_row = [&](float* row, const IntLanes& at) {
    const FloatLanes zero = {};
    const FloatLanes even = where == at ? gradient : zero;
    const FloatLanes odd = where == at + 1 ? gradient : zero;
    store(row + 2 * j, __builtin_shufflevector(even, odd, 0, 4, 1, 5));
    if (kNarrow) {
      store(row + 2 * j + kLanes - 1, __builtin_shufflevector(even, odd, 5, 2, 6, 3));
    } else {
      store(row + 2 * j + kLanes, __builtin_shufflevector(even, odd, 2, 6, 3, 7));
    }
  };
  write_row(rows.top, here);
  if (rows.bottom != nullptr) write_row(rows.bottom, here + rows.down);
}

template <class T>
void double_plane(const T* dy, const int32_t* argmax, T* dx, const Pool2dDims& d) {
  const int64_t full = std::min(d.ow, d.w / 2);
  const int64_t covered = std::min(d.w, 2 * d.ow);
  for (int64_t i = 0; i < d.oh; ++i) {
    T* top = dx + 2 * i * d.w;
    T* bottom = 2 * i + 1 == d.h ? nullptr : top + d.w;
    const GradientRows<T> rows{top, bottom, static_cast<int32_t>(2 * i * d.w), static_cast<int32_t>(d.w)};
    const T* from = dy + i * d.ow;
    const int32_t* where = argmax + i * d.ow;
    int64_t j = 0;
    if constexpr (sizeof(T) == sizeof(float)) {
      if (full >= kLanes) {
        for (; j + kLanes <= full; j += kLanes) spread_windows<false>(rows, j, from, where);
        if (full < d.ow) {
          spread_windows<true>(rows, d.ow - kLanes, from, where);
        } else if (j < full) {
          spread_windows<false>(rows, full - kLanes, from, where);
        }
        j = d.ow;
      }
    }
    for (; j < d.ow; ++j) spread_window(rows, j, j < full ? 2 : 1, from, where);
    for (int64_t column = covered; column < d.w; ++column) {
      top[column] = T(0);
      if (bottom != nullptr) bottom[column] = T(0);
    }
  }
  for (int64_t at = 2 * d.oh * d.w; at < d.h * d.w; ++at) dx[at] = T(0);
}

/// A window of avg_pool2d, clipped to the input, and what its sum is divided by.
struct AvgWindow {
  int64_t top, bottom, left, right, divisor;
  AvgWindow(const Pool2dDims& d, int64_t i, int64_t j, bool count_include_pad)
      : top(i * d.stride_h - d.pad_h),
        bottom(std::min(top + d.kernel_h, d.h + d.pad_h)),
        left(j * d.stride_w - d.pad_w),
        right(std::min(left + d.kernel_w, d.w + d.pad_w)),
        divisor((bottom - top) * (right - left)) {
    top = std::max<int64_t>(top, 0);
    bottom = std::min(bottom, d.h);
    left = std::max<int64_t>(left, 0);
    right = std::min(right, d.w);
    const int64_t inside = std::max<int64_t>(bottom - top, 0) * std::max<int64_t>(right - left, 0);
    // A window of padding only sums to 0 whatever it is divided by.
    if (!count_include_pad || inside == 0) divisor = std::max<int64_t>(inside, 1);
  }
};

}  // namespace

template <class T>
void max_pool2d(const T* x, T* y, int32_t* argmax, const Pool2dDims& d) {
  parallel_for(d.planes, plane_grain(d), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = x + p * d.h * d.w;
      T* to = y + p * d.oh * d.ow;
      int32_t* where = argmax == nullptr ? nullptr : argmax + p * d.oh * d.ow;
      if (!is_halving(d)) {
        max_plane(from, to, where, d);
      } else if (where == nullptr) {
        halve_plane<false>(from, to, where, d);
      } else {
        halve_plane<true>(from, to, where, d);
      }
    }
  });
}

template <class T>
void max_pool2d_backward(const T* dy, const int32_t* argmax, T* dx, const Pool2dDims& d) {
  parallel_for(d.planes, plane_grain(d), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = dy + p * d.oh * d.ow;
      const int32_t* where = argmax + p * d.oh * d.ow;
      T* to = dx + p * d.h * d.w;
      if (is_halving(d)) {
        double_plane(from, where, to, d);
        continue;
      }
      std::fill(to, to + d.h * d.w, T(0));
      for (int64_t at = 0; at < d.oh * d.ow; ++at) {
        if (where[at] >= 0) to[where[at]] += from[at];
      }
    }
  });
}

template <class T>
void avg_pool2d(const T* x, T* y, bool count_include_pad, const Pool2dDims& d) {
  parallel_for(d.planes, plane_grain(d), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = x + p * d.h * d.w;
      T* to = y + p * d.oh * d.ow;
      for (int64_t i = 0; i < d.oh; ++i) {
        for (int64_t j = 0; j < d.ow; ++j) {
          const AvgWindow window(d, i, j, count_include_pad);
          T sum = 0;
          for (int64_t row = window.top; row < window.bottom; ++row) {
            for (int64_t at = row * d.w + window.left; at < row * d.w + window.right; ++at) sum += from[at];
          }
          to[i * d.ow + j] = sum / static_cast<T>(window.divisor);
        }
      }
    }
  });
}

template <class T>
void avg_pool2d_backward(const T* dy, T* dx, bool count_include_pad, const Pool2dDims& d) {
  parallel_for(d.planes, plane_grain(d), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = dy + p * d.oh * d.ow;
      T* to = dx + p * d.h * d.w;
      std::fill(to, to + d.h * d.w, T(0));
      for (int64_t i = 0; i < d.oh; ++i) {
        for (int64_t j = 0; j < d.ow; ++j) {
          const AvgWindow window(d, i, j, count_include_pad);
          const T share = from[i * d.ow + j] / static_cast<T>(window.divisor);
          for (int64_t row = window.top; row < window.bottom; ++row) {
            for (int64_t at = row * d.w + window.left; at < row * d.w + window.right; ++at) to[at] += share;
          }
        }
      }
    }
  });
}

template void max_pool2d<float>(const float*, float*, int32_t*, const Pool2dDims&);
template void max_pool2d<double>(const double*, double*, int32_t*, const Pool2dDims&);
template void max_pool2d_backward<float>(const float*, const int32_t*, float*, const Pool2dDims&);
template void max_pool2d_backward<double>(const double*, const int32_t*, double*, const Pool2dDims&);
template void avg_pool2d<float>(const float*, float*, bool, const Pool2dDims&);
template void avg_pool2d<double>(const double*, double*, bool, const Pool2dDims&);
template void avg_pool2d_backward<float>(const float*, float*, bool, const Pool2dDims&);
template void avg_pool2d_backward<double>(const double*, double*, bool, const Pool2dDims&);

}  // namespace cbnet::kernels
