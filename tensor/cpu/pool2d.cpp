// `pool2d` and `pool2d_backward` in tensor/reference/pool2d.cpp define what this file computes. Planes are
// independent and are spread over the threads.
#include <cstring>
#include <limits>
#include <type_traits>

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

using std::int32_t;
using std::int64_t;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// These are the taps k of a window for which 0 <= start + k * dilation < size.
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

// LeNet has 2 x 2 windows with stride 2 and no padding. They do not overlap, so both directions work on a
// pair of rows at a time and the backward pass writes each element once:
//
//   top      a b | a b | …
//   bottom   c d | c d | …
//
// The winner of each row is found, left before right, then that of the rows: the first of equals wins, and a
// NaN. A window that hangs over an edge has a again for b, or a and b for c and d.
//
// Four windows of f32 go at a time, by the vector extension of compilers that do not vectorise such loops
// themselves; the code is the same for one window.

bool is_halving(const Pool2dDims& d) {
  return d.kernel_h == 2 && d.kernel_w == 2 && d.stride_h == 2 && d.stride_w == 2 && d.pad_h == 0 &&
         d.pad_w == 0 && d.dilation_h == 1 && d.dilation_w == 1;
}

constexpr int64_t kLanes = 4;
using FloatLanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntLanes = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));

template <class V, class T>
V load(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class T, class V>
void store(T* to, const V& v) {
  std::memcpy(to, &v, sizeof v);
}

/// These are the left and right columns of one row of the windows.
template <class V>
struct Columns {
  V left, right;
};
template <class T>
Columns<T> columns_at(const T* row, bool both) {
  return {row[0], row[both ? 1 : 0]};
}
/// Loads those of four windows. Where kNarrow, the last of them hangs over the right edge, so its only column
/// stands twice, and the vectors start one column early to end with the row.
template <bool kNarrow>
[[gnu::always_inline]] inline Columns<FloatLanes> four_columns_at(const float* row) {
  row -= kNarrow ? 1 : 0;
  const auto a = load<FloatLanes>(row), b = load<FloatLanes>(row + kLanes);
  if constexpr (kNarrow)
    return {__builtin_shufflevector(a, b, 1, 3, 5, 7), __builtin_shufflevector(a, b, 2, 4, 6, 7)};
  return {__builtin_shufflevector(a, b, 0, 2, 4, 6), __builtin_shufflevector(a, b, 1, 3, 5, 7)};
}

/// Stores the largest of each window; `here` is the position of a in the plane, `down` the way from there to
/// c. argmax may be null.
template <class T, class V, class I>
[[gnu::always_inline]] inline void max_windows(const Columns<V>& top, const Columns<V>& bottom, I here,
                                               int32_t down, T* y, int32_t* argmax) {
  const auto stays = [](const V& best, const V& value) { return (value <= best) | (best != best); };
  const auto a = stays(top.left, top.right), c = stays(bottom.left, bottom.right);
  const V above = a ? top.left : top.right, below = c ? bottom.left : bottom.right;
  const auto first = stays(above, below);
  store(y, V(first ? above : below));
  if (argmax != nullptr) {
    const I zero{}, one = zero + 1;
    store(argmax, I(here + (first ? I(a ? zero : one) : I((c ? zero : one) + down))));
  }
}

/// Returns dy where the maximum stood, else 0.
template <class V, class I>
[[gnu::always_inline]] inline Columns<V> spread(const V& dy, const I& argmax, const I& here) {
  const V zero{};
  return {argmax == here ? dy : zero, argmax == here + 1 ? dy : zero};
}
template <class T>
void store_columns(T* row, const Columns<T>& columns, bool both) {
  row[0] = columns.left;
  if (both) row[1] = columns.right;
}
template <bool kNarrow>
[[gnu::always_inline]] inline void store_four_columns(float* row, const Columns<FloatLanes>& c) {
  store(row, __builtin_shufflevector(c.left, c.right, 0, 4, 1, 5));
  if constexpr (kNarrow)
    store(row + kLanes - 1, __builtin_shufflevector(c.left, c.right, 5, 2, 6, 3));
  else
    store(row + kLanes, __builtin_shufflevector(c.left, c.right, 2, 6, 3, 7));
}

/// Calls four(j, whether its last window is narrow, as a type) for windows j to j + 3, or one(j, whether it
/// has both columns), until a row of windows is done. The last four may take some again, which come out the
/// same.
template <class T, class Four, class One>
[[gnu::always_inline]] inline void for_each_window(const Pool2dDims& d, Four four, One one) {
  const int64_t full = std::min(d.ow, d.w / 2);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (full >= kLanes) {
      int64_t j = 0;
      for (; j + kLanes <= full; j += kLanes) four(j, std::false_type());
      if (full < d.ow)
        four(d.ow - kLanes, std::true_type());
      else if (j < full)
        four(full - kLanes, std::false_type());
      return;
    }
  }
  for (int64_t j = 0; j < d.ow; ++j) one(j, j < full);
}

constexpr IntLanes kEvens = {0, 2, 4, 6};

template <bool kWithArgmax, class T>
void halve_plane(const T* x, T* y, int32_t* argmax, const Pool2dDims& d) {
  for (int64_t i = 0; i < d.oh; ++i, y += d.ow, argmax += kWithArgmax ? d.ow : 0) {
    const T* top = x + 2 * i * d.w;
    const int64_t down = 2 * i + 1 == d.h ? 0 : d.w;
    const auto at = [&](int64_t j) { return static_cast<int32_t>(2 * i * d.w + 2 * j); };
    const auto where = [&](int64_t j) { return kWithArgmax ? argmax + j : nullptr; };
    const auto four = [&](int64_t j, auto narrow) {
      if constexpr (sizeof(T) == sizeof(float)) {
        max_windows(four_columns_at<narrow>(top + 2 * j), four_columns_at<narrow>(top + down + 2 * j),
                    kEvens + at(j), static_cast<int32_t>(down), y + j, where(j));
      }
    };
    for_each_window<T>(d, four, [&](int64_t j, bool both) {
      max_windows(columns_at(top + 2 * j, both), columns_at(top + down + 2 * j, both), at(j),
                  static_cast<int32_t>(down), y + j, where(j));
    });
  }
}

