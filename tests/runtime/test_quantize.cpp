#include "runtime/quantize.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "tests/runtime/graphs.h"
#include "tests/runtime/linear_cases.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

LinearWeights matrix(std::int64_t out, std::int64_t in, std::vector<float> values) {
  LinearWeights w;
  w.in = in;
  w.out = out;
  w.fp32 = std::move(values);
  return w;
}

}  // namespace

TEST_CASE("quantize: weights of a convolution are rounded by output as those of a linear layer") {
  Builder b({3, 5, 5});
  b.conv(0, 4, 3, 1);
  const std::vector<float> before = b.last().weight.to_vector<float>();
  LinearWeights dense;
  dense.in = 27;
  dense.out = 4;
  dense.fp32 = before;
  const LinearWeights rows = convert(dense, Precision::int8);
  quantize_weights(b.last());
  CHECK(b.last().scales == rows.scales);
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(b.last().weight.to_vector<float>()[i] == rows.scales[i / 27] * rows.int8[i]);
}

TEST_CASE("quantize: wrong use throws") {
  CHECK_THROWS_AS((void)convert(matrix(2, 2, {1, 2, 3}), Precision::bf16), std::invalid_argument);
  CHECK_THROWS_AS((void)convert(matrix(1, 2, {1, kInf}), Precision::int8), std::invalid_argument);
  CHECK_THROWS_AS((void)convert(convert(matrix(1, 2, {1, 2}), Precision::bf16), Precision::int8),
                  std::invalid_argument);
  LinearWeights masked = matrix(1, 2, {1, 2});
  masked.mask = {16, 4, {1, 1}};
  CHECK_THROWS_AS((void)convert(masked, Precision::int8), std::invalid_argument);
  CHECK_THROWS_AS((void)calibrate({}), std::invalid_argument);
  CHECK_THROWS_AS((void)calibrate(std::vector<float>{1, kNan}), std::invalid_argument);
  const std::vector<float> w(6, 1.0F);
  CHECK_THROWS_AS((void)block_mask(w, {2, 4, 1, 1}, 0.5), std::invalid_argument);
  CHECK_THROWS_AS((void)block_mask(w, {2, 3, 0, 1}, 0.5), std::invalid_argument);
  CHECK_THROWS_AS((void)block_mask(w, {2, 3, 1, 1}, 1.5), std::invalid_argument);
  CHECK_THROWS_AS((void)block_mask(w, {2, 3, 1, 1}, NAN), std::invalid_argument);
  std::vector<float> changed = w;
  CHECK_THROWS_AS(apply_mask({1, 1, {1, 0}}, changed, 2, 3), std::invalid_argument);
}

TEST_CASE("bf16: rounds to nearest, ties to even") {
  const auto f = [](std::uint32_t bits) { return std::bit_cast<float>(bits); };
  CHECK(to_bf16(1.0F) == 0x3f80);
  CHECK(to_bf16(f(0x3f808000)) == 0x3f80);  // a tie, down to even
  CHECK(to_bf16(f(0x3f818000)) == 0x3f82);  // a tie, up to even
  CHECK(to_bf16(f(0x3f808001)) == 0x3f81);
  CHECK(to_bf16(f(0x3f80ffff)) == 0x3f81);
  CHECK(to_bf16(f(0xbf818000)) == 0xbf82);
  CHECK(to_bf16(f(0x7f7fffff)) == 0x7f80);  // beyond the largest: infinity
  CHECK(to_bf16(-kInf) == 0xff80);
  CHECK(to_bf16(-0.0F) == 0x8000);
  CHECK(to_bf16(f(0x00018000)) == 0x0002);  // subnormal
  for (const std::uint32_t nan : {0x7fc00000U, 0x7f800001U, 0xffffffffU}) {
    CHECK(std::isnan(from_bf16(to_bf16(f(nan)))));
  }
  CHECK(from_bf16(0xc049) == -3.140625F);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto q = static_cast<std::uint16_t>(i);
    if (!std::isnan(from_bf16(q))) REQUIRE(to_bf16(from_bf16(q)) == q);
  }
}

