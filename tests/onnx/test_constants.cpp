// What exporters leave to be computed when a graph is loaded: sizes, weights of weights, the batch.

#include <doctest/doctest.h>

#include "tests/onnx/graphs.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

Tensor counted(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 7.5F;
  return Tensor::from(values, shape);
}

/// Both engines give the numbers of `expected`.
void check_answers(const Model& model, const Tensor& x, const Tensor& expected) {
  const Tensor y = eager_answer(model, x);
  CHECK(y.shape() == expected.shape());
  CHECK(y.to_vector<float>() == expected.to_vector<float>());
  CHECK(plan_answer(model, x, available_isas().back()) == expected.to_vector<float>());
}

/// What a graph computes as "c" of constants, read off by adding it to zeros (1,4).
std::vector<float> folded(SmallGraph& graph) {
  graph.op("Cast", {"c"}, {{"to", std::int64_t{1}}}, "f");
  graph.op("Add", {"x", "f"});
  return eager_answer(graph.imported(), Tensor::zeros({1, 4})).to_vector<float>();
}

}  // namespace

TEST_CASE("onnx constants: the shape that an exporter computes for a Reshape") {
  // As torch.flatten, tensor.view(tensor.size(0), -1, 6) and reshape((-1, 6, 4)) are written.
  for (const std::string batch : {"N", "3", "0", "-1"}) {
    SmallGraph graph({2, 3, 4});
    onnx::TensorShapeProto::Dimension& first = *graph.proto()
                                                    .mutable_graph()
                                                    ->mutable_input(0)
                                                    ->mutable_type()
                                                    ->mutable_tensor_type()
                                                    ->mutable_shape()
                                                    ->mutable_dim(0);
    if (batch != "N") first.set_dim_value(std::stoll(batch));
    graph.op("Shape", {"x"}, {}, "sizes");
    graph.constant("zero", Tensor::from({std::int64_t{0}}, {}));
    graph.op("Gather", {"sizes", "zero"}, {{"axis", std::int64_t{0}}}, "n");
    graph.op("Unsqueeze", {"n", graph.numbers("front", {0})}, {}, "n1");
    graph.op("Slice", {"sizes", graph.numbers("two", {2}), graph.numbers("four", {4})}, {}, "planes");
    graph.constant("one", Tensor::from({std::int64_t{1}}, {}));
    graph.op("Gather", {"planes", "zero"}, {}, "rows");
    graph.op("Gather", {"planes", "one"}, {}, "columns");
    graph.op("Mul", {"rows", "columns"}, {}, "pixels");
    graph.op("Unsqueeze", {"pixels", "front"}, {}, "pixels1");
    graph.op("Div", {"pixels1", graph.numbers("by", {2})}, {}, "half");
    graph.op("Concat", {"n1", graph.numbers("open", {-1}), "half"}, {{"axis", std::int64_t{0}}}, "target");
    graph.op("Reshape", {"x", "target"});
    const Tensor x = counted({3, 2, 3, 4});
    check_answers(graph.imported(), x, x.view({3, 4, 6}));
  }
}

