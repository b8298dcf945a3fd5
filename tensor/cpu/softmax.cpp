// `softmax` and `softmax_backward` in tensor/reference/softmax.cpp define what this file computes. exp of f32
// is a polynomial of our own that vectorises (exp.inc.h: 2 ulp; what is below 1.7e-38 becomes 0), exp of f64
// is std::exp. No result depends on the number of threads. x is (outer, channels, inner):
//
//   inner = 1   a line is a row       | c0 c1 c2 … |        lanes run along it
//   inner > 1   lines stand upright   | c0: l0 l1 l2 … |    lanes run across kColumns neighbouring lines
//                                     | c1: l0 l1 l2 … |
#include <cmath>
#include <limits>

#include "tensor/cpu/functions.h"

#define CBNET_ISA baseline
#define CBNET_VECTOR_BYTES 0
#include "tensor/cpu/kernels/exp.inc.h"

namespace cbnet::cpu {
namespace {

using kernels::baseline::exp_negative;
using std::int64_t;

// Sums and maxima of a row keep one value per lane, in a fixed order, so that the compiler may use vectors
// without reordering what we wrote.
constexpr int64_t kLanes = 16;

/// Returns how many lines are worth a thread of their own.
int64_t line_grain(int64_t channels) { return (int64_t{1} << 13) / channels + 1; }

template <class T>
T row_max(const T* x, int64_t count) {
  T max = -std::numeric_limits<T>::infinity();
  int64_t i = 0;
  if (count >= kLanes) {
    T lanes[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = x[lane];
    for (i = kLanes; i + kLanes <= count; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = lanes[lane] > x[i + lane] ? lanes[lane] : x[i + lane];
      }
    }
    for (const T value : lanes) max = max > value ? max : value;
  }
  for (; i < count; ++i) max = max > x[i] ? max : x[i];
  return max;
}

/// Adds up term(i) for 0 <= i < count.
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

/// Sets y = exp(x - max) and returns its sum.
template <class T>
T exp_row(const T* __restrict x, T* __restrict y, T max, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = exp_negative(x[i] - max);
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

/// Sets y = exp(x - max x) in a block of lines, with the maxima and sums.
template <class T>
void exp_block(const T* __restrict x, T* __restrict y, T* __restrict max, T* __restrict sum, int64_t channels,
               int64_t inner, int64_t columns) {
  std::fill(max, max + columns, -std::numeric_limits<T>::infinity());
  std::fill(sum, sum + columns, T(0));
  for (int64_t c = 0; c < channels; ++c) {
    const T* from = x + c * inner;
    for (int64_t j = 0; j < columns; ++j) max[j] = max[j] > from[j] ? max[j] : from[j];
  }
  for (int64_t c = 0; c < channels; ++c) {
    const T* from = x + c * inner;
    T* to = y + c * inner;
    for (int64_t j = 0; j < columns; ++j) to[j] = exp_negative(from[j] - max[j]);
    for (int64_t j = 0; j < columns; ++j) sum[j] += to[j];
  }
}

/// Sets y = value(x, exp(x - max x), max x, part(sum exp(x - max x))).
template <class T, class Part, class Value>
void forward(const SoftmaxCall& call, Part part, Value value) {
  const int64_t channels = call.channels, inner = call.inner;
  const T* x = as<T>(call.x);
  T* y = as<T>(call.y);
  if (inner == 1) {
    for_each_line(call.outer, channels, [&](int64_t row) {
      const T* from = x + row * channels;
      T* to = y + row * channels;
      const T max = row_max(from, channels), of_sum = part(exp_row(from, to, max, channels));
      for (int64_t c = 0; c < channels; ++c) to[c] = value(from[c], to[c], max, of_sum);
    });
    return;
  }
  for_each_block(call.outer, channels, inner, [&](int64_t first, int64_t columns) {
    T max[kColumns], sum[kColumns];
    exp_block(x + first, y + first, max, sum, channels, inner, columns);
    for (int64_t j = 0; j < columns; ++j) sum[j] = part(sum[j]);
    for (int64_t c = 0; c < channels; ++c) {
      const T* from = x + first + c * inner;
      T* to = y + first + c * inner;
      for (int64_t j = 0; j < columns; ++j) to[j] = value(from[j], to[j], max[j], sum[j]);
    }
  });
}

/// Sets dx = value(dy, y, sum term(dy, y)).
template <class T, class Term, class Value>
void backward(const SoftmaxBackwardCall& call, Term term, Value value) {
  const int64_t channels = call.channels, inner = call.inner;
  const T *y = as<T>(call.y), *dy = as<T>(call.dy);
  T* dx = as<T>(call.dx);
  if (inner == 1) {
    for_each_line(call.outer, channels, [&](int64_t row) {
      const T *p = y + row * channels, *from = dy + row * channels;
      T* __restrict to = dx + row * channels;
      const T sum = row_sum<T>(channels, [=](int64_t i) { return term(from[i], p[i]); });
      for (int64_t c = 0; c < channels; ++c) to[c] = value(from[c], p[c], sum);
    });
    return;
  }
  for_each_block(call.outer, channels, inner, [&](int64_t first, int64_t columns) {
    T sum[kColumns] = {};
    for (int64_t at = first; at < first + channels * inner; at += inner) {
      for (int64_t j = 0; j < columns; ++j) sum[j] += term(dy[at + j], y[at + j]);
    }
    for (int64_t at = first; at < first + channels * inner; at += inner) {
      for (int64_t j = 0; j < columns; ++j) dx[at + j] = value(dy[at + j], y[at + j], sum[j]);
    }
  });
}

/// Sets y = softmax x in every row, and the entropy.
template <class T>
void entropy_forward(const SoftmaxCall& call) {
  for_each_line(call.outer, call.channels, [&, channels = call.channels](int64_t row) {
    const T* from = as<T>(call.x) + row * channels;
    T* to = as<T>(call.y) + row * channels;
    const T max = row_max(from, channels);
    const T sum = exp_row(from, to, max, channels);
    // ln sum comes from sum - 1, added up without the largest element's own 1, in which a sure row's rest
    // would drown.
    const T others = row_sum<T>(channels, [=](int64_t c) { return from[c] == max ? T(0) : to[c]; });
    const T largest = row_sum<T>(channels, [=](int64_t c) { return from[c] == max ? T(1) : T(0); });
    const T log_sum = std::log1p(others + (largest - T(1)));
    for (int64_t c = 0; c < channels; ++c) to[c] /= sum;
    // -ln p = ln sum + (max - x): both are >= 0, so nothing cancels. 0 * inf is avoided where p is 0.
    const T spread =
        row_sum<T>(channels, [=](int64_t c) { return to[c] == T(0) ? T(0) : to[c] * (max - from[c]); });
    as<T>(call.entropy)[row] = log_sum + spread;
  });
}

template <class T>
void entropy_backward(const SoftmaxBackwardCall& call) {
  const T *p = as<T>(call.y), *entropy = as<T>(call.entropy), *dentropy = as<T>(call.dy);
  for_each_line(call.outer, call.channels, [&](int64_t row) {
    for (int64_t at = row * call.channels; at < (row + 1) * call.channels; ++at) {
      as<T>(call.dx)[at] = p[at] == T(0) ? T(0) : -p[at] * (std::log(p[at]) + entropy[row]) * dentropy[row];
    }
  });
}

}  // namespace

template <class T>
void softmax_of(const SoftmaxCall& call) {
  switch (call.kind) {
    case SoftmaxKind::softmax:
      return forward<T>(
          call, [](T sum) { return sum; }, [](T, T e, T, T sum) { return e / sum; });
    case SoftmaxKind::log_softmax:
      return forward<T>(
          call, [](T sum) { return std::log(sum); },
          [](T x, T, T max, T log_sum) { return x - max - log_sum; });
    case SoftmaxKind::entropy:
      return entropy_forward<T>(call);
  }
}
CBNET_BY_DTYPE(softmax, SoftmaxCall)

template <class T>
void softmax_backward_of(const SoftmaxBackwardCall& call) {
  switch (call.kind) {
    case SoftmaxKind::softmax:
      return backward<T>(
          call, [](T dy, T y) { return dy * y; }, [](T dy, T y, T dot) { return y * (dy - dot); });
    case SoftmaxKind::log_softmax:
      return backward<T>(
          call, [](T dy, T) { return dy; }, [](T dy, T y, T sum) { return dy - exp_negative(y) * sum; });
    case SoftmaxKind::entropy:
      return entropy_backward<T>(call);
  }
}
CBNET_BY_DTYPE(softmax_backward, SoftmaxBackwardCall)

}  // namespace cbnet::cpu
