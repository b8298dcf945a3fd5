// ONNX ops along any axis: what the network and the plans compute against loops that say what the standard
// does.

#include <doctest/doctest.h>

#include "models/kinds/avg_pool2d.h"
#include "models/kinds/conv2d.h"
#include "tests/onnx/rules.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("onnx ops: the largest of each plane") {
  const Shape sample = {2, 3, 4};
  SmallGraph graph(sample);
  graph.op("GlobalMaxPool", {"x"});
  check_graph(graph, sample, {2, 1, 1}, [](const Values& x, const Index& i) {
    double most = -HUGE_VAL;
    for (std::int64_t r = 0; r < 3; ++r)
      for (std::int64_t s = 0; s < 4; ++s) most = std::max(most, x({i[0], i[1], r, s}));
    return most;
  });
}

TEST_CASE("onnx ops: Softmax and its logarithm on any axis") {
  const Shape sample = {2, 3, 4};
  for (const std::string op : {"Softmax", "LogSoftmax"}) {
    for (std::int64_t axis = 1; axis < 4; ++axis) {
      for (const std::int64_t opset : {11, 13}) {
        SmallGraph graph(sample, opset);
        graph.op(op, {"x"}, {{"axis", opset == 13 ? axis - 4 : axis}});
        check_graph(graph, sample, sample, [&](const Values& x, const Index& i) {
          // Before opset 13 all axes from this one on are one.
          double sum = 0;
          Index k = i;
          const std::int64_t last = opset == 13 ? axis : 3;
          const std::function<void(std::int64_t)> add = [&](std::int64_t along) {
            if (along > last) {
              sum += std::exp(x(k));
              return;
            }
            const auto at = static_cast<std::size_t>(along);
            for (k[at] = 0; k[at] < sample[at - 1]; ++k[at]) add(along + 1);
          };
          add(axis);
          return op == "Softmax" ? std::exp(x(i)) / sum : x(i) - std::log(sum);
        });
      }
    }
    SmallGraph batch(sample);
    batch.op(op, {"x"}, {{"axis", std::int64_t{0}}});
    CHECK(batch.refusal() ==
          "m.onnx: node 'y' (" + op + "): expected an axis behind the batch; found axis 0 of 4");
  }
}

TEST_CASE("onnx ops: Slice, Split and Concat along any axis of an image") {
  const Shape sample = {4, 5, 6};
  SmallGraph slice(sample);
  slice.numbers("starts", {1, -1, 0});
  slice.numbers("ends",
                {3, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()});
  slice.numbers("axes", {1, -1, 0});
  slice.numbers("steps", {1, -2, 1});
  slice.op("Slice", {"x", "starts", "ends", "axes", "steps"});
  check_graph(slice, sample, {2, 5, 3}, [](const Values& x, const Index& i) {
    return x({i[0], i[1] + 1, i[2], 5 - 2 * i[3]});
  });
  SmallGraph attributes(sample, 9);
  attributes.op("Slice", {"x"}, {{"starts", Shape{0, -2}}, {"ends", Shape{99, 99}}, {"axes", Shape{2, 3}}});
  check_graph(attributes, sample, {4, 5, 2}, [](const Values& x, const Index& i) {
    return x({i[0], i[1], i[2], i[3] + 4});
  });
  SmallGraph batch(sample, 9);
  batch.op("Slice", {"x"}, {{"starts", Shape{0}}, {"ends", Shape{1}}});
  CHECK(batch.refusal() == "m.onnx: node 'y' (Slice): expected an axis behind the batch; found axis 0 of 4");
  SmallGraph nothing(sample, 9);
  nothing.op("Slice", {"x"}, {{"starts", Shape{2}}, {"ends", Shape{2}}, {"axes", Shape{1}}});
  CHECK(nothing.refusal().find("node 'y' (Slice): expected sizes that fit") != std::string::npos);

  // Every part is read, the last one first.
  for (const bool given : {true, false}) {
    SmallGraph split(sample, 18);
    GraphWriter::Names reads = {"x"};
    Attributes fields = {{"axis", std::int64_t{2}}};
    if (given)
      reads.push_back(split.numbers("parts", {2, 2, 1}));
    else
      fields.emplace_back("num_outputs", std::int64_t{3});
    onnx::NodeProto& node = split.op("Split", reads, fields, "a");
    node.add_output("b");
    node.add_output("c");
    split.op("Concat", {"c", "b", "a"}, {{"axis", std::int64_t{-2}}});
    check_graph(split, sample, sample, [](const Values& x, const Index& i) {
      const std::int64_t row = i[2] == 0 ? 4 : i[2] <= 2 ? i[2] + 1 : i[2] - 3;
      return x({i[0], i[1], row, i[3]});
    });
  }
  SmallGraph unequal(sample);
  unequal.op("Split", {"x"}, {{"axis", std::int64_t{2}}}, "y").add_output("b");
  CHECK(unequal.refusal() == "m.onnx: node 'y' (Split): expected parts of one size; found 2 of 5");
}