TEST_CASE("int8 weights: one scale an output, the largest weight is 127") {
  const LinearWeights q =
      convert(matrix(3, 3, {0.5F, -1.0F, 0.25F, 0, 0, 0, 254, 127, 1.01F}), Precision::int8);
  CHECK(q.scales[0] == doctest::Approx(1.0 / 127));
  CHECK(q.scales[1] == 1.0F);
  CHECK(q.scales[2] == 2.0F);
  const int want[9] = {64, -127, 32, 0, 0, 0, 127, 64, 1};  // 63.5 and 63.5 are ties, to even
  for (std::size_t i = 0; i < 9; ++i) CHECK(q.int8[i] == want[i]);
  CHECK(q.precision == Precision::int8);
  CHECK(q.fp32.empty());
  // Never off by more than half a scale, and never -128.
  Rng rng(1);
  const LinearWeights w = random_weights({.in = 100, .out = 20}, rng);
  const LinearWeights r = convert(w, Precision::int8);
  CHECK(r.bias == w.bias);
  for (std::size_t i = 0; i < w.fp32.size(); ++i) {
    const double scale = r.scales[i / 100];
    CHECK(std::fabs(scale * r.int8[i] - w.fp32[i]) <= scale * 0.5 * (1 + 1e-5));
    CHECK(r.int8[i] >= -127);
  }
  // A scale below the smallest normal number would lose its meaning.
  CHECK(convert(matrix(1, 1, {1e-40F}), Precision::int8).int8[0] == 0);
}

TEST_CASE("int8 weights: what the mask leaves out does not widen the scale") {
  LinearWeights w = matrix(1, 8, {1, 1, 1, 1, 100, 100, 100, 100});
  w.mask = {16, 4, {1, 0}};
  const LinearWeights q = convert(w, Precision::int8);
  CHECK(q.scales[0] == doctest::Approx(1.0 / 127));
  CHECK(q.int8[0] == 127);
  CHECK(q.int8[7] == 0);
  CHECK(q.mask.kept == w.mask.kept);
}

TEST_CASE("calibrate: the range holds zero, which is an exact byte") {
  const auto real = [](const QuantParams& q, int byte) {
    return q.scale * static_cast<float>(byte - q.zero_point);
  };
  const QuantParams positive = calibrate(std::vector<float>{0.5F, 2.0F, 5.1F});
  CHECK(positive.zero_point == 0);
  CHECK(real(positive, 255) == doctest::Approx(5.1));
  const QuantParams negative = calibrate(std::vector<float>{-2.55F, -1.0F});
  CHECK(negative.zero_point == 255);
  CHECK(real(negative, 0) == doctest::Approx(-2.55));
  const QuantParams both = calibrate(std::vector<float>{-1.0F, 3.0F});
  CHECK(both.zero_point == 64);
  CHECK(both.scale == doctest::Approx(4.0 / 255));
  CHECK(real(both, both.zero_point) == 0.0F);
  const QuantParams zeros = calibrate(std::vector<float>(4, 0.0F));
  CHECK(zeros.scale == 1.0F);
  CHECK(zeros.zero_point == 0);
  const float most = std::numeric_limits<float>::max();
  CHECK(std::isfinite(calibrate(std::vector<float>{-most, most}).scale));
}

