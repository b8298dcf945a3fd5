#pragma once

// Random layers, and every ISA's answer beside that of a loop nest in f64.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "runtime/linear.h"
#include "tensor/rng.h"

namespace cbnet::runtime::test {

// Recursive summation of n <= 784 terms errs by about sqrt(n) * eps / 2 of the sum of absolute products when
// roundings are independent: 2e-6 for f32 (eps 1.2e-7). This leaves room for bad luck.
inline constexpr double kTolerance = 1e-5;
// exp, sigmoid and tanh are some units in the last place off; slopes are at most 1.
inline constexpr double kActivationTolerance = 5e-7;

inline constexpr std::int64_t kSizes[] = {1, 3, 7, 10, 16, 17, 31, 64, 127, 384, 784};

struct Case {
  std::int64_t in, out;
  Precision precision = Precision::fp32;
  LinearSpec spec{};
  double sparsity = 0;
  bool bias = true;
};

inline std::string describe(const Case& c, Isa isa, std::int64_t rows) {
  return std::string(cbnet::to_string(isa)) + " " + runtime::to_string(c.precision) + " " +
         std::to_string(c.in) + "->" + std::to_string(c.out) + " rows " + std::to_string(rows) +
         " activation " + std::to_string(static_cast<int>(c.spec.activation)) + " sparsity " +
         std::to_string(c.sparsity) + (c.spec.input_u8 ? " u8" : " f32") +
         (c.spec.output_u8 ? "->u8" : "->f32");
}

inline double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }

inline float widened(std::uint16_t bf16) {
  const std::uint32_t bits = static_cast<std::uint32_t>(bf16) << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline LinearWeights random_weights(const Case& c, Rng& rng) {
  LinearWeights w;
  w.in = c.in;
  w.out = c.out;
  w.precision = c.precision;
  for (std::int64_t i = 0; i < c.in * c.out; ++i) {
    const float value = static_cast<float>(between(rng, -1.0, 1.0));
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if (c.precision == Precision::fp32) w.fp32.push_back(value);
    if (c.precision == Precision::bf16) w.bf16.push_back(static_cast<std::uint16_t>(bits >> 16));
    if (c.precision == Precision::int8) w.int8.push_back(static_cast<std::int8_t>(std::lrint(value * 127)));
  }
  for (std::int64_t o = 0; o < c.out; ++o) {
    if (c.precision == Precision::int8) w.scales.push_back(static_cast<float>(between(rng, 0.001, 0.02)));
    if (c.bias) w.bias.push_back(static_cast<float>(between(rng, -1.0, 1.0)));
  }
  if (c.sparsity > 0) {
    w.mask.block_out = 16;
    w.mask.block_in = c.precision == Precision::int8 ? 4 : 1;
    const std::int64_t blocks = (c.out + 15) / 16 * ((c.in + w.mask.block_in - 1) / w.mask.block_in);
    for (std::int64_t i = 0; i < blocks; ++i) w.mask.kept.push_back(between(rng, 0.0, 1.0) >= c.sparsity);
  }
  return w;
}

inline double weight(const LinearWeights& w, std::int64_t o, std::int64_t k) {
  const auto at = static_cast<std::size_t>(o * w.in + k);
  if (!w.mask.kept.empty()) {
    const std::int64_t columns = (w.in + w.mask.block_in - 1) / w.mask.block_in;
    if (w.mask.kept[static_cast<std::size_t>(o / w.mask.block_out * columns + k / w.mask.block_in)] == 0)
      return 0;
  }
  if (w.precision == Precision::fp32) return w.fp32[at];
  if (w.precision == Precision::bf16) return widened(w.bf16[at]);
  return static_cast<double>(w.scales[static_cast<std::size_t>(o)]) * w.int8[at];
}

inline double activated(double v, const LinearSpec& spec) {
  switch (spec.activation) {
    case Activation::none:
      return v;
    case Activation::relu:
      return std::max(v, 0.0);
    case Activation::leaky_relu:
      return v < 0 ? v * static_cast<double>(spec.slope) : v;
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-v));
    case Activation::tanh:
      return std::tanh(v);
  }
  return v;
}

inline double as_byte(double real, const QuantParams& q) {
  return std::clamp(real / static_cast<double>(q.scale) + q.zero_point, 0.0, 255.0);
}

// Whether a layer, in f32, may round to another byte than f64 does.
inline bool is_tie(double byte) { return std::fabs(byte - std::floor(byte) - 0.5) < 1e-4; }

// Rows in an allocation of exactly their size, so that the address sanitizer sees the first byte beyond.
struct Rows {
  Rows(std::int64_t rows, std::int64_t n, std::int64_t row_pitch, bool bytes)
      : pitch(row_pitch), u8(bytes), size(static_cast<std::size_t>((rows - 1) * pitch + n)) {
    if (u8) {
      q.assign(size, 0xAB);
    } else {
      f.assign(size, std::numeric_limits<float>::quiet_NaN());
    }
  }
  void* data() { return u8 ? static_cast<void*>(q.data()) : static_cast<void*>(f.data()); }
  std::size_t at(std::int64_t row, std::int64_t i) const { return static_cast<std::size_t>(row * pitch + i); }

  std::int64_t pitch;
  bool u8;
  std::size_t size;
  std::vector<float> f;
  std::vector<std::uint8_t> q;
};

