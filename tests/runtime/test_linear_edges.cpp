// What linear layers do at the edges: the largest sums, what is not finite, the far ends of
// activations; and softmax over rows.
#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/runtime/linear_cases.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

TEST_CASE("dense: int8 sums are exact, extremes included, on every ISA") {
  for (const std::int64_t in : {1, 2, 3, 4, 5, 63, 720, 784, 4099}) {
    for (const std::int64_t rows : {1, 7}) {
      for (const int sign : {-1, 1, 0}) {  // all -127, all 127, either
        const std::int64_t out = 33;
        for (const std::int32_t zero_point : {0, 128, 255}) {
          Rng rng(static_cast<std::uint64_t>(in));
          LinearWeights w;
          w.in = in;
          w.out = out;
          w.precision = Precision::int8;
          for (std::int64_t i = 0; i < in * out; ++i) {
            w.int8.push_back(static_cast<std::int8_t>(sign != 0 ? 127 * sign : (i % 2 * 254 - 127)));
          }
          w.scales.assign(static_cast<std::size_t>(out), 1.0F);
          std::vector<std::uint8_t> x(static_cast<std::size_t>(rows * in));
          for (auto& q : x) q = sign != 0 ? 255 : static_cast<std::uint8_t>(between(rng, 0.0, 256.0));
          const LinearSpec spec{.input_u8 = true, .input = {.scale = 1.0F, .zero_point = zero_point}};
          for (const Isa isa : available_isas()) {
            const LinearLayer layer(w, spec, isa);
            const Scratch scratch(layer.scratch_bytes(rows));
            std::vector<float> y(static_cast<std::size_t>(rows * out));
            layer.run({x.data(), in, y.data(), out, rows, scratch.data});
            bool exact = true;
            for (std::int64_t r = 0; r < rows; ++r) {
              for (std::int64_t o = 0; o < out; ++o) {
                std::int32_t sum = 0;
                for (std::int64_t k = 0; k < in; ++k) {
                  sum += w.int8[static_cast<std::size_t>(o * in + k)] *
                         (x[static_cast<std::size_t>(r * in + k)] - zero_point);
                }
                exact = exact && y[static_cast<std::size_t>(r * out + o)] == static_cast<float>(sum);
              }
            }
            CHECK_MESSAGE(exact, cbnet::to_string(isa) << " in " << in << " rows " << rows << " sign " << sign
                                                       << " zero point " << zero_point);
          }
        }
      }
    }
  }
}

