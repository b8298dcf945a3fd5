#pragma once

#include <cmath>
#include <functional>
#include <numeric>

#include "tests/onnx/graphs.h"

// What the network and the plans of an ONNX graph compute, against a rule that says what the standard does.

namespace cbnet::testing {

using Index = std::vector<std::int64_t>;
using Attributes = OnnxNode::Attributes;

/// An array that tells what it holds at a position.
struct Values {
  explicit Values(const Tensor& of) : shape(of.shape()), numbers(of.to_vector<double>()) {}
  double operator()(const Index& i) const {
    std::int64_t at = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (i[axis] < 0 || i[axis] >= shape[axis]) return 0.0;  // padding
      at = at * shape[axis] + i[axis];
    }
    return numbers[static_cast<std::size_t>(at)];
  }
  Shape shape;
  std::vector<double> numbers;
};

/// Element i of the output, batch included, given the input.
using Rule = std::function<double(const Values& x, const Index& i)>;

constexpr std::int64_t kBatch = 3;

/// Numbers of both signs, none of which is near 0.
inline Tensor numbers_of(const Shape& shape, std::uint64_t seed = 1) {
  Rng rng(seed);
  Tensor out = Tensor::uniform(shape, 0.3, 2.0, rng);
  for (std::int64_t i = 0; i < out.numel(); ++i) out.data<float>()[i] *= i % 3 == 0 ? -1.0F : 1.0F;
  return out;
}

/// The network and the plan of every ISA make of random images what the rule says; returns the network.
inline Model check_graph(const SmallGraph& graph, const Shape& sample, const Shape& out, const Rule& rule) {
  Model model = graph.imported();
  Shape shape = sample;
  shape.insert(shape.begin(), kBatch);
  const Tensor x = numbers_of(shape);
  const Values given(x);
  Shape made = out;
  made.insert(made.begin(), kBatch);
  std::vector<double> expected;
  Index i(made.size(), 0);
  for (std::int64_t at = 0; at < numel(made); ++at) {
    std::int64_t rest = at;
    for (std::size_t axis = made.size(); axis-- > 0; rest /= made[axis]) i[axis] = rest % made[axis];
    expected.push_back(rule(given, i));
  }
  const auto compare = [&](const std::vector<float>& got) {
    REQUIRE(got.size() == expected.size());
    double worst = 0;
    for (std::size_t k = 0; k < got.size(); ++k)
      worst = std::max(worst, std::fabs(static_cast<double>(got[k]) - expected[k]) /
                                  std::max(1.0, std::fabs(expected[k])));
    CHECK(worst < 1e-5);
  };
  const Tensor y = eager_answer(model, x);
  CHECK(y.shape() == made);
  compare(y.to_vector<float>());
  for (const Isa isa : available_isas()) compare(plan_answer(model, x, isa));
  return model;
}

}  // namespace cbnet::testing