TEST_CASE("onnx ops: axes of size 1 come and go, and images are flattened") {
  const Shape sample = {1, 3, 1, 4};
  for (const std::int64_t opset : {11, 13}) {
    SmallGraph graph(sample, opset);
    const auto with_axes = [&](const char* op, const char* from, std::vector<std::int64_t> axes,
                               const char* to) {
      if (opset < 13)
        graph.op(op, {from}, {{"axes", std::move(axes)}}, to);
      else
        graph.op(op, {from, graph.numbers(std::string(op) + "axes", axes)}, {}, to);
    };
    with_axes("Squeeze", "x", {1, -2}, "s");
    with_axes("Unsqueeze", "s", {-1, 1}, "y");
    check_graph(graph, sample, {1, 3, 4, 1}, [](const Values& x, const Index& i) {
      return x({i[0], 0, i[2], 0, i[3]});
    });
  }
  SmallGraph flat(sample);
  flat.op("Flatten", {"x"}, {{"axis", std::int64_t{-4}}});
  check_graph(flat, sample, {12}, [](const Values& x, const Index& i) {
    return x({i[0], 0, i[1] / 4, 0, i[1] % 4});
  });
  SmallGraph apart(sample);
  apart.op("Flatten", {"x"}, {{"axis", std::int64_t{2}}});
  CHECK(apart.refusal() ==
        "m.onnx: node 'y' (Flatten): expected attribute axis = 1, so that images stay apart; found 2");
  SmallGraph front(sample);
  front.op("Unsqueeze", {"x", front.numbers("axes", {0})});
  CHECK(front.refusal() ==
        "m.onnx: node 'y' (Unsqueeze): expected the batch in front and at least one axis more; found "
        "(1,-1,1,3,1,4)");
  SmallGraph open(sample);
  open.op("Squeeze", {"x"});
  CHECK(open.refusal() == "m.onnx: node 'y' (Squeeze): expected axes, where the batch may be 1; found none");
}

TEST_CASE("onnx ops: Gemm of an image's numbers") {
  const Shape sample = {5};
  const Tensor weight = numbers_of({5, 3}, 4), bias = numbers_of({1, 3}, 5);
  const Values w(weight), b(bias);
  SmallGraph graph(sample);
  graph.constant("w", weight);
  graph.constant("b", bias);
  graph.op("Gemm", {"x", "w", "b"}, {{"alpha", 0.5F}, {"beta", 2.0F}});
  check_graph(graph, sample, {3}, [&](const Values& x, const Index& i) {
    double sum = 2 * b({0, i[1]});
    for (std::int64_t k = 0; k < 5; ++k) sum += 0.5 * x({i[0], k}) * w({k, i[1]});
    return sum;
  });
}

TEST_CASE("onnx ops: convolution and pooling of lines") {
  const Shape sample = {2, 7};
  const Tensor weight = numbers_of({3, 2, 3}, 8);
  const Values w(weight);
  SmallGraph conv(sample);
  conv.constant("w", weight);
  conv.op("Conv", {"x", "w"}, {{"strides", Shape{2}}, {"pads", Shape{1, 2}}, {"dilations", Shape{2}}});
  check_graph(conv, sample, {3, 3}, [&](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t c = 0; c < 2; ++c)
      for (std::int64_t k = 0; k < 3; ++k) sum += w({i[1], c, k}) * x({i[0], c, 2 * i[2] + 2 * k - 1});
    return sum;
  });
  SmallGraph same(sample);
  same.constant("w", weight);
  set_text(same.op("Conv", {"x", "w"}), "auto_pad", "SAME_UPPER");
  CHECK(same.imported().network->spec().trunk.size() == 3);
  SmallGraph largest(sample);
  largest.op("MaxPool", {"x"}, {{"kernel_shape", Shape{2}}, {"strides", Shape{2}}}, "m");
  largest.op("GlobalAveragePool", {"m"});
  check_graph(largest, sample, {2, 1}, [](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 6; k += 2) sum += std::max(x({i[0], i[1], k}), x({i[0], i[1], k + 1}));
    return sum / 3;
  });
  SmallGraph volumes({2, 3, 4, 5});
  volumes.op("MaxPool", {"x"}, {{"kernel_shape", Shape{2, 2, 2}}});
  CHECK(volumes.refusal() ==
        "m.onnx: node 'y' (MaxPool): expected planes (C,H,W) or lines (C,L); found (2,3,4,5)");
}
