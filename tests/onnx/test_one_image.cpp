// Graphs of one image, with a batch of 1 or without a batch axis: all of their axes may be mixed.

#include <doctest/doctest.h>

#include "tests/onnx/rules.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

/// A graph whose input has exactly these sizes, the batch included if there is one.
SmallGraph sized_graph(const Shape& sizes, std::int64_t opset = 13) {
  SmallGraph graph({1}, opset);
  onnx::TensorShapeProto& shape = *graph.proto()
                                       .mutable_graph()
                                       ->mutable_input(0)
                                       ->mutable_type()
                                       ->mutable_tensor_type()
                                       ->mutable_shape();
  shape.clear_dim();
  for (const std::int64_t size : sizes) shape.add_dim()->set_dim_value(size);
  return graph;
}

}  // namespace

TEST_CASE("onnx of one image: axes are moved across the batch of 1") {
  const Shape sample = {3, 4};
  SmallGraph reversed = sized_graph({1, 3, 4});
  reversed.op("Transpose", {"x"});
  check_graph(reversed, sample, {4, 3, 1}, [](const Values& x, const Index& i) {
    return x({i[0], i[2], i[1]});
  });
  // Attention puts the sequence in front and heads beside the batch, and takes them back.
  SmallGraph heads = sized_graph({1, 3, 4});
  heads.op("Transpose", {"x"}, {{"perm", Shape{1, 0, 2}}}, "s");
  heads.op("Reshape", {"s", heads.numbers("apart", {3, 2, 2})}, {}, "r");
  heads.op("Transpose", {"r"}, {{"perm", Shape{1, 0, 2}}}, "h");
  heads.op("Transpose", {"r"}, {{"perm", Shape{1, 2, 0}}}, "t");
  heads.op("MatMul", {"h", "t"}, {}, "m");
  heads.op("Unsqueeze", {"m", heads.numbers("front", {0})});
  check_graph(heads, sample, {2, 3, 3}, [](const Values& x, const Index& i) {
    const auto at = [&](std::int64_t row, std::int64_t k) { return x({i[0], row, 2 * i[1] + k}); };
    return at(i[2], 0) * at(i[3], 0) + at(i[2], 1) * at(i[3], 1);
  });
  SmallGraph squeezed = sized_graph({1, 3, 1, 4});
  squeezed.op("ReduceMean", {"x"}, {{"axes", Shape{3}}}, "m");
  squeezed.op("Squeeze", {"m"});
  check_graph(squeezed, {3, 1, 4}, {3}, [](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k) sum += x({i[0], i[1], 0, k});
    return sum / 4;
  });
}

TEST_CASE("onnx of one image: ops along the first axis of an array") {
  const Shape sample = {3, 4};
  SmallGraph softmax = sized_graph(sample);
  softmax.op("Softmax", {"x"}, {{"axis", std::int64_t{0}}});
  check_graph(softmax, sample, sample, [](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 3; ++k) sum += std::exp(x({i[0], k, i[2]}));
    return std::exp(x(i)) / sum;
  });
  SmallGraph joined = sized_graph(sample);
  joined.constant("c", Tensor::full({1, 4}, 0.5));
  joined.op("Slice",
            {"x", joined.numbers("from", {2}), joined.numbers("to", {0}), joined.numbers("along", {0}),
             joined.numbers("by", {-1})},
            {}, "s");
  joined.op("Concat", {"s", "c", "x"}, {{"axis", std::int64_t{-2}}});
  check_graph(joined, sample, {6, 4}, [](const Values& x, const Index& i) {
    if (i[1] == 2) return 0.5;
    return x({i[0], i[1] < 2 ? 2 - i[1] : i[1] - 3, i[2]});
  });
  SmallGraph flat = sized_graph({2, 3, 4});
  flat.op("Flatten", {"x"}, {{"axis", std::int64_t{-1}}});
  check_graph(flat, {2, 3, 4}, {6, 4}, [](const Values& x, const Index& i) {
    return x({i[0], i[1] / 3, i[1] % 3, i[2]});
  });
  SmallGraph all = sized_graph({4});
  all.op("ReduceSum", {"x"});
  check_graph(all, {4}, {1}, [](const Values& x, const Index& i) {
    return x({i[0], 0}) + x({i[0], 1}) + x({i[0], 2}) + x({i[0], 3});
  });
}

