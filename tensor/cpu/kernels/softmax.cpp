#include "tensor/cpu/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/parallel.h"

#define CBNET_ISA baseline
#define CBNET_VECTOR_BYTES 0
#include "tensor/cpu/kernels/exp.inc.h"

namespace cbnet::kernels {
namespace {

using baseline::exp_negative;

using std::int64_t;

// Sums and maxima of a row keep one value per lane, in a fixed order, so that the compiler may use vectors
// without reordering what we wrote.
constexpr int64_t kLanes = 16;

/// Lines that are worth a thread of their own.
int64_t line_grain(int64_t channels) { return (int64_t{1} << 13) / channels + 1; }

template <class T>
T row_max(const T* x, int64_t count) {
  T most = -std::numeric_limits<T>::infinity();
  int64_t i = 0;
  if (count >= kLanes) {
    T lanes[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = x[lane];
    for (i = kLanes; i + kLanes <= count; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = lanes[lane] > x[i + lane] ? lanes[lane] : x[i + lane];
      }
    }
    for (const T value : lanes) most = most > value ? most : value;
  }
  for (; i < count; ++i) most = most > x[i] ? most : x[i];
  return most;
}

/// sum term(i) for 0 <= i < count.
template <class T, class Term>
T row_sum(int64_t count, Term term) {
  T sum = 0;
  int64_t i = 0;
  if (count >= kLanes) {
    T lanes[kLanes] = {};
    for (; i + kLanes <= count; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    }
    for (const T value : lanes) sum += value;
  }
  for (; i < count; ++i) sum += term(i);
  return sum;
}

/// y = exp(x - most); returns its sum.
template <class T>
T exp_row(const T* __restrict x, T* __restrict y, T most, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = exp_negative(x[i] - most);
  return row_sum<T>(count, [y](int64_t i) { return y[i]; });
}

/// Calls fn(row) for every row, spread over the threads.
template <class Fn>
void for_each_line(int64_t rows, int64_t channels, Fn fn) {
  parallel_for(rows, line_grain(channels), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) fn(row);
  });
}

constexpr int64_t kColumns = 64;

/// Calls fn(first element, columns) for blocks of at most kColumns neighbouring lines whose elements are
/// `inner` apart.
template <class Fn>
void for_each_block(int64_t outer, int64_t channels, int64_t inner, Fn fn) {
  const int64_t blocks = (inner + kColumns - 1) / kColumns;
  parallel_for(outer * blocks, line_grain(channels * kColumns), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t column = block % blocks * kColumns;
      fn(block / blocks * channels * inner + column, std::min(kColumns, inner - column));
    }
  });
}

/// y = exp(x - max x) in a block of lines, with the maxima and sums.
template <class T>
void exp_block(const T* __restrict x, T* __restrict y, T* __restrict most, T* __restrict sum,
               int64_t channels, int64_t inner, int64_t columns) {
  std::fill(most, most + columns, -std::numeric_limits<T>::infinity());
  std::fill(sum, sum + columns, T(0));
  for (int64_t c = 0; c < channels; ++c) {
    const T* from = x + c * inner;
    for (int64_t j = 0; j < columns; ++j) most[j] = most[j] > from[j] ? most[j] : from[j];
  }
  for (int64_t c = 0; c < channels; ++c) {
    const T* from = x + c * inner;
    T* to = y + c * inner;
    for (int64_t j = 0; j < columns; ++j) to[j] = exp_negative(from[j] - most[j]);
    for (int64_t j = 0; j < columns; ++j) sum[j] += to[j];
  }
}

}  // namespace

template <class T>
void softmax(const T* x, T* y, int64_t outer, int64_t channels, int64_t inner) {
  if (inner == 1) {
    for_each_line(outer, channels, [&](int64_t row) {
      const T* from = x + row * channels;
      T* to = y + row * channels;
      const T sum = exp_row(from, to, row_max(from, channels), channels);
      for (int64_t c = 0; c < channels; ++c) to[c] /= sum;
    });
    return;
  }
  for_each_block(outer, channels, inner, [&](int64_t first, int64_t columns) {
    T most[kColumns];
    T sum[kColumns];
    exp_block(x + first, y + first, most, sum, channels, inner, columns);
    for (int64_t c = 0; c < channels; ++c) {
      T* to = y + first + c * inner;
      for (int64_t j = 0; j < columns; ++j) to[j] /= sum[j];
    }
  });
}

template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, int64_t outer, int64_t channels, int64_t inner) {
  if (inner == 1) {
    for_each_line(outer, channels, [&](int64_t row) {
      const T* p = y + row * channels;
      const T* from = dy + row * channels;
      T* to = dx + row * channels;
      const T dot = row_sum<T>(channels, [p, from](int64_t i) { return from[i] * p[i]; });
      for (int64_t c = 0; c < channels; ++c) to[c] = p[c] * (from[c] - dot);
    });
    return;
  }
  for_each_block(outer, channels, inner, [&](int64_t first, int64_t columns) {
    T dot[kColumns] = {};
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t at = first + c * inner;
      for (int64_t j = 0; j < columns; ++j) dot[j] += dy[at + j] * y[at + j];
    }
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t at = first + c * inner;
      for (int64_t j = 0; j < columns; ++j) dx[at + j] = y[at + j] * (dy[at + j] - dot[j]);
    }
  });
}

