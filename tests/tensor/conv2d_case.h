#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/cpu/kernels/conv2d_direct.h"

// What the tests of the convolution kernels share: arrays, the definition as a list of products, and how far
// from it a result may be.

namespace cbnet::testing {

using cbnet::kernels::Conv2dDims;

// Error allowed relative to the sum of absolute products. Recursive summation of n terms errs by about
// sqrt(n) * eps / 2 of that sum when roundings are independent: at most 4e3 terms here (backward_weight
// over a batch), 4e-6 in f32 (eps 1.2e-7) and 7e-15 in f64 (2.2e-16); both leave room for bad luck.
template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;

// An array of exactly its size on the heap, so that the address sanitizer sees the first element beyond.
template <class T>
struct Array {
  explicit Array(int64_t n, T value = T(0)) : size(n), data(new T[static_cast<size_t>(n)]) {
    for (int64_t i = 0; i < n; ++i) data[i] = value;
  }
  T& operator[](int64_t i) { return data[static_cast<size_t>(i)]; }
  const T& operator[](int64_t i) const { return data[static_cast<size_t>(i)]; }
  T* get() { return data.get(); }

  int64_t size;
  std::unique_ptr<T[]> data;
};

template <class T>
Array<T> random_array(int64_t n, uint64_t seed) {
  Array<T> a(n);
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    a[i] = static_cast<T>(static_cast<double>(seed >> 33) / 1073741824.0 - 1.0);
  }
  return a;
}

// Sums and sums of absolute values, for the tolerance.
struct Sums {
  explicit Sums(int64_t n) : value(static_cast<size_t>(n)), absolute(static_cast<size_t>(n)) {}
  void add(int64_t i, double x) {
    value[static_cast<size_t>(i)] += x;
    absolute[static_cast<size_t>(i)] += std::fabs(x);
  }
  std::vector<double> value, absolute;
};

// Calls f(x index, w index, y index) for every product of the convolution, padding left out.
template <class F>
void each_product(const Conv2dDims& d, F f) {
  const int64_t oh = d.oh(), ow = d.ow(), inputs = d.c / d.groups, outputs = d.o / d.groups;
  for (int64_t n = 0; n < d.n; ++n)
    for (int64_t o = 0; o < d.o; ++o)
      for (int64_t i = 0; i < oh; ++i)
        for (int64_t j = 0; j < ow; ++j)
          for (int64_t c = 0; c < inputs; ++c)
            for (int64_t ky = 0; ky < d.kh; ++ky)
              for (int64_t kx = 0; kx < d.kw; ++kx) {
                const int64_t r = i * d.stride_h + ky * d.dilation_h - d.pad_h;
                const int64_t s = j * d.stride_w + kx * d.dilation_w - d.pad_w;
                if (r < 0 || r >= d.h || s < 0 || s >= d.w) continue;
                f(((n * d.c + o / outputs * inputs + c) * d.h + r) * d.w + s,
                  ((o * inputs + c) * d.kh + ky) * d.kw + kx, ((n * d.o + o) * oh + i) * ow + j);
              }
}

template <class T>
void check_close(const Array<T>& got, const Sums& want, const std::string& what) {
  double worst = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < got.size; ++i) {
    const size_t k = static_cast<size_t>(i);
    const double error = std::fabs(static_cast<double>(got[i]) - want.value[k]);
    const double relative = error == 0 ? 0 : error / want.absolute[k];
    if (!(relative <= worst)) worst = relative, at = i;  // a NaN is the worst
    if (std::isnan(worst)) break;
  }
  CHECK_MESSAGE(worst <= kTolerance<T>, what << ": relative error " << worst << " at " << at);
}

template <class T>
bool same_bits(const Array<T>& a, const Array<T>& b) {
  for (int64_t i = 0; i < a.size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return a.size == b.size;
}

inline std::string name_of(const Conv2dDims& d) {
  const auto s = [](int64_t v) { return std::to_string(v); };
  return "x (" + s(d.n) + "," + s(d.c) + "," + s(d.h) + "," + s(d.w) + ") w (" + s(d.o) + "," + s(d.c) + "," +
         s(d.kh) + "," + s(d.kw) + ") padding (" + s(d.pad_h) + "," + s(d.pad_w) + ") stride (" +
         s(d.stride_h) + "," + s(d.stride_w) + ") dilation (" + s(d.dilation_h) + "," + s(d.dilation_w) +
         ") groups " + s(d.groups);
}

}  // namespace cbnet::testing