TEST_CASE("onnx constants: each op") {
  const Tensor four =
      Tensor::from({std::int64_t{5}, std::int64_t{-3}, std::int64_t{2}, std::int64_t{7}}, {4});
  const auto of_four = [&](const char* op, const OnnxNode::Attributes& attributes = {},
                           const Tensor& second = Tensor()) {
    SmallGraph graph({4});
    GraphWriter::Names reads = {graph.constant("a", four)};
    if (second.defined()) reads.push_back(graph.constant("b", second));
    graph.op(op, reads, attributes, "c");
    return folded(graph);
  };
  using Floats = std::vector<float>;
  const Tensor two = Tensor::from({std::int64_t{2}}, {1});
  CHECK(of_four("Add", {}, two) == Floats{7, -1, 4, 9});
  CHECK(of_four("Sub", {}, two) == Floats{3, -5, 0, 5});
  CHECK(of_four("Mul", {}, two) == Floats{10, -6, 4, 14});
  CHECK(of_four("Div", {}, two) == Floats{2, -1, 1, 3});  // towards zero
  CHECK(of_four("Pow", {}, two) == Floats{25, 9, 4, 49});
  CHECK(of_four("Neg") == Floats{-5, 3, -2, -7});
  CHECK(of_four("Abs") == Floats{5, 3, 2, 7});
  CHECK(of_four("Gather", {},
                Tensor::from({std::int64_t{-1}, std::int64_t{0}, std::int64_t{0}, std::int64_t{1}}, {4})) ==
        Floats{7, 5, 5, -3});
  CHECK(of_four("Reshape", {}, Tensor::from({std::int64_t{1}, std::int64_t{-1}}, {2})) ==
        Floats{5, -3, 2, 7});
  CHECK(of_four("Cast", {{"to", std::int64_t{9}}}) == Floats{1, 1, 1, 1});
  CHECK(of_four("Identity") == Floats{5, -3, 2, 7});

  SmallGraph filled({4});
  filled.op("ConstantOfShape", {filled.numbers("sizes", {4})}, {}, "c");
  CHECK(folded(filled) == Floats{0, 0, 0, 0});
  SmallGraph backwards({4});
  backwards.constant("a", four);
  backwards.numbers("from", {-1});
  backwards.numbers("to", {-5});
  backwards.op("Slice", {"a", "from", "to", "", backwards.numbers("step", {-1})}, {}, "c");
  CHECK(folded(backwards) == Floats{7, 2, -3, 5});
  SmallGraph turned({4});
  turned.constant("a", four.view({2, 2}));
  turned.op("Transpose", {"a"}, {}, "t");
  turned.op("Unsqueeze", {"t", turned.numbers("axes", {0})}, {}, "u");
  turned.op("Squeeze", {"u", "axes"}, {}, "s");
  turned.op("Reshape", {"s", turned.numbers("row", {4})}, {}, "c");
  CHECK(folded(turned) == Floats{5, 2, -3, 7});
  SmallGraph roots({4});
  roots.constant("a", Tensor::from({4.0F, 9.0F, 2.25F, 16.0F}, {4}));
  roots.op("Sqrt", {"a"}, {}, "r");
  roots.op("Reciprocal", {"r"}, {}, "i");
  roots.op("Log", {"i"}, {}, "l");
  roots.op("Exp", {"l"}, {}, "e");
  roots.op("Sub", {"e", "e"}, {}, "z");
  roots.op("Add", {"z", "r"}, {}, "s");
  roots.op("Ceil", {"s"}, {}, "c");
  CHECK(folded(roots) == Floats{2, 3, 2, 4});
  SmallGraph floors({4});
  floors.constant("a", Tensor::from({1.5F, -1.5F, 2.0F, 0.25F}, {4}));
  floors.op("Floor", {"a"}, {}, "c");
  CHECK(folded(floors) == Floats{1, -2, 2, 0});
}

TEST_CASE("onnx constants: numbers that a Constant node holds") {
  const auto constant = [](const OnnxNode::Attributes& attributes) {
    SmallGraph graph({4});
    graph.op("Constant", {}, attributes, "c");
    return folded(graph);
  };
  CHECK(constant({{"value_int", std::int64_t{3}}}) == std::vector<float>(4, 3.0F));
  CHECK(constant({{"value_float", 0.5F}}) == std::vector<float>(4, 0.5F));
  CHECK(constant({{"value_ints", Shape{1, 2, 3, 4}}}) == std::vector<float>{1, 2, 3, 4});
  SmallGraph nothing({4});
  nothing.op("Constant", {}, {}, "c");
  nothing.op("Add", {"x", "c"});
  CHECK(nothing.refusal() == "m.onnx: node 'c' (Constant): expected the attribute value; found none");
}

TEST_CASE("onnx constants: weights that are computed, and that stand as inputs of the graph") {
  const Tensor weight = counted({3, 4});
  SmallGraph graph({4});
  graph.constant("w", weight);
  graph.constant("two", Tensor::full({}, 2.0));
  graph.op("Mul", {"w", "two"}, {}, "doubled");
  graph.op("Transpose", {"doubled"}, {{"perm", Shape{1, 0}}}, "t");
  graph.op("MatMul", {"x", "t"});
  onnx::ValueInfoProto& listed = *graph.proto().mutable_graph()->add_input();
  listed.set_name("w");
  const Tensor x = Tensor::from({1.0F, 2.0F, 0.0F, -1.0F}, {1, 4});
  std::vector<float> expected;
  for (std::int64_t row = 0; row < 3; ++row) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k) sum += 2 * weight.at({row, k}) * x.at({0, k});
    expected.push_back(static_cast<float>(sum));
  }
  check_answers(graph.imported(), x, Tensor::from(expected, {1, 3}));
}

