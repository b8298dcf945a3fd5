#pragma once

#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"

// The cases on which test_all_ops.cpp tries every op of ops.def and pointwise.def. They stand beside the
// op's own test, tests/autograd/ops/test_<name>.cpp, as
//
//   std::vector<OpSample> cbnet::testing::samples_<name>() { … }
//
// This header declares one such function per line of the tables, so that a missing set fails to link.
// A set covers size 1, odd sizes (7, 13), broadcasting and empty inputs where the op allows them, stays
// away from kinks by more than gradcheck's step, and holds at least one sample that is `large`.
// Views need no samples of their own: every sample is also run on transposed and on strided inputs.

namespace cbnet::testing {

struct OpSample {
  std::string name;
  /// f64. The f32 run converts them.
  std::vector<Tensor> inputs;
  /// Calls the op. It runs many times, on leaves of either dtype, and must give the same result each time:
  /// whatever else the op needs (a seed, indices, running statistics of the inputs' dtype) is made inside.
  std::function<Variable(const std::vector<Variable>&)> call;
  /// Which inputs are differentiable; empty means all.
  std::vector<bool> needs_grad = {};
  /// Every gradient is zero and should be. Also for samples without any element.
  bool expect_all_zero = false;
  /// Too many elements for gradcheck, enough that the op splits its work over threads.
  bool large = false;
  /// Errors are relative to max(1, |value|). A sample that changes a tolerance says why in `reason`.
  double gradient_tolerance = 1e-6;
  /// f32 against f64, forward: a few roundings of 6e-8 each.
  double f32_tolerance = 1e-5;
  /// Contiguous against strided inputs, f64, forward and gradients. 0 compares the bits.
  double view_tolerance = 0.0;
  /// 1 against 2 and 3 threads, f64, forward and gradients: only sums may change their order.
  double thread_tolerance = 1e-12;
  std::string reason = {};
};

#define OP(name, Type) std::vector<OpSample> samples_##name();
#include "autograd/ops/ops.def"
#undef OP
#define UNARY(name, ...) std::vector<OpSample> samples_##name();
#define UNARY_PARAMETER(name, ...) std::vector<OpSample> samples_##name();
#define BINARY(name, ...) std::vector<OpSample> samples_##name();
#include "tensor/pointwise.def"

// Tensors to build samples and tests from. All are contiguous and f64 unless they say otherwise.

/// Uniform in [low, high); the same seed gives the same values.
inline Tensor random(const Shape& shape, std::uint64_t seed, double low = -1.0, double high = 1.0) {
  Rng rng(seed);
  return Tensor::uniform(shape, low, high, rng, DType::f64);
}

/// Either sign, magnitude in [margin, 1): away from a kink at 0.
inline Tensor away_from_zero(const Shape& shape, std::uint64_t seed, double margin = 0.1) {
  std::vector<double> values = random(shape, seed).to_vector<double>();
  for (double& value : values) value = std::copysign(margin + (1.0 - margin) * std::abs(value), value);
  return Tensor::from(values, shape);
}

/// A shuffle of equally spaced values in [-1, 1): no two are equal, for ops that choose a maximum.
inline Tensor distinct(const Shape& shape, std::uint64_t seed) {
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = -1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(values.size());
  }
  Rng rng(seed);
  rng.shuffle(std::span<double>(values));
  return Tensor::from(values, shape);
}

/// f64 values written out, e.g. values({1, 2, 3}, {3}).
inline Tensor values(std::initializer_list<double> elements, const Shape& shape) {
  return Tensor::from<double>(elements, shape);
}

/// The same elements with the strides of the reversed axes.
inline Tensor transposed_storage(const Tensor& tensor) {
  std::vector<std::int64_t> reversed;
  for (std::int64_t axis = tensor.rank(); axis-- > 0;) reversed.push_back(axis);
  return tensor.permute(reversed).clone().permute(reversed);
}

/// The same elements, every second one of a larger tensor along every axis, starting at the second; what
/// lies between is NaN, so that touching it shows.
inline Tensor strided_storage(const Tensor& tensor) {
  Shape larger = tensor.shape();
  for (std::int64_t& size : larger) size = 2 * size + 1;
  Tensor out = Tensor::full(larger, 0.0, tensor.dtype());
  if (is_floating(tensor.dtype())) out.fill(std::numeric_limits<double>::quiet_NaN());
  for (std::int64_t axis = 0; axis < tensor.rank(); ++axis) out = out.slice(axis, 1, out.size(axis), 2);
  out.copy_from(tensor);
  return out;
}

/// A leaf that requires a gradient.
inline Variable leaf(const Tensor& tensor) { return Variable(tensor, true); }

inline bool is_nan(double value) { return std::isnan(value); }

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace cbnet::testing