template <class T>
void double_plane(const T* dy, const int32_t* argmax, T* dx, const Pool2dDims& d) {
  const int64_t covered = std::min(d.w, 2 * d.ow);
  for (int64_t i = 0; i < d.oh; ++i, dy += d.ow, argmax += d.ow) {
    for (int64_t row = 2 * i; row < std::min(2 * i + 2, d.h); ++row) {
      T* const to = dx + row * d.w;
      const auto at = [&](int64_t j) { return static_cast<int32_t>(row * d.w + 2 * j); };
      const auto four = [&](int64_t j, auto narrow) {
        if constexpr (sizeof(T) == sizeof(float)) {
          store_four_columns<narrow>(
              to + 2 * j, spread(load<FloatLanes>(dy + j), load<IntLanes>(argmax + j), kEvens + at(j)));
        }
      };
      for_each_window<T>(d, four, [&](int64_t j, bool both) {
        store_columns(to + 2 * j, spread(dy[j], argmax[j], at(j)), both);
      });
      std::fill(to + covered, to + d.w, T(0));
    }
  }
  std::fill(dx + std::min(2 * d.oh, d.h) * d.w, dx + d.h * d.w, T(0));
}

/// This is a window of avg_pool2d, clipped to the input, and what its sum is divided by.
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
    // A window of nothing but padding sums to 0 whatever it is divided by.
    if (!count_include_pad || inside == 0) divisor = std::max<int64_t>(inside, 1);
  }
  template <class Visit>
  void for_each_element(const Pool2dDims& d, Visit visit) const {
    for (int64_t row = top; row < bottom; ++row) {
      for (int64_t at = row * d.w + left; at < row * d.w + right; ++at) visit(at);
    }
  }
};

/// Calls fn(plane of the input, plane of the output, number of the plane) for every plane.
template <class X, class Y, class Fn>
void for_each_plane(const Pool2dDims& d, X* x, Y* y, Fn fn) {
  constexpr int64_t kGrain = 1 << 14;
  parallel_for(d.planes, kGrain / std::max<int64_t>(d.h * d.w, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) fn(x + p * d.h * d.w, y + p * d.oh * d.ow, p * d.oh * d.ow);
  });
}

template <class T>
void max_pool(const Pool2dCall& call) {
  for_each_plane(call.dims, as<T>(call.x), as<T>(call.y), [&](const T* x, T* y, int64_t first) {
    if (call.argmax == nullptr) {
      (is_halving(call.dims) ? halve_plane<false, T> : max_plane<T>)(x, y, nullptr, call.dims);
    } else {
      (is_halving(call.dims) ? halve_plane<true, T> : max_plane<T>)(x, y, call.argmax + first, call.dims);
    }
  });
}

template <class T>
void max_pool_backward(const Pool2dBackwardCall& call) {
  const Pool2dDims& d = call.dims;
  for_each_plane(d, as<T>(call.dx), as<T>(call.dy), [&](T* dx, const T* dy, int64_t first) {
    const int32_t* const argmax = call.argmax + first;
    if (is_halving(d)) return double_plane(dy, argmax, dx, d);
    std::fill(dx, dx + d.h * d.w, T(0));
    for (int64_t at = 0; at < d.oh * d.ow; ++at) {
      if (argmax[at] >= 0) dx[argmax[at]] += dy[at];
    }
  });
}

template <class T>
void avg_pool(const Pool2dCall& call) {
  const Pool2dDims& d = call.dims;
  for_each_plane(d, as<T>(call.x), as<T>(call.y), [&](const T* x, T* y, int64_t) {
    for (int64_t at = 0; at < d.oh * d.ow; ++at) {
      const AvgWindow window(d, at / d.ow, at % d.ow, call.count_include_pad);
      T sum = 0;
      window.for_each_element(d, [&](int64_t element) { sum += x[element]; });
      y[at] = sum / static_cast<T>(window.divisor);
    }
  });
}

template <class T>
void avg_pool_backward(const Pool2dBackwardCall& call) {
  const Pool2dDims& d = call.dims;
  for_each_plane(d, as<T>(call.dx), as<T>(call.dy), [&](T* dx, const T* dy, int64_t) {
    std::fill(dx, dx + d.h * d.w, T(0));
    for (int64_t at = 0; at < d.oh * d.ow; ++at) {
      const AvgWindow window(d, at / d.ow, at % d.ow, call.count_include_pad);
      const T part = dy[at] / static_cast<T>(window.divisor);
      window.for_each_element(d, [&](int64_t element) { dx[element] += part; });
    }
  });
}

}  // namespace

template <class T>
void pool2d_of(const Pool2dCall& call) {
  call.average ? avg_pool<T>(call) : max_pool<T>(call);
}
CBNET_BY_DTYPE(pool2d, Pool2dCall)

template <class T>
void pool2d_backward_of(const Pool2dBackwardCall& call) {
  call.average ? avg_pool_backward<T>(call) : max_pool_backward<T>(call);
}
CBNET_BY_DTYPE(pool2d_backward, Pool2dBackwardCall)

}  // namespace cbnet::cpu
