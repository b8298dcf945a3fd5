// ONNX functions that several layers make together: what the network and the plans compute against what the
// standard says.

#include <doctest/doctest.h>

#include "tests/onnx/rules.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("onnx functions: activations") {
  const Shape sample = {2, 3};
  const auto check_op = [&](const char* op, const Attributes& attributes,
                            const std::function<double(double)>& f) {
    SmallGraph graph(sample, 18);
    graph.op(op, {"x"}, attributes);
    check_graph(graph, sample, sample, [&](const Values& x, const Index& i) { return f(x(i)); });
  };
  const auto elu = [](double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); };
  check_op("Elu", {}, [&](double x) { return elu(x, 1.0); });
  check_op("Elu", {{"alpha", 0.5F}}, [&](double x) { return elu(x, 0.5); });
  check_op("Selu", {}, [&](double x) { return 1.0507009873554805 * elu(x, 1.6732632423543772); });
  check_op("Celu", {{"alpha", 2.0F}}, [&](double x) { return x > 0 ? x : 2.0 * std::expm1(x / 2.0); });
  check_op("Softplus", {}, [](double x) { return std::log1p(std::exp(x)); });
  check_op("Softsign", {}, [](double x) { return x / (1.0 + std::fabs(x)); });
  check_op("Mish", {}, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); });
  const Tensor slope = numbers_of({2, 1}, 2);
  const Values a(slope);
  SmallGraph prelu(sample);
  prelu.constant("a", slope);
  prelu.op("PRelu", {"x", "a"});
  check_graph(prelu, sample, sample, [&](const Values& x, const Index& i) {
    return x(i) > 0 ? x(i) : a({i[1], 0}) * x(i);
  });
}

TEST_CASE("onnx functions: a large input overflows nowhere") {
  SmallGraph graph({2});
  graph.op("Softplus", {"x"});
  const Model model = graph.imported();
  const Tensor x = Tensor::from({500.0F, -500.0F}, {1, 2});
  CHECK(eager_answer(model, x).to_vector<float>() == std::vector<float>{500.0F, 0.0F});
}

TEST_CASE("onnx functions: the largest, the smallest and the mean of several values") {
  const Shape sample = {2, 3};
  for (const std::string op : {"Max", "Min", "Mean"}) {
    SmallGraph graph(sample);
    graph.constant("c", Tensor::full({1}, 0.5));
    graph.op("Neg", {"x"}, {}, "n");
    graph.op("Exp", {"x"}, {}, "e");
    graph.op(op, {"c", "x", "n", "e"});
    check_graph(graph, sample, sample, [&](const Values& x, const Index& i) {
      const double v = x(i), e = std::exp(v);
      if (op == "Mean") return (0.5 + v - v + e) / 4;
      return op == "Max" ? std::max({0.5, v, -v, e}) : std::min({0.5, v, -v, e});
    });
  }
  const Tensor row = numbers_of({3}, 9);
  const Values r(row);
  SmallGraph stretched(sample);
  stretched.constant("c", row);
  stretched.op("Max", {"c", "x"});
  check_graph(stretched, sample, sample,
              [&](const Values& x, const Index& i) { return std::max(x(i), r({i[2]})); });
  SmallGraph unequal(sample);
  unequal.constant("c", Tensor::ones({2, 2, 3}));
  unequal.op("Max", {"x", "c"});
  CHECK(unequal.refusal().find("node 'y' (Max): expected constants that fit") != std::string::npos);
}

TEST_CASE("onnx functions: reductions of a function") {
  const Shape sample = {2, 3, 4};
  const auto check_op = [&](const std::string& op, double (*each)(double), double (*behind)(double)) {
    SmallGraph graph(sample);
    graph.op("Exp", {"x"}, {}, "e");
    graph.op(op, {op == "ReduceLogSum" ? "e" : "x"}, {{"axes", Shape{-1, 1}}, {"keepdims", std::int64_t{0}}});
    check_graph(graph, sample, {3}, [&](const Values& x, const Index& i) {
      double sum = 0;
      for (std::int64_t c = 0; c < 2; ++c)
        for (std::int64_t k = 0; k < 4; ++k) sum += each(x({i[0], c, i[1], k}));
      return behind(sum);
    });
  };
  const auto itself = [](double v) { return v; };
  const auto square = [](double v) { return v * v; };
  check_op(
      "ReduceL1", [](double v) { return std::fabs(v); }, itself);
  check_op("ReduceL2", square, [](double v) { return std::sqrt(v); });
  check_op("ReduceSumSquare", square, itself);
  check_op(
      "ReduceLogSum", [](double v) { return std::exp(v); }, [](double v) { return std::log(v); });
  SmallGraph smallest(sample);
  smallest.op("ReduceMin", {"x"}, {{"axes", Shape{2}}});
  check_graph(smallest, sample, {2, 1, 4}, [](const Values& x, const Index& i) {
    return std::min({x({i[0], i[1], 0, i[3]}), x({i[0], i[1], 1, i[3]}), x({i[0], i[1], 2, i[3]})});
  });
}

