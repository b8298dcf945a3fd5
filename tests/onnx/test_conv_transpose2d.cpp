// ONNX's ConvTranspose: what the network and the plans compute against loops that say what the standard does.

#include <doctest/doctest.h>

#include "tests/onnx/rules.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("onnx ops: ConvTranspose, whose output may be given instead of its pads") {
  const Shape sample = {1, 3, 4};
  const Tensor weight = numbers_of({1, 2, 3, 2}, 6);
  const Values w(weight);
  struct Case {
    const char* auto_pad;
    std::int64_t stride;
    std::vector<std::int64_t> output_shape;
    Shape out;
    std::int64_t top, left;  // what is taken away there
  };
  for (const Case& each :
       {Case{"SAME_UPPER", 2, {}, {2, 6, 8}, 0, 0}, Case{"SAME_LOWER", 2, {}, {2, 6, 8}, 1, 0},
        Case{"NOTSET", 2, {4, 6}, {2, 4, 6}, 2, 1}, Case{"SAME_UPPER", 2, {4, 6}, {2, 4, 6}, 1, 1},
        Case{"NOTSET", 5, {14, 19}, {2, 14, 19}, 0, 0}}) {
    CAPTURE(each.auto_pad);
    SmallGraph graph(sample);
    graph.constant("w", weight);
    Attributes fields = {{"strides", Shape{each.stride, each.stride}}};
    if (!each.output_shape.empty()) fields.emplace_back("output_shape", each.output_shape);
    set_text(graph.op("ConvTranspose", {"x", "w"}, fields), "auto_pad", each.auto_pad);
    check_graph(graph, sample, each.out, [&](const Values& x, const Index& i) {
      double sum = 0;
      for (std::int64_t row = 0; row < 3; ++row)
        for (std::int64_t column = 0; column < 4; ++column) {
          const std::int64_t r = i[2] + each.top - row * each.stride,
                             s = i[3] + each.left - column * each.stride;
          sum += x({i[0], 0, row, column}) * w({0, i[1], r, s});
        }
      return sum;
    });
  }
}

TEST_CASE("onnx ops: ConvTranspose of lines") {
  const Shape sample = {2, 7};
  const Tensor weight = numbers_of({2, 1, 3}, 9);
  const Values t(weight);
  SmallGraph transposed(sample);
  transposed.constant("w", weight);
  transposed.op("ConvTranspose", {"x", "w"}, {{"strides", Shape{2}}, {"output_padding", Shape{1}}});
  check_graph(transposed, sample, {1, 16}, [&](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t c = 0; c < 2; ++c)
      for (std::int64_t k = 0; k < 7; ++k) {
        const std::int64_t at = i[2] - 2 * k;
        if (at >= 0 && at < 3) sum += x({i[0], c, k}) * t({c, 0, at});
      }
    return sum;
  });
}
