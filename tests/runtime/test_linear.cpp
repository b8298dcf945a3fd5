#include "runtime/linear.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/runtime/linear_cases.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

std::string message_of(const LinearWeights& w, const LinearSpec& spec = {}) {
  try {
    const LinearLayer layer(w, spec);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

LinearWeights small(Precision precision) {
  Rng rng(1);
  return random_weights({.in = 5, .out = 3, .precision = precision}, rng);
}

}  // namespace

TEST_CASE("dense: wrong use throws, by name") {
  const auto says = [](const std::string& message, const std::string& part) {
    CHECK_MESSAGE(message.rfind("[linear] ", 0) == 0, message);
    CHECK_MESSAGE(message.find(part) != std::string::npos, message << " lacks " << part);
  };
  LinearWeights w = small(Precision::fp32);
  w.in = 0;
  says(message_of(w), "in and out must be at least 1");
  w = small(Precision::fp32);
  w.fp32.pop_back();
  says(message_of(w), "fp32 must hold 15 values for 3x5; got 14");
  w = small(Precision::bf16);
  w.fp32.push_back(1);
  says(message_of(w), "fp32 must hold 0 values for 3x5; got 1");
  w = small(Precision::fp32);
  w.bias.pop_back();
  says(message_of(w), "bias must hold 3 values");
  w = small(Precision::int8);
  w.scales[1] = 0;
  says(message_of(w), "scales must be positive and finite; got 0");
  w = small(Precision::int8);
  w.scales.clear();
  says(message_of(w), "scales must hold 3 values");
  w = small(Precision::int8);
  w.int8[4] = -128;
  says(message_of(w), "int8 weights must be -127 to 127");
  says(message_of(small(Precision::int8), {.input = {.scale = -1}}), "input scale must be positive");
  says(message_of(small(Precision::int8), {.input = {.zero_point = 256}}),
       "input zero point must be 0 to 255");
  says(message_of(small(Precision::fp32), {.output_u8 = true, .output = {.scale = NAN}}), "output scale");
  w = small(Precision::bf16);
  w.mask = {16, 1, {1, 1, 1, 1, 1}};
  says(message_of(w), "no block-sparse kernel for bf16");
  w = small(Precision::fp32);
  w.mask = {8, 1, {1, 1, 1, 1, 1}};
  says(message_of(w), "sparse in blocks of 16 x 1; got 8 x 1");
  w.mask = {16, 1, {1, 1, 1, 1}};
  says(message_of(w), "mask must hold 5 values");

  w = {};
  w.in = 65'001;
  w.out = 1;
  w.precision = Precision::int8;
  w.int8.assign(65'001, 1);
  w.scales = {1};
  says(message_of(w), "int8 sums fit 32 bits up to 65000 inputs; got 65001");
  for (const Isa isa : {Isa::avx2, Isa::neon}) {  // no machine has both
    const auto isas = available_isas();
    if (std::find(isas.begin(), isas.end(), isa) != isas.end()) continue;
    CHECK_THROWS_AS(LinearLayer(small(Precision::fp32), {}, isa), std::invalid_argument);
  }

  const LinearLayer layer(small(Precision::fp32), {});
  float x[5] = {}, y[3] = {};
  CHECK_THROWS_AS(layer.run({x, 5, y, 3, -1, nullptr}), std::invalid_argument);
  CHECK_THROWS_AS(layer.run({x, 4, y, 3, 1, nullptr}), std::invalid_argument);
  CHECK_THROWS_AS(layer.run({x, 5, y, 2, 1, nullptr}), std::invalid_argument);
  CHECK_THROWS_AS(layer.run({nullptr, 5, y, 3, 1, nullptr}), std::invalid_argument);
  const LinearLayer bytes(small(Precision::int8), {});
  CHECK(bytes.scratch_bytes(1) > 0);
  CHECK_THROWS_AS(bytes.run({x, 5, y, 3, 1, nullptr}), std::invalid_argument);
  layer.run({nullptr, 5, nullptr, 3, 0, nullptr});  // no rows, nothing to do
}

TEST_CASE("dense: a layer worked out by hand") {
  LinearWeights w;
  w.in = 2;
  w.out = 3;
  w.fp32 = {1, 2, 3, 4, -5, 6};
  w.bias = {0.5F, 0, -1};
  for (const Isa isa : available_isas()) {
    const LinearLayer layer(w, {.activation = Activation::leaky_relu, .slope = 0.5F}, isa);
    const Scratch scratch(layer.scratch_bytes(2));
    const float x[4] = {1, 10, 10, 1};
    float y[6] = {};
    layer.run({x, 2, y, 3, 2, scratch.data});
    const float want[6] = {21.5F, 43, 54, 12.5F, 34, -22.5F};
    for (int i = 0; i < 6; ++i) CHECK(y[i] == want[i]);
  }
}

TEST_CASE("dense: every size, precision and ISA as a loop nest in f64") {
  std::size_t turn = 0;
  for (const std::int64_t in : kSizes) {
    for (const std::int64_t out : kSizes) {
      const auto& rows = many_rows();
      const std::vector<std::int64_t> some = {1, rows[turn % rows.size()], rows[(turn * 7 + 3) % 17]};
      ++turn;
      for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
        Case c{.in = in, .out = out, .precision = precision};
        c.spec.activation = static_cast<Activation>(turn % 5);
        c.spec.input = {.scale = 1.0F / 100, .zero_point = static_cast<std::int32_t>(turn % 3 * 128 % 256)};
        c.spec.input_u8 = turn % 2 == 0;
        c.bias = turn % 4 != 0;
        check(c, some);
      }
    }
  }
}

TEST_CASE("dense: every number of rows") {
  for (const auto& [in, out] :
       {std::pair<std::int64_t, std::int64_t>{720, 10}, {127, 31}, {64, 64}, {17, 127}}) {
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
      Case c{.in = in, .out = out, .precision = precision};
      c.spec.input = {.scale = 1.0F / 128, .zero_point = 128};
      check(c, many_rows());
      if (precision == Precision::bf16) continue;
      c.sparsity = 0.7;
      check(c, many_rows());
    }
  }
  // More rows than one chunk of them holds.
  check({.in = 784, .out = 17}, {131});
}

TEST_CASE("dense: bytes in, bytes out, every activation") {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    for (int activation = 0; activation < 5; ++activation) {
      for (const bool input_u8 : {false, true}) {
        for (const bool output_u8 : {false, true}) {
          Case c{.in = 61, .out = 37, .precision = precision};
          c.spec = {.activation = static_cast<Activation>(activation),
                    .slope = 0.2F,
                    .input_u8 = input_u8,
                    .output_u8 = output_u8,
                    .input = {.scale = 1.0F / 120, .zero_point = 119},
                    .output = {.scale = 1.0F / 60, .zero_point = 101}};
          check(c, {1, 5, 13});
        }
      }
    }
  }
}

TEST_CASE("dense: block-sparse layers are dense ones with zeros") {
  for (const Precision precision : {Precision::fp32, Precision::int8}) {
    for (const double sparsity : {0.3, 0.9, 1.1}) {  // the last keeps nothing
      for (const std::int64_t in : {1, 5, 64, 127}) {
        for (const std::int64_t out : {3, 16, 50}) {
          Case c{.in = in, .out = out, .precision = precision, .sparsity = sparsity};
          c.spec.input = {.scale = 1.0F / 120, .zero_point = 119};
          check(c, {1, 4, 17});
        }
      }
    }
  }
}