TEST_CASE("onnx constants: choices, repeats and products") {
  using Floats = std::vector<float>;
  const auto four = [](std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return Tensor::from({a, b, c, d}, {4});
  };
  SmallGraph chosen({4});
  chosen.constant("a", four(1, 2, 3, 4));
  chosen.op("Equal", {"a", chosen.constant("b", four(1, 0, 3, 0))}, {}, "same");
  chosen.op("Where", {"same", "a", chosen.numbers("no", {-1})}, {}, "c");
  CHECK(folded(chosen) == Floats{1, -1, 3, -1});
  SmallGraph repeated({4});
  repeated.op("Expand", {repeated.numbers("a", {7}), repeated.numbers("shape", {1, 4})}, {}, "r");
  repeated.op("Flatten", {"r"}, {{"axis", std::int64_t{-1}}}, "c");
  CHECK(folded(repeated) == Floats{7, 7, 7, 7});
  SmallGraph products({4});
  products.constant("a", Tensor::from({1.0F, 2.0F}, {2, 1}));
  products.constant("b", Tensor::from({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F, 7.0F, 8.0F}, {4, 2}));
  products.constant("d", Tensor::from({1.0F, 2.0F, 3.0F, 4.0F}, {4}));
  products.op("Gemm", {"a", "b", "d"},
              {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}, {"alpha", 2.0F}, {"beta", -1.0F}},
              "g");
  products.constant("i", Tensor::from({2.0F}, {1, 1}));
  products.op("MatMul", {"i", "g"}, {}, "c");
  CHECK(folded(products) == Floats{18, 40, 62, 84});
}

TEST_CASE("onnx constants: a constant that is repeated for every image, as torch writes it") {
  SmallGraph graph({2, 4});
  graph.op("Shape", {"x"}, {{"end", std::int64_t{1}}}, "n");
  graph.op("Concat", {"n", graph.numbers("same", {-1, -1})}, {{"axis", std::int64_t{0}}}, "sizes");
  graph.op("Equal", {"sizes", graph.numbers("open", {-1, -1, -1})}, {}, "which");
  graph.op("Where", {"which", graph.numbers("ones", {1, 1, 1}), "sizes"}, {}, "shape");
  graph.op("Expand", {graph.constant("token", Tensor::full({1, 1, 4}, 0.5)), "shape"}, {}, "tokens");
  graph.op("Concat", {"tokens", "x"}, {{"axis", std::int64_t{1}}});
  const Tensor x = counted({3, 2, 4});
  const Tensor expected = Tensor::full({3, 3, 4}, 0.5);
  expected.slice(1, 1, 3).copy_from(x);
  check_answers(graph.imported(), x, expected);
  SmallGraph unknown({4});
  unknown.op("Shape", {"x"}, {}, "sizes");
  unknown.op("Equal", {"sizes", unknown.numbers("three", {3, 4})}, {}, "c");
  unknown.op("Reshape", {"x", "c"});
  CHECK(unknown.refusal() ==
        "m.onnx: node 'c' (Equal): expected numbers that do not depend on the batch; found some that do");
}

TEST_CASE("onnx constants: what cannot be computed beforehand is refused by name") {
  SmallGraph rounded({4});
  rounded.op("Floor", {"x"});
  CHECK(rounded.refusal() ==
        "m.onnx: node 'y' (Floor): expected input 0 to be a constant; found 'x', computed");
  SmallGraph doubled({4});
  doubled.op("Shape", {"x"}, {}, "sizes");
  doubled.op("Add", {"sizes", "sizes"}, {}, "twice");
  doubled.op("Reshape", {"x", "twice"});
  CHECK(doubled.refusal() ==
        "m.onnx: node 'twice' (Add): expected numbers that do not depend on the batch; found some that do");
  SmallGraph large({4});
  large.op("ConstantOfShape", {large.numbers("sizes", {1 << 20, 1 << 20})}, {}, "c");
  large.op("Add", {"x", "c"});
  CHECK(large.refusal() ==
        "m.onnx: node 'c' (ConstantOfShape): expected a constant of at most 1048576 elements; found "
        "(1048576,1048576)");
  SmallGraph many({4});
  many.numbers("sizes", {1 << 20});
  GraphWriter::Names reads = {"x"};
  for (int i = 0; i < 65; ++i) {
    reads.push_back("c" + std::to_string(i));
    many.op("ConstantOfShape", {"sizes"}, {}, reads.back());
  }
  many.op("Sum", reads);
  CHECK(many.refusal() ==
        "m.onnx: node 'c64' (ConstantOfShape): expected constants of at most 67108864 elements together; "
        "found more");
  SmallGraph divided({4});
  divided.numbers("a", {1});
  divided.op("Div", {"a", divided.numbers("zero", {0})}, {}, "c");
  divided.op("Reshape", {"x", "c"});
  CHECK(divided.refusal() == "m.onnx: node 'c' (Div): expected integers of at most 2^53; found inf");
  SmallGraph apart({4});
  apart.numbers("a", {1, 2});
  apart.op("Concat", {"a", apart.constant("b", Tensor::ones({1}))}, {{"axis", std::int64_t{0}}}, "c");
  apart.op("Reshape", {"x", "c"});
  CHECK(apart.refusal() == "m.onnx: node 'c' (Concat): expected constants that fit; found i64 (2), f32 (1)");
}