template <class T>
void log_softmax(const T* x, T* y, int64_t outer, int64_t channels, int64_t inner) {
  if (inner == 1) {
    for_each_line(outer, channels, [&](int64_t row) {
      const T* from = x + row * channels;
      T* to = y + row * channels;
      const T most = row_max(from, channels);
      const T log_sum = std::log(exp_row(from, to, most, channels));
      for (int64_t c = 0; c < channels; ++c) to[c] = from[c] - most - log_sum;
    });
    return;
  }
  for_each_block(outer, channels, inner, [&](int64_t first, int64_t columns) {
    T most[kColumns];
    T sum[kColumns];
    exp_block(x + first, y + first, most, sum, channels, inner, columns);
    for (int64_t j = 0; j < columns; ++j) sum[j] = std::log(sum[j]);
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t at = first + c * inner;
      for (int64_t j = 0; j < columns; ++j) y[at + j] = x[at + j] - most[j] - sum[j];
    }
  });
}

template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, int64_t outer, int64_t channels, int64_t inner) {
  if (inner == 1) {
    for_each_line(outer, channels, [&](int64_t row) {
      const T* log_p = y + row * channels;
      const T* from = dy + row * channels;
      T* __restrict to = dx + row * channels;
      const T sum = row_sum<T>(channels, [from](int64_t i) { return from[i]; });
      for (int64_t c = 0; c < channels; ++c) to[c] = from[c] - exp_negative(log_p[c]) * sum;
    });
    return;
  }
  for_each_block(outer, channels, inner, [&](int64_t first, int64_t columns) {
    T sum[kColumns] = {};
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t j = 0; j < columns; ++j) sum[j] += dy[first + c * inner + j];
    }
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t at = first + c * inner;
      for (int64_t j = 0; j < columns; ++j) dx[at + j] = dy[at + j] - exp_negative(y[at + j]) * sum[j];
    }
  });
}

template <class T>
void softmax_entropy(const T* x, T* p, T* entropy, int64_t rows, int64_t channels) {
  for_each_line(rows, channels, [&](int64_t row) {
    const T* from = x + row * channels;
    T* to = p + row * channels;
    const T most = row_max(from, channels);
    const T sum = exp_row(from, to, most, channels);
    // ln sum from sum - 1, added up without the largest element's own 1, in which a sure row's rest would
    // drown.
    const T others = row_sum<T>(channels, [=](int64_t c) { return from[c] == most ? T(0) : to[c]; });
    const T largest = row_sum<T>(channels, [=](int64_t c) { return from[c] == most ? T(1) : T(0); });
    const T log_sum = std::log1p(others + (largest - T(1)));
    for (int64_t c = 0; c < channels; ++c) to[c] /= sum;
    // -ln p = ln sum + (most - x): both are >= 0, so nothing cancels. 0 * inf is avoided where p is 0.
    const T spread =
        row_sum<T>(channels, [=](int64_t c) { return to[c] == T(0) ? T(0) : to[c] * (most - from[c]); });
    entropy[row] = log_sum + spread;
  });
}

template <class T>
void softmax_entropy_backward(const T* p, const T* entropy, const T* dentropy, T* dx, int64_t rows,
                              int64_t channels) {
  for_each_line(rows, channels, [&](int64_t row) {
    for (int64_t at = row * channels; at < (row + 1) * channels; ++at) {
      dx[at] = p[at] == T(0) ? T(0) : -p[at] * (std::log(p[at]) + entropy[row]) * dentropy[row];
    }
  });
}

template void softmax<float>(const float*, float*, int64_t, int64_t, int64_t);
template void softmax<double>(const double*, double*, int64_t, int64_t, int64_t);
template void softmax_backward<float>(const float*, const float*, float*, int64_t, int64_t, int64_t);
template void softmax_backward<double>(const double*, const double*, double*, int64_t, int64_t, int64_t);
template void log_softmax<float>(const float*, float*, int64_t, int64_t, int64_t);
template void log_softmax<double>(const double*, double*, int64_t, int64_t, int64_t);
template void log_softmax_backward<float>(const float*, const float*, float*, int64_t, int64_t, int64_t);
template void log_softmax_backward<double>(const double*, const double*, double*, int64_t, int64_t, int64_t);
template void softmax_entropy<float>(const float*, float*, float*, int64_t, int64_t);
template void softmax_entropy<double>(const double*, double*, double*, int64_t, int64_t);
template void softmax_entropy_backward<float>(const float*, const float*, const float*, float*, int64_t,
                                              int64_t);
template void softmax_entropy_backward<double>(const double*, const double*, const double*, double*, int64_t,
                                               int64_t);

}  // namespace cbnet::kernels