TEST_CASE("dense: NaN and infinity reach the outputs whose sums hold them, and no others") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const Isa isa : available_isas()) {
    for (const std::int64_t rows : {1, 7}) {
      Case c{.in = 35, .out = 21};
      Rng rng(5);
      LinearWeights w = random_weights(c, rng);
      w.fp32[static_cast<std::size_t>(20 * 35 + 34)] = nan;
      for (int activation = 0; activation < 5; ++activation) {
        c.spec.activation = static_cast<Activation>(activation);
        const LinearLayer layer(w, c.spec, isa);
        Rows x = random_rows(c, rows, c.in, rng);
        x.f[static_cast<std::size_t>((rows - 1) * 35 + 3)] = inf;
        const Rows y = run(layer, c.spec, x, rows, c.out, false);
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t o = 0; o < c.out; ++o) {
            const double value = y.f[y.at(r, o)];
            const double sum =
                r == rows - 1 ? (w.fp32[static_cast<std::size_t>(o * 35 + 3)] > 0 ? 1 : -1) * HUGE_VAL : 0;
            if (o == 20) {
              CHECK(std::isnan(value));
            } else if (r == rows - 1) {
              CHECK(value == activated(sum, c.spec));
            } else {
              CHECK(std::isfinite(value));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("dense: sigmoid and tanh are within a few units in the last place everywhere") {
  // One input of weight 1: the sum is x itself.
  LinearWeights w;
  w.in = 1;
  w.out = 1;
  w.fp32 = {1};
  for (const Isa isa : available_isas()) {
    const LinearLayer sigmoid(w, {.activation = Activation::sigmoid}, isa);
    const LinearLayer tanh(w, {.activation = Activation::tanh}, isa);
    double worst_sigmoid = 0, worst_tanh = 0;
    std::vector<float> x, y;
    for (int i = -86999; i <= 86999; ++i) x.push_back(static_cast<float>(i) * 1e-3F);
    for (int e = -40; e < 5; ++e) x.push_back(std::ldexp(1.1F, e));
    y.resize(x.size());
    const auto ulps = [](float got, double want) {
      const float size = std::max(static_cast<float>(std::fabs(want)), std::numeric_limits<float>::min());
      return std::fabs(got - want) / (std::nextafter(size, HUGE_VALF) - size);
    };
    const auto rows = static_cast<std::int64_t>(x.size());
    const Scratch scratch(sigmoid.scratch_bytes(rows));
    sigmoid.run({x.data(), 1, y.data(), 1, rows, scratch.data});
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = 1 / (1 + std::exp(-static_cast<double>(x[i])));
      worst_sigmoid = std::max(worst_sigmoid, ulps(y[i], want));
    }
    const std::vector<float> far = {-87.001F, -90, -1e30F, -HUGE_VALF, 87.001F, 90, 1e30F, HUGE_VALF};
    std::vector<float> at_far(far.size());
    sigmoid.run({far.data(), 1, at_far.data(), 1, static_cast<std::int64_t>(far.size()), scratch.data});
    for (std::size_t i = 0; i < far.size(); ++i) CHECK(at_far[i] == (far[i] > 0 ? 1.0F : 0.0F));
    tanh.run({x.data(), 1, y.data(), 1, rows, scratch.data});
    for (std::size_t i = 0; i < x.size(); ++i) {
      worst_tanh = std::max(worst_tanh, ulps(y[i], std::tanh(static_cast<double>(x[i]))));
    }
    CHECK_MESSAGE(worst_sigmoid <= 3, cbnet::to_string(isa) << ": " << worst_sigmoid);
    CHECK_MESSAGE(worst_tanh <= 3, cbnet::to_string(isa) << ": " << worst_tanh);
  }
}

TEST_CASE("softmax_rows: rows as in f64, in place too; non-finite rows are NaN") {
  CHECK_THROWS_AS(softmax_rows({nullptr, 1, nullptr, 1, 1, 0}), std::invalid_argument);
  CHECK_THROWS_AS(softmax_rows({nullptr, 2, nullptr, 3, 1, 3}), std::invalid_argument);
  for (const Isa isa : available_isas()) {
    for (const std::int64_t n : kSizes) {
      Rng rng(7);
      const std::int64_t rows = 3, pitch = n + 2;
      std::vector<float> x(static_cast<std::size_t>((rows - 1) * pitch + n));
      for (auto& v : x) v = static_cast<float>(between(rng, -20.0, 20.0));
      std::vector<float> y(static_cast<std::size_t>(rows * n));
      softmax_rows({x.data(), pitch, y.data(), n, rows, n}, isa);
      double worst = 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        const float* const row = x.data() + r * pitch;
        const double top = *std::max_element(row, row + n);
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += std::exp(row[i] - top);
        for (std::int64_t i = 0; i < n; ++i) {
          const double want = std::exp(row[i] - top) / sum;
          worst = std::max(worst, std::fabs(y[static_cast<std::size_t>(r * n + i)] / want - 1));
        }
      }
      // exp, the sum of up to 784 terms in f32 and the quotient, each some 1e-7; x - top is rounded: 2e-6.
      CHECK_MESSAGE(worst <= 4e-6, cbnet::to_string(isa) << " n " << n << ": " << worst);
      std::vector<float> z = x;
      softmax_rows({z.data(), pitch, z.data(), pitch, rows, n}, isa);
      bool same = true;
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < n; ++i) {
          same = same && z[static_cast<std::size_t>(r * pitch + i)] == y[static_cast<std::size_t>(r * n + i)];
        }
      }
      CHECK(same);
      const float inf = std::numeric_limits<float>::infinity();
      for (const float bad : {inf, std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> row(static_cast<std::size_t>(n), 1.0F);
        row.back() = bad;
        softmax_rows({row.data(), n, row.data(), n, 1, n}, isa);
        CHECK(std::isnan(row.front()));
      }
      std::vector<float> row(static_cast<std::size_t>(n), -inf);
      softmax_rows({row.data(), n, row.data(), n, 1, n}, isa);
      CHECK(std::isnan(row.front()));
    }
  }
}

TEST_CASE("dense: inputs of zero are left out, and weights that are not finite are met all the same") {
  // Six rows make a block: one pixel in twelve is there in any of them, and one row is all zeros.
  constexpr std::int64_t kIn = 203, kOut = 70, kRows = 13;
  Rng rng(8);
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    LinearWeights w = random_weights({.in = kIn, .out = kOut, .precision = precision}, rng);
    std::vector<float> x(kRows * kIn, -0.0F), y(kRows * kOut), one(kOut);
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t k = r; k < kIn && r != 4; k += 12)
        x[static_cast<std::size_t>(r * kIn + k)] = static_cast<float>(1 + rng.below(254)) / 255;
    }
    const LinearSpec spec{.input = {1.0F / 255, 0}};
    for (const Isa isa : available_isas()) {
      CAPTURE(to_string(isa));
      CAPTURE(to_string(precision));
      const LinearLayer layer(w, spec, isa);
      const Scratch scratch(layer.scratch_bytes(kRows));
      for (const bool backwards : {false, true}) {
        layer.run({x.data(), kIn, y.data(), kOut, kRows, scratch.data, backwards});
        double worst = 0;
        for (std::int64_t r = 0; r < kRows; ++r) {
          layer.run({x.data() + r * kIn, kIn, one.data(), kOut, 1, scratch.data, backwards});
          for (std::int64_t o = 0; o < kOut; ++o) {
            double want = w.bias[static_cast<std::size_t>(o)];
            for (std::int64_t k = 0; k < kIn; ++k)
              want += weight(w, o, k) * static_cast<double>(x[static_cast<std::size_t>(r * kIn + k)]);
            for (const float got :
                 {y[static_cast<std::size_t>(r * kOut + o)], one[static_cast<std::size_t>(o)]})
              worst = std::max(worst, std::fabs(want - static_cast<double>(got)) / (1 + std::fabs(want)));
          }
        }
        CHECK(worst < kTolerance);
      }
      if (precision != Precision::fp32) continue;
      LinearWeights bad = w;
      bad.fp32[2 * kIn + 1] = std::numeric_limits<float>::infinity();
      const LinearLayer careful(bad, spec, isa);
      careful.run({x.data() + 4 * kIn, kIn, one.data(), kOut, 1, scratch.data});
      CHECK(std::isnan(one[2]));
      CHECK(one[3] == w.bias[3]);
    }
  }
}