TEST_CASE("onnx of one image: a picture without a batch axis is convolved with one, for a while") {
  const Shape sample = {2, 4, 5};
  const Tensor weight = numbers_of({3, 2, 2, 2}, 3);
  const Values w(weight);
  SmallGraph graph = sized_graph(sample);
  graph.constant("w", weight);
  graph.op("Unsqueeze", {"x", graph.numbers("front", {0})}, {}, "u");
  graph.op("Conv", {"u", "w"}, {}, "c");
  graph.op("Squeeze", {"c", "front"});
  check_graph(graph, sample, {3, 3, 4}, [&](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t c = 0; c < 2; ++c)
      for (std::int64_t r = 0; r < 2; ++r)
        for (std::int64_t s = 0; s < 2; ++s) sum += w({i[1], c, r, s}) * x({i[0], c, i[2] + r, i[3] + s});
    return sum;
  });
}

TEST_CASE("onnx of one image: Gemm of matrices, transposed or not") {
  const Shape sample = {4, 3};
  const Tensor weight = numbers_of({5, 4}, 4), column = numbers_of({3, 1}, 5), left = numbers_of({3, 2}, 6);
  const Values w(weight), c(column), l(left);
  SmallGraph turned = sized_graph(sample);
  turned.constant("w", weight);
  turned.constant("c", column);
  turned.op("Gemm", {"x", "w", "c"},
            {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}, {"alpha", 0.5F}, {"beta", 2.0F}});
  check_graph(turned, sample, {3, 5}, [&](const Values& x, const Index& i) {
    double sum = 2 * c({i[1], 0});
    for (std::int64_t k = 0; k < 4; ++k) sum += 0.5 * x({i[0], k, i[1]}) * w({i[2], k});
    return sum;
  });
  SmallGraph constant = sized_graph(sample);
  constant.constant("l", left);
  constant.op("Gemm", {"l", "x"}, {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}});
  check_graph(constant, sample, {2, 4}, [&](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 3; ++k) sum += l({k, i[1]}) * x({i[0], i[2], k});
    return sum;
  });
  SmallGraph both = sized_graph(sample);
  both.op("Gemm", {"x", "x"}, {{"transA", std::int64_t{1}}}, "p");
  both.op("Gemm", {"x", "p", "x"}, {{"beta", -1.0F}});
  check_graph(both, sample, sample, [](const Values& x, const Index& i) {
    double sum = -x(i);
    for (std::int64_t k = 0; k < 3; ++k)
      for (std::int64_t r = 0; r < 4; ++r) sum += x({i[0], i[1], k}) * x({i[0], r, k}) * x({i[0], r, i[2]});
    return sum;
  });
  SmallGraph images(Shape{3});
  images.constant("w", weight);
  images.op("Gemm", {"x", "w"}, {{"transA", std::int64_t{1}}});
  CHECK(images.refusal() ==
        "m.onnx: node 'y' (Gemm): expected attribute transA = 0, so that images stay apart; found 1");
}

TEST_CASE("onnx of one image: what needs several images, or a batch axis, is refused") {
  SmallGraph several = sized_graph({2, 1, 3, 3});
  several.constant("w", Tensor::ones({1, 1, 2, 2}));
  several.op("Conv", {"x", "w"}, {}, "c");
  several.op("Softmax", {"c"}, {{"axis", std::int64_t{0}}});
  CHECK(several.refusal() ==
        "m.onnx: node 'y' (Softmax): expected an axis behind the batch; found axis 0 of 4");
  SmallGraph norm = sized_graph({2, 3});
  for (const char* name : {"a", "b", "c", "d"}) norm.constant(name, Tensor::ones({3}));
  norm.op("BatchNormalization", {"x", "a", "b", "c", "d"}, {}, "n");
  norm.op("Flatten", {"n"}, {{"axis", std::int64_t{0}}});
  CHECK(norm.refusal() ==
        "m.onnx: node 'y' (Flatten): expected attribute axis = 1, so that images stay apart; found 0");
  // The data set's images tell that the first axis is the batch.
  SmallGraph batch = sized_graph({2, 3});
  batch.op("Softmax", {"x"}, {{"axis", std::int64_t{0}}});
  const std::string bytes = batch.proto().SerializeAsString();
  OnnxImport options;
  options.image = {3};
  CHECK_THROWS_AS(import_onnx_bytes(bytes, "m.onnx", options), InputError);
  options.image = {1, 2, 3};
  CHECK(import_onnx_bytes(bytes, "m.onnx", options).network->spec().input == Shape{1, 2, 3});
}