TEST_CASE("onnx functions: normalisations") {
  const Shape sample = {3, 2, 4};
  const Tensor scale = numbers_of({3}, 3), bias = numbers_of({3}, 4), row = numbers_of({2, 4}, 5);
  const Values s(scale), b(bias), r(row);
  // Over axes `first` and behind of a sample.
  const auto normalised = [&](const Values& x, const Index& i, std::int64_t first) {
    double sum = 0, squares = 0, count = 0;
    for (std::int64_t c = first > 0 ? i[1] : 0; c < (first > 0 ? i[1] + 1 : 3); ++c)
      for (std::int64_t k = 0; k < 2; ++k)
        for (std::int64_t l = 0; l < 4; ++l, ++count) {
          sum += x({i[0], c, k, l});
          squares += std::pow(x({i[0], c, k, l}), 2);
        }
    const double mean = sum / count;
    return (x(i) - mean) / std::sqrt(squares / count - mean * mean + 1e-3);
  };
  SmallGraph instance(sample);
  instance.constant("s", scale);
  instance.constant("b", bias);
  instance.op("InstanceNormalization", {"x", "s", "b"}, {{"epsilon", 1e-3F}});
  check_graph(instance, sample, sample,
              [&](const Values& x, const Index& i) { return normalised(x, i, 1) * s({i[1]}) + b({i[1]}); });
  SmallGraph layer(sample, 17);
  layer.constant("s", row);
  layer.op("LayerNormalization", {"x", "s"}, {{"axis", std::int64_t{2}}, {"epsilon", 1e-3F}});
  check_graph(layer, sample, sample, [&](const Values& x, const Index& i) {
    return normalised(x, i, 1) * r({i[2], i[3]});
  });
  SmallGraph whole(sample, 17);
  whole.constant("s", Tensor::ones({3, 2, 4}));
  whole.op("LayerNormalization", {"x", "s"}, {{"axis", std::int64_t{1}}, {"epsilon", 1e-3F}});
  check_graph(whole, sample, sample, [&](const Values& x, const Index& i) { return normalised(x, i, 0); });
  // Two groups of two channels; before opset 21 the constants are numbers of the groups.
  const Shape four = {4, 2, 3};
  const Tensor gains = numbers_of({4}, 8), shifts = numbers_of({4}, 9);
  for (const std::int64_t opset : {18, 21}) {
    const std::int64_t each = opset < 21 ? 2 : 1;
    const Tensor gain = gains.slice(0, 0, 4 / each).contiguous(),
                 shift = shifts.slice(0, 0, 4 / each).contiguous();
    const Values g(gain), h(shift);
    SmallGraph grouped(four, opset);
    grouped.constant("s", gain);
    grouped.constant("b", shift);
    grouped.op("GroupNormalization", {"x", "s", "b"}, {{"num_groups", std::int64_t{2}}, {"epsilon", 1e-3F}});
    check_graph(grouped, four, four, [&](const Values& x, const Index& i) {
      double sum = 0, squares = 0;
      for (std::int64_t c = i[1] / 2 * 2; c < i[1] / 2 * 2 + 2; ++c)
        for (std::int64_t k = 0; k < 6; ++k) {
          sum += x({i[0], c, k / 3, k % 3});
          squares += std::pow(x({i[0], c, k / 3, k % 3}), 2);
        }
      const double mean = sum / 12;
      return (x(i) - mean) / std::sqrt(squares / 12 - mean * mean + 1e-3) * g({i[1] / each}) +
             h({i[1] / each});
    });
  }
  SmallGraph apart(sample, 18);
  apart.constant("s", Tensor::ones({2}));
  apart.op("GroupNormalization", {"x", "s", "s"}, {{"num_groups", std::int64_t{2}}});
  CHECK(apart.refusal() ==
        "m.onnx: node 'y' (GroupNormalization): expected groups that divide the channels; found 2 of 3");
  for (const std::int64_t size : {2, 3}) {
    SmallGraph local(sample);
    local.op("LRN", {"x"}, {{"size", size}, {"alpha", 0.5F}, {"beta", 0.6F}, {"bias", 2.0F}});
    check_graph(local, sample, sample, [&](const Values& x, const Index& i) {
      double sum = 0;
      for (std::int64_t c = i[1] - (size - 1) / 2; c <= i[1] + size / 2; ++c)
        sum += std::pow(x({i[0], c, i[2], i[3]}), 2);
      return x(i) / std::pow(2.0 + 0.5 / static_cast<double>(size) * sum, 0.6);
    });
  }
}

TEST_CASE("onnx functions: channels become pixels and pixels channels") {
  const Shape sample = {8, 2, 3};
  for (const bool crd : {false, true}) {
    SmallGraph apart(sample);
    onnx::NodeProto& node = apart.op("DepthToSpace", {"x"}, {{"blocksize", std::int64_t{2}}});
    if (crd) set_text(node, "mode", "CRD");
    check_graph(apart, sample, {2, 4, 6}, [&](const Values& x, const Index& i) {
      const std::int64_t block = i[2] % 2 * 2 + i[3] % 2;
      return x({i[0], crd ? i[1] * 4 + block : block * 2 + i[1], i[2] / 2, i[3] / 2});
    });
  }
  const Shape planes = {2, 4, 6};
  SmallGraph together(planes);
  together.op("SpaceToDepth", {"x"}, {{"blocksize", std::int64_t{2}}});
  check_graph(together, planes, sample, [](const Values& x, const Index& i) {
    const std::int64_t block = i[1] / 2;
    return x({i[0], i[1] % 2, i[2] * 2 + block / 2, i[3] * 2 + block % 2});
  });
}