TEST_CASE("calibrate: cuts outliers off where that brings the bytes closer, and only there") {
  // One outlier of 5 among n values of at most 1: cut off it costs 4^2 / n, kept it makes the steps 5 / 255
  // wide, which costs their square / 12, 3.2e-5.
  Rng rng(2);
  std::vector<float> values;
  values.resize(1'000'000);
  for (auto& v : values) v = static_cast<float>(rng.uniform());
  values[17] = 5.0F;
  const QuantParams cut = calibrate(values), wide{5.0F / 255, 0};
  CHECK(cut.scale == doctest::Approx(1.0 / 255).epsilon(0.01));
  CHECK(quantization_error(values, cut) == doctest::Approx(1.6e-5 + 1.3e-6).epsilon(0.05));
  CHECK(quantization_error(values, wide) == doctest::Approx(3.2e-5).epsilon(0.05));
  values.resize(100'000);
  CHECK(calibrate(values).scale == wide.scale);
}

TEST_CASE("block_mask: the smallest blocks go, as many as asked") {
  const std::vector<float> w = {1, 1, 5, 5, 0, 1,  //
                                1, 1, 5, 5, 0, 1};
  CHECK(block_mask(w, {2, 6, 2, 2}, 0.4).kept == std::vector<std::uint8_t>{1, 1, 0});
  CHECK(block_mask(w, {2, 6, 2, 2}, 0.7).kept == std::vector<std::uint8_t>{0, 1, 0});
  CHECK(block_mask(w, {2, 6, 2, 2}, 0.0).kept == std::vector<std::uint8_t>{1, 1, 1});
  CHECK(block_mask(w, {2, 6, 2, 2}, 1.0).kept == std::vector<std::uint8_t>{0, 0, 0});
  CHECK(block_mask(w, {2, 6, 2, 2}, 0.3).kept == std::vector<std::uint8_t>{1, 1, 1});
  // A block that the edge cuts short is judged by its mean: 1 is more than 0.9.
  CHECK(block_mask(std::vector<float>{0.9F, 0.9F, 1.0F}, {1, 3, 1, 2}, 0.5).kept ==
        std::vector<std::uint8_t>{0, 1});
  // Of equals, the first stay.
  CHECK(block_mask(std::vector<float>(4, 1.0F), {1, 4, 1, 1}, 0.5).kept ==
        std::vector<std::uint8_t>{1, 1, 0, 0});

  Rng rng(3);
  const LinearWeights r = random_weights({.in = 50, .out = 40}, rng);
  for (const double sparsity : {0.25, 0.5, 0.9}) {
    const BlockMask mask = block_mask(r.fp32, {40, 50, 16, 4}, sparsity);
    CHECK(mask.kept.size() == 3 * 13);
    CHECK(std::count(mask.kept.begin(), mask.kept.end(), 0) == static_cast<std::int64_t>(sparsity * 39));
    std::vector<float> cut = r.fp32;
    apply_mask(mask, cut, 40, 50);
    for (std::int64_t o = 0; o < 40; ++o) {
      for (std::int64_t i = 0; i < 50; ++i) {
        const auto at = static_cast<std::size_t>(o * 50 + i);
        const bool kept = mask.kept[static_cast<std::size_t>(o / 16 * 13 + i / 4)] != 0;
        CHECK(cut[at] == (kept ? r.fp32[at] : 0.0F));
      }
    }
  }
}

TEST_CASE("quantize: a chain of int8 layers stays close to the fp32 chain") {
  // Two layers, bytes between them. Rounding errs by half a unit each for the input (1/255), the weights
  // (1/127 of the largest) and the bytes in between, independently over 64 products: some tenths of a per
  // cent of the outputs' spread, a few per cent at worst.
  Rng rng(4);
  const LinearWeights a = random_weights({.in = 64, .out = 48}, rng),
                      b = random_weights({.in = 48, .out = 8}, rng);
  constexpr std::int64_t kRows = 200;
  std::vector<float> x(kRows * 64), hidden(kRows * 48), y(kRows * 8), got(kRows * 8);
  for (auto& v : x) v = static_cast<float>(rng.uniform());
  const LinearSpec relu{.activation = Activation::relu};
  const LinearLayer plain_a(a, relu), plain_b(b, {});
  const Scratch plain(std::max(plain_a.scratch_bytes(kRows), plain_b.scratch_bytes(kRows)));
  plain_a.run({x.data(), 64, hidden.data(), 48, kRows, plain.data});
  plain_b.run({hidden.data(), 48, y.data(), 8, kRows, plain.data});
  const QuantParams pixels{1.0F / 255, 0}, between = calibrate(hidden);
  const LinearLayer first(
      convert(a, Precision::int8),
      {.activation = Activation::relu, .output_u8 = true, .input = pixels, .output = between});
  const LinearLayer second(convert(b, Precision::int8), {.input_u8 = true, .input = between});
  const Scratch scratch(std::max(first.scratch_bytes(kRows), second.scratch_bytes(kRows)));
  std::vector<std::uint8_t> bytes(kRows * 48);
  first.run({x.data(), 64, bytes.data(), 48, kRows, scratch.data});
  second.run({bytes.data(), 48, got.data(), 8, kRows, scratch.data});
  double squares = 0, errors = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    squares += static_cast<double>(y[i]) * static_cast<double>(y[i]);
    errors += std::pow(static_cast<double>(got[i]) - static_cast<double>(y[i]), 2);
  }
  CHECK(std::sqrt(errors / squares) < 0.02);
  CHECK(errors > 0);
}