struct Scratch {
  explicit Scratch(std::size_t size) : data(size ? ::operator new (size, std::align_val_t{64}) : nullptr) {
    if (data != nullptr)
      std::memset(data, 0xFF, size);  // NaN as f32: what is read before it is written shows
  }
  ~Scratch() { ::operator delete (data, std::align_val_t{64}); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* data;
};

inline Rows random_rows(const Case& c, std::int64_t rows, std::int64_t pitch, Rng& rng) {
  Rows x(rows, c.in, pitch, c.spec.input_u8);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < c.in; ++i) {
      if (x.u8) {
        x.q[x.at(r, i)] = static_cast<std::uint8_t>(between(rng, 0.0, 256.0));
      } else {
        float& value = x.f[x.at(r, i)];
        do {
          value = static_cast<float>(between(rng, -1.0, 1.0));
        } while (c.precision == Precision::int8 && is_tie(as_byte(value, c.spec.input)));
      }
    }
  }
  return x;
}

inline Rows run(const LinearLayer& layer, const LinearSpec& spec, Rows& x, std::int64_t rows,
                std::int64_t pitch, bool backwards) {
  Rows y(rows, layer.out(), pitch, spec.output_u8);
  const Scratch scratch(layer.scratch_bytes(rows));
  layer.run({x.data(), x.pitch, y.data(), y.pitch, rows, scratch.data, backwards});
  return y;
}

// What the layer sees of x: bytes have their meaning, and int8 layers round f32 to bytes first.
inline double input_value(const Case& c, const Rows& x, std::int64_t r, std::int64_t k) {
  const auto& q = c.spec.input;
  if (x.u8) return static_cast<double>(q.scale) * (x.q[x.at(r, k)] - q.zero_point);
  const double real = x.f[x.at(r, k)];
  if (c.precision != Precision::int8) return real;
  return static_cast<double>(q.scale) * (std::nearbyint(as_byte(real, q)) - q.zero_point);
}

inline void check_rows(const Case& c, const LinearWeights& w, Isa isa, Rows& x,
                       const std::vector<double>& want, const std::vector<double>& allowed,
                       std::int64_t rows) {
  const LinearLayer layer(w, c.spec, isa);
  const std::int64_t pitch = c.out + 3;
  const Rows y = run(layer, c.spec, x, rows, pitch, false), back = run(layer, c.spec, x, rows, pitch, true);
  double worst = 0;
  bool gap_written = false, same = true;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < pitch; ++o) {
      if (r == rows - 1 && o >= c.out) break;
      if (o >= c.out) {
        gap_written = gap_written || (y.u8 ? y.q[y.at(r, o)] != 0xAB : !std::isnan(y.f[y.at(r, o)]));
        continue;
      }
      const auto at = static_cast<std::size_t>(r * c.out + o);
      double error = 0;
      if (y.u8) {
        // Half a unit of rounding, and what the f32 sum is off.
        error = std::fabs(y.q[y.at(r, o)] - as_byte(want[at], c.spec.output)) /
                (0.5 + allowed[at] / static_cast<double>(c.spec.output.scale) + 1e-4);
        same = same && y.q[y.at(r, o)] == back.q[y.at(r, o)];
      } else {
        error = std::fabs(y.f[y.at(r, o)] - want[at]) / allowed[at];
        same = same && y.f[y.at(r, o)] == back.f[y.at(r, o)];
      }
      if (!(error <= worst)) worst = error;  // a NaN is the worst
    }
  }
  CHECK_MESSAGE(worst <= 1, describe(c, isa, rows) << ": error " << worst << " times what is allowed");
  CHECK_MESSAGE(!gap_written, describe(c, isa, rows) << ": wrote between the rows");
  CHECK_MESSAGE(same, describe(c, isa, rows) << ": backwards differs");
}

// Every ISA against a loop nest in f64, for each number of rows.
inline void check(const Case& c, const std::vector<std::int64_t>& row_counts) {
  Rng rng(static_cast<std::uint64_t>(c.in * 1000 + c.out));
  const LinearWeights w = random_weights(c, rng);
  const std::int64_t most = *std::max_element(row_counts.begin(), row_counts.end());
  Rows x = random_rows(c, most, c.in + 5, rng);
  std::vector<double> want, allowed;
  for (std::int64_t r = 0; r < most; ++r) {
    for (std::int64_t o = 0; o < c.out; ++o) {
      const double bias = c.bias ? static_cast<double>(w.bias[static_cast<std::size_t>(o)]) : 0;
      double sum = bias, size = std::fabs(bias);
      for (std::int64_t k = 0; k < c.in; ++k) {
        const double product = weight(w, o, k) * input_value(c, x, r, k);
        sum += product;
        size += std::fabs(product);
      }
      want.push_back(activated(sum, c.spec));
      allowed.push_back(kTolerance * size + kActivationTolerance);
    }
  }
  for (const Isa isa : available_isas()) {
    for (const std::int64_t rows : row_counts) check_rows(c, w, isa, x, want, allowed, rows);
  }
}

inline const std::vector<std::int64_t>& many_rows() {
  static const std::vector<std::int64_t> rows = {1,  2,  3,  4,  5,  6,  7,  8,  9, 10,
                                                 11, 12, 13, 14, 15, 16, 17, 64, 67};
  return rows;
}

}  // namespace cbnet::runtime::test