TEST_CASE("onnx functions: elements that are gathered, repeated and joined with constants") {
  const Shape sample = {2, 5};
  SmallGraph one(sample);
  one.constant("i", Tensor::from({std::int64_t{-2}}, {}));
  one.op("Gather", {"x", "i"}, {{"axis", std::int64_t{2}}});
  check_graph(one, sample, {2}, [](const Values& x, const Index& i) { return x({i[0], i[1], 3}); });
  const std::vector<std::int64_t> order = {4, 3, 0, 0, 1, 4};
  SmallGraph some(sample);
  some.constant("i", Tensor::from(order, {2, 3}));
  some.op("Gather", {"x", "i"}, {{"axis", std::int64_t{2}}});
  check_graph(some, sample, {2, 2, 3}, [&](const Values& x, const Index& i) {
    return x({i[0], i[1], order[static_cast<std::size_t>(i[2] * 3 + i[3])]});
  });
  SmallGraph outside(sample);
  outside.constant("i", Tensor::from({std::int64_t{5}}, {1}));
  outside.op("Gather", {"x", "i"}, {{"axis", std::int64_t{2}}});
  CHECK(outside.refusal() == "m.onnx: node 'y' (Gather): expected indices of 5 elements; found 5");

  const Shape column = {3, 1};
  SmallGraph repeated(column);
  repeated.op("Expand", {"x", repeated.numbers("shape", {1, 1, 4})});
  check_graph(repeated, column, {3, 4}, [](const Values& x, const Index& i) { return x({i[0], i[1], 0}); });
  SmallGraph images(column);
  images.op("Expand", {"x", images.numbers("shape", {7, 3, 4})});
  CHECK(images.refusal() == "m.onnx: node 'y' (Expand): expected as many images as there are; found (7,3,4)");

  const Tensor constant = numbers_of({1, 2, 2}, 6);
  const Values c(constant);
  SmallGraph joined(sample);
  joined.constant("c", constant);
  joined.op("Concat", {"c", "x", "c"}, {{"axis", std::int64_t{-1}}});
  check_graph(joined, sample, {2, 9}, [&](const Values& x, const Index& i) {
    if (i[2] >= 2 && i[2] < 7) return x({i[0], i[1], i[2] - 2});
    return c({0, i[1], i[2] % 7});
  });
}

TEST_CASE("onnx functions: products with matrices") {
  const Shape sample = {2, 3, 4};
  const Tensor weight = numbers_of({4, 5}, 7);
  const Values w(weight);
  SmallGraph rows(sample);
  rows.constant("w", weight);
  rows.op("MatMul", {"x", "w"});
  check_graph(rows, sample, {2, 3, 5}, [&](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k) sum += x({i[0], i[1], i[2], k}) * w({k, i[3]});
    return sum;
  });
  const Tensor left = numbers_of({5, 3}, 8), stack = numbers_of({2, 4, 5}, 9);
  const Values l(left), st(stack);
  SmallGraph from_left(sample);
  from_left.constant("l", left);
  from_left.op("MatMul", {"l", "x"});
  check_graph(from_left, sample, {2, 5, 4}, [&](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 3; ++k) sum += l({i[2], k}) * x({i[0], i[1], k, i[3]});
    return sum;
  });
  for (const bool one : {true, false}) {
    SmallGraph stacked(sample);
    stacked.constant("w", one ? weight.reshape({1, 1, 4, 5}) : stack);
    stacked.op("MatMul", {"x", "w"});
    check_graph(stacked, sample, {2, 3, 5}, [&](const Values& x, const Index& i) {
      double sum = 0;
      for (std::int64_t k = 0; k < 4; ++k)
        sum += x({i[0], i[1], i[2], k}) * (one ? w({k, i[3]}) : st({i[1], k, i[3]}));
      return sum;
    });
  }
  SmallGraph batched(sample);
  batched.op("Transpose", {"x"}, {{"perm", Shape{0, 1, 3, 2}}}, "t");
  batched.op("MatMul", {"x", "t"});
  check_graph(batched, sample, {2, 3, 3}, [](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k) sum += x({i[0], i[1], i[2], k}) * x({i[0], i[1], i[3], k});
    return sum;
  });
  SmallGraph added({4});
  added.constant("w", weight);
  added.constant("m", weight);
  added.op("MatMul", {"x", "m"}, {}, "c");
  added.op("Gemm", {"x", "w", "c"}, {{"beta", 0.5F}});
  check_graph(added, {4}, {5}, [&](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k) sum += 1.5 * x({i[0], k}) * w({k, i[1]});
    return sum;
  });
}
