#pragma once

#include <cstdint>

// Softmax and its relatives on dense arrays (outer, channels, inner), along the middle axis; inner is 1 for
// the last axis, and channels is positive. The work is spread over the threads; no result depends on their
// number.
//
// Accuracy: exp of f32 is a polynomial of our own that vectorises (2 ulp; what is below 1.7e-38 becomes 0),
// exp of f64 is std::exp.

namespace cbnet::kernels {

/// y = exp(x - max x) / sum exp(x - max x). A line of -inf, and one that holds NaN or +inf, gives NaN.
template <class T>
void softmax(const T* x, T* y, std::int64_t outer, std::int64_t channels, std::int64_t inner);

/// dx = y (dy - sum(dy y)), y being the result of softmax.
template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, std::int64_t outer, std::int64_t channels,
                      std::int64_t inner);

/// y = x - max x - ln sum exp(x - max x).
template <class T>
void log_softmax(const T* x, T* y, std::int64_t outer, std::int64_t channels, std::int64_t inner);

/// dx = dy - exp(y) sum(dy), y being the result of log_softmax.
template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, std::int64_t outer, std::int64_t channels,
                          std::int64_t inner);

/// entropy (rows) = -sum p ln p with p = softmax of each row of x (rows, channels), p ln p being 0 at p = 0.
/// p (rows, channels) is written as well.
template <class T>
void softmax_entropy(const T* x, T* p, T* entropy, std::int64_t rows, std::int64_t channels);

/// dx = -p (ln p + entropy) dentropy.
template <class T>
void softmax_entropy_backward(const T* p, const T* entropy, const T* dentropy, T* dx, std::int64_t rows,
                              std::int64_t channels);

}  // namespace cbnet::kernels
