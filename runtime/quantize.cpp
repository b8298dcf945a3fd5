#include "runtime/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "tensor/error.h"

namespace cbnet::runtime {
namespace {

std::int64_t blocks_of(std::int64_t size, std::int64_t block) { return (size + block - 1) / block; }

void check_matrix(const char* where, std::size_t weights, std::int64_t out, std::int64_t in) {
  require(out >= 1 && in >= 1 && weights == static_cast<std::size_t>(out * in), where, "expected ", out, "x",
          in, " weights, at lowest one; got ", weights);
}

/// Calls f(block, index of a weight) for every weight, block by block within a row of blocks.
template <class F>
void each_weight(std::int64_t out, std::int64_t in, std::int64_t block_out, std::int64_t block_in, F f) {
  const std::int64_t columns = blocks_of(in, block_in);
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t i = 0; i < in; ++i) {
      f(static_cast<std::size_t>(o / block_out * columns + i / block_in),
        static_cast<std::size_t>(o * in + i));
    }
  }
}

void quantize_rows(const std::vector<float>& w, LinearWeights& to) {
  const auto in = static_cast<std::size_t>(to.in);
  to.int8.reserve(w.size());
  for (std::size_t begin = 0; begin < w.size(); begin += in) {
    float largest = 0;
    for (std::size_t i = begin; i < begin + in; ++i) {
      require(std::isfinite(w[i]), "convert", "int8 needs finite weights; got ", w[i], " for output ",
              begin / in);
      largest = std::max(largest, std::fabs(w[i]));
    }
    // A row of numbers so small that the scale would not be a normal number is a row of zeros.
    float scale = largest / 127;
    if (scale < std::numeric_limits<float>::min()) scale = 1;
    to.scales.push_back(scale);
    for (std::size_t i = begin; i < begin + in; ++i) {
      to.int8.push_back(static_cast<std::int8_t>(std::clamp(std::nearbyint(w[i] / scale), -127.0F, 127.0F)));
    }
  }
}

QuantParams params_of(float low, float high) {
  low = std::min(low, 0.0F);
  high = std::max(high, 0.0F);
  // Halves serve ranges beyond the largest float.
  const float scale = (high / 2 - low / 2) / 127.5F;
  if (scale < std::numeric_limits<float>::min()) return {};
  return {scale, static_cast<std::int32_t>(std::clamp(std::nearbyint(-low / scale), 0.0F, 255.0F))};
}

}  // namespace

std::uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  // Rounding could carry a NaN's payload into the sign or out of being one.
  if (std::isnan(x)) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

float from_bf16(std::uint16_t x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); }

LinearWeights convert(const LinearWeights& fp32, Precision precision) {
  require(fp32.precision == Precision::fp32, "convert", "expected fp32 weights; got ",
          to_string(fp32.precision));
  check_matrix("convert", fp32.fp32.size(), fp32.out, fp32.in);
  LinearWeights to = fp32;
  std::vector<float> w;
  w.swap(to.fp32);
  if (!to.mask.kept.empty()) apply_mask(to.mask, w, to.out, to.in);
  to.precision = precision;
  switch (precision) {
    case Precision::fp32:
      to.fp32 = std::move(w);
      break;
    case Precision::bf16:
      to.bf16.resize(w.size());
      std::transform(w.begin(), w.end(), to.bf16.begin(), to_bf16);
      break;
    case Precision::int8:
      quantize_rows(w, to);
      break;
  }
  return to;
}

void quantize_weights(Node& conv) {
  const std::int64_t outputs = conv.weight.size(0), each = conv.weight.numel() / outputs;
  LinearWeights rows;
  rows.in = each;
  quantize_rows(conv.weight.to_vector<float>(), rows);
  conv.scales = std::move(rows.scales);
  conv.weight = conv.weight.clone();
  for (std::int64_t i = 0; i < conv.weight.numel(); ++i)
    conv.weight.data<float>()[i] =
        conv.scales[static_cast<std::size_t>(i / each)] * rows.int8[static_cast<std::size_t>(i)];
}

double quantization_error(std::span<const float> values, const QuantParams& params) {
  const double scale = static_cast<double>(params.scale);
  double sum = 0;
  for (const float value : values) {
    const double byte =
        std::clamp(std::nearbyint(static_cast<double>(value) / scale) + params.zero_point, 0.0, 255.0);
    const double error = scale * (byte - params.zero_point) - static_cast<double>(value);
    sum += error * error;
  }
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

QuantParams calibrate(std::span<const float> values) {
  require(!values.empty(), "calibrate", "expected at lowest one value; got none");
  for (const float value : values)
    require(std::isfinite(value), "calibrate", "values must be finite; got ", value);
  std::vector<float> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  QuantParams best = params_of(sorted.front(), sorted.back());
  double lowest = quantization_error(values, best);
  for (const double cut : {0.00005, 0.0005, 0.005, 0.01}) {
    const auto beyond = static_cast<std::size_t>(cut * static_cast<double>(sorted.size()));
    if (beyond == 0) continue;
    const QuantParams params = params_of(sorted[beyond], sorted[sorted.size() - 1 - beyond]);
    const double error = quantization_error(values, params);
    if (error < lowest) best = params, lowest = error;
  }
  return best;
}

BlockMask block_mask(std::span<const float> w, const MatrixBlocks& matrix, double sparsity) {
  const auto [out, in, block_out, block_in] = matrix;
  check_matrix("block_mask", w.size(), out, in);
  require(block_out >= 1 && block_in >= 1, "block_mask", "blocks must be at lowest 1 x 1; got ", block_out,
          " x ", block_in);
  require(sparsity >= 0 && sparsity <= 1, "block_mask", "sparsity must be 0 to 1; got ", sparsity);
  const auto blocks = static_cast<std::size_t>(blocks_of(out, block_out) * blocks_of(in, block_in));
  std::vector<double> squares(blocks), sizes(blocks);
  each_weight(out, in, block_out, block_in, [&](std::size_t block, std::size_t i) {
    squares[block] += static_cast<double>(w[i]) * static_cast<double>(w[i]);
    sizes[block] += 1;
  });
  for (std::size_t b = 0; b < blocks; ++b) squares[b] /= sizes[b];  // those at the edges are smaller
  std::vector<std::size_t> order(blocks);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return squares[a] > squares[b]; });
  const auto left_out = static_cast<std::size_t>(std::floor(sparsity * static_cast<double>(blocks)));
  BlockMask mask{block_out, block_in, std::vector<std::uint8_t>(blocks, 0)};
  for (std::size_t i = 0; i + left_out < blocks; ++i) mask.kept[order[i]] = 1;
  return mask;
}

void apply_mask(const BlockMask& mask, std::span<float> w, std::int64_t out, std::int64_t in) {
  check_matrix("apply_mask", w.size(), out, in);
  require(mask.block_out >= 1 && mask.block_in >= 1 &&
              mask.kept.size() ==
                  static_cast<std::size_t>(blocks_of(out, mask.block_out) * blocks_of(in, mask.block_in)),
          "apply_mask", "expected a mask of ", out, "x", in, " weights in blocks of ", mask.block_out, " x ",
          mask.block_in, "; got ", mask.kept.size(), " blocks");
  each_weight(out, in, mask.block_out, mask.block_in, [&](std::size_t block, std::size_t i) {
    if (mask.kept[block] == 0) w[i] = 0;
  });
}

}  // namespace cbnet::runtime
