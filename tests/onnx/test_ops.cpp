// ONNX ops one by one: what the network and the plans compute against loops that say what the standard does.

#include <doctest/doctest.h>

#include "models/kinds/avg_pool2d.h"
#include "models/kinds/conv2d.h"
#include "tests/onnx/rules.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("onnx ops: differences, quotients and sums, with constants on either side") {
  const Shape sample = {2, 3, 4};
  const Tensor c = numbers_of({2, 1, 1}, 2);
  const Values at(c);
  const auto graph = [&](const std::string& op, const GraphWriter::Names& reads) {
    SmallGraph out(sample);
    out.constant("c", c);
    out.op("Abs", {"x"}, {}, "z");
    out.op(op, reads);
    return out;
  };
  const auto constant = [&](const Index& i) { return at({i[1], 0, 0}); };
  check_graph(graph("Sub", {"x", "c"}), sample, sample,
              [&](const Values& x, const Index& i) { return x(i) - constant(i); });
  check_graph(graph("Sub", {"c", "x"}), sample, sample,
              [&](const Values& x, const Index& i) { return constant(i) - x(i); });
  check_graph(graph("Sub", {"x", "z"}), sample, sample,
              [&](const Values& x, const Index& i) { return x(i) - std::fabs(x(i)); });
  check_graph(graph("Div", {"x", "c"}), sample, sample,
              [&](const Values& x, const Index& i) { return x(i) / constant(i); });
  check_graph(graph("Div", {"c", "x"}), sample, sample,
              [&](const Values& x, const Index& i) { return constant(i) / x(i); });
  check_graph(graph("Div", {"x", "z"}), sample, sample,
              [&](const Values& x, const Index& i) { return x(i) / std::fabs(x(i)); });
  check_graph(graph("Sum", {"c", "x", "z", "x"}), sample, sample,
              [&](const Values& x, const Index& i) { return constant(i) + 2 * x(i) + std::fabs(x(i)); });
  check_graph(graph("Sum", {"z"}), sample, sample,
              [&](const Values& x, const Index& i) { return std::fabs(x(i)); });
  SmallGraph zero(sample);
  zero.constant("c", Tensor::zeros({}));
  zero.op("Div", {"x", "c"});
  CHECK(zero.refusal() == "m.onnx: node 'y' (Div): expected divisors with a normal reciprocal; found 0");
}

TEST_CASE("onnx ops: pointwise functions") {
  const Shape sample = {6};
  const auto check_op = [&](const char* op, const Attributes& attributes, double (*f)(double)) {
    SmallGraph graph(sample, 14);
    graph.op(op, {"x"}, attributes);
    check_graph(graph, sample, sample, [&](const Values& x, const Index& i) { return f(x(i)); });
  };
  check_op("HardSigmoid", {}, [](double x) { return std::clamp(0.2 * x + 0.5, 0.0, 1.0); });
  check_op("HardSigmoid", {{"alpha", 0.6F}, {"beta", 0.25F}},
           [](double x) { return std::clamp(0.6 * x + 0.25, 0.0, 1.0); });
  check_op("HardSwish", {}, [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); });
  check_op("Neg", {}, [](double x) { return -x; });
  check_op("Erf", {}, [](double x) { return std::erf(x); });
  check_op("Cast", {{"to", std::int64_t{1}}}, [](double x) { return x; });
}

TEST_CASE("onnx ops: Pad becomes padding of the layer behind it where that is the same") {
  const Shape sample = {2, 5, 6};
  const Tensor weight = numbers_of({3, 2, 3, 3}, 3);
  const Values w(weight);
  const auto padded = [&](std::vector<std::int64_t> pads, double value) {
    SmallGraph graph(sample);
    graph.numbers("pads", pads);
    graph.constant("value", Tensor::full({}, value));
    graph.op("Pad", {"x", "pads", "value"}, {}, "p");
    return graph;
  };
  // Rows -1 to 6, columns 0 to 7: top, left, bottom, right are 1, 0, 2, 2.
  const std::vector<std::int64_t> pads = {0, 0, 1, 0, 0, 0, 2, 2};
  const auto convolved = [&](double value) {
    return [&, value](const Values& x, const Index& i) {
      double sum = 0;
      for (std::int64_t c = 0; c < 2; ++c)
        for (std::int64_t r = 0; r < 3; ++r)
          for (std::int64_t s = 0; s < 3; ++s) {
            const std::int64_t row = i[2] + r - 1, column = i[3] + s;
            const bool inside = row >= 0 && row < 5 && column >= 0 && column < 6;
            sum += w({i[1], c, r, s}) * (inside ? x({i[0], c, row, column}) : value);
          }
      return sum;
    };
  };
  SmallGraph conv = padded(pads, 0.0);
  conv.constant("w", weight);
  conv.op("Conv", {"p", "w"});
  const Model fused = check_graph(conv, sample, {3, 6, 6}, convolved(0.0));
  REQUIRE(fused.network->spec().trunk.size() == 1);
  CHECK(fused.network->spec().trunk[0].as<kinds::Conv2d>()->padding == Padding2d(1, 0, 2, 2));

  SmallGraph ones = padded(pads, 1.0);
  ones.constant("w", weight);
  ones.op("Conv", {"p", "w"});
  CHECK(check_graph(ones, sample, {3, 6, 6}, convolved(1.0)).network->spec().trunk.size() == 2);

  // What somebody else reads too stays.
  SmallGraph shared = padded({0, 0, 1, 1, 0, 0, 1, 1}, 0.0);
  shared.constant("w", Tensor::ones({2, 2, 1, 1}));
  shared.op("Conv", {"p", "w"}, {}, "q");
  shared.op("Add", {"p", "q"});
  check_graph(shared, sample, {2, 7, 8}, [](const Values& x, const Index& i) {
    const auto at = [&](std::int64_t c) { return x({i[0], c, i[2] - 1, i[3] - 1}); };
    return at(i[1]) + at(0) + at(1);
  });

  SmallGraph average = padded(pads, 0.0);
  average.op("AveragePool", {"p"}, {{"kernel_shape", Shape{4, 4}}, {"strides", Shape{2, 1}}});
  const Model pooled = check_graph(average, sample, {2, 3, 5}, [](const Values& x, const Index& i) {
    double sum = 0;
    for (std::int64_t r = 0; r < 4; ++r)
      for (std::int64_t s = 0; s < 4; ++s) sum += x({i[0], i[1], 2 * i[2] + r - 1, i[3] + s});
    return sum / 16;
  });
  CHECK(pooled.network->spec().trunk.size() == 1);

  // Zeros are numbers to a maximum.
  SmallGraph largest = padded(pads, 0.0);
  largest.op("MaxPool", {"p"}, {{"kernel_shape", Shape{2, 2}}});
  const Model maximum = check_graph(largest, sample, {2, 7, 7}, [](const Values& x, const Index& i) {
    double most = -HUGE_VAL;
    for (std::int64_t r = 0; r < 2; ++r)
      for (std::int64_t s = 0; s < 2; ++s) most = std::max(most, x({i[0], i[1], i[2] + r - 1, i[3] + s}));
    return most;
  });
  CHECK(maximum.network->spec().trunk.size() == 2);
}

TEST_CASE("onnx ops: Pad on any axis, with any number, and cutting off") {
  const Shape sample = {2, 5, 6};
  SmallGraph any(sample);
  any.numbers("pads", {0, 1, 0, -2, 0, 0, 3, 1});
  any.constant("value", Tensor::full({}, 0.75));
  any.op("Pad", {"x", "pads", "value"});
  check_graph(any, sample, {3, 8, 5}, [](const Values& x, const Index& i) {
    const bool inside = i[1] >= 1 && i[2] < 5 && i[3] < 4;
    return inside ? x({i[0], i[1] - 1, i[2], i[3] + 2}) : 0.75;
  });
  SmallGraph axes(sample, 18);
  axes.numbers("pads", {1, 2});
  axes.numbers("axes", {-1});
  axes.op("Pad", {"x", "pads", "", "axes"});
  check_graph(axes, sample, {2, 5, 9}, [](const Values& x, const Index& i) {
    return x({i[0], i[1], i[2], i[3] - 1});
  });
  SmallGraph attributes(sample, 10);
  attributes.op("Pad", {"x"}, {{"pads", Shape{0, 0, 0, 1, 0, 0, 0, 0}}, {"value", -1.0F}});
  check_graph(attributes, sample, {2, 5, 7}, [](const Values& x, const Index& i) {
    return i[3] == 0 ? -1.0 : x({i[0], i[1], i[2], i[3] - 1});
  });
  for (const bool reflect : {true, false}) {
    SmallGraph mirror(sample, 10);
    set_text(mirror.op("Pad", {"x"}, {{"pads", Shape{0, 0, 2, 1, 0, 0, 4, 3}}}), "mode",
             reflect ? "reflect" : "edge");
    check_graph(mirror, sample, {2, 11, 10}, [&](const Values& x, const Index& i) {
      const auto inside = [&](std::int64_t at, std::int64_t n) {
        if (at >= 0 && at < n) return at;
        return reflect ? (at < 0 ? -at : 2 * (n - 1) - at) : (at < 0 ? 0 : n - 1);
      };
      return x({i[0], i[1], inside(i[2] - 2, 5), inside(i[3] - 1, 6)});
    });
  }
  SmallGraph wrapped(sample, 19);
  wrapped.numbers("pads", {0, 0, 0, 1, 0, 0, 0, 0});
  set_text(wrapped.op("Pad", {"x", "pads"}), "mode", "wrap");
  CHECK(wrapped.refusal() ==
        "m.onnx: node 'y' (Pad): expected attribute mode = constant, edge or reflect; found wrap");
  SmallGraph cut(sample, 10);
  set_text(cut.op("Pad", {"x"}, {{"pads", Shape{0, 0, 0, -1, 0, 0, 0, 0}}}), "mode", "edge");
  CHECK(cut.refusal().find("node 'y' (Pad): expected pads that leave something") != std::string::npos);
  SmallGraph batch(sample, 10);
  batch.op("Pad", {"x"}, {{"pads", Shape{1, 0, 0, 0, 0, 0, 0, 0}}});
  CHECK(batch.refusal() == "m.onnx: node 'y' (Pad): expected an axis behind the batch; found axis 0 of 4");
}

TEST_CASE("onnx ops: pooling whose padding differs from side to side, and is more than half of the kernel") {
  const Shape sample = {2, 5, 6};
  for (const std::int64_t more : {0, 1}) {
    SmallGraph largest(sample);
    largest.op("MaxPool", {"x"}, {{"kernel_shape", Shape{3, 3}}, {"pads", Shape{2, 2, 2, 1 + more}}});
    check_graph(largest, sample, {2, 7, 7 + more}, [](const Values& x, const Index& i) {
      double most = -HUGE_VAL;
      for (std::int64_t r = std::max<std::int64_t>(i[2] - 2, 0); r <= std::min<std::int64_t>(i[2], 4); ++r)
        for (std::int64_t s = std::max<std::int64_t>(i[3] - 2, 0); s <= std::min<std::int64_t>(i[3], 5); ++s)
          most = std::max(most, x({i[0], i[1], r, s}));
      return most;
    });
  }
  for (const bool counted : {true, false}) {
    SmallGraph graph(sample);
    graph.op("AveragePool", {"x"},
             {{"kernel_shape", Shape{3, 2}},
              {"strides", Shape{2, 1}},
              {"pads", Shape{0, 1, 2, 0}},
              {"count_include_pad", std::int64_t{counted}}});
    check_graph(graph, sample, {2, 3, 6}, [&](const Values& x, const Index& i) {
      double sum = 0, inside = 0;
      for (std::int64_t r = 0; r < 3; ++r)
        for (std::int64_t s = 0; s < 2; ++s) {
          const std::int64_t row = 2 * i[2] + r, column = i[3] + s - 1;
          sum += x({i[0], i[1], row, column});
          if (row < 5 && column >= 0) inside += 1;
        }
      return sum / (counted ? 6 : inside);
    });
  }
}

TEST_CASE("onnx ops: reductions over axes of an image") {
  const Shape sample = {2, 3, 4};
  // Which axes, whether they stay, the shape that is made.
  struct Case {
    std::vector<std::int64_t> axes;
    bool keep;
    Shape out;
  };
  for (const auto& [axes, keep, out] :
       {Case{{2, 3}, true, {2, 1, 1}}, Case{{-1, 2}, false, {2}}, Case{{1}, true, {1, 3, 4}},
        Case{{1, 3}, false, {3}}, Case{{2}, false, {2, 4}}, Case{{3}, true, {2, 3, 1}}}) {
    for (const std::string op : {"ReduceMean", "ReduceMax", "ReduceSum"}) {
      const bool sum = op == "ReduceSum", largest = op == "ReduceMax";
      SmallGraph graph(sample);
      const Attributes kept = {{"keepdims", std::int64_t{keep}}};
      if (sum)
        graph.op(op, {"x", graph.numbers("axes", axes)}, kept);
      else
        graph.op(op, {"x"}, {kept[0], {"axes", axes}});
      check_graph(graph, sample, out, [&](const Values& x, const Index& i) {
        Index first = {i[0]}, size = {1};
        std::size_t next = 1;
        for (std::int64_t axis = 1; axis < 4; ++axis) {
          const bool goes =
              std::count(axes.begin(), axes.end(), axis) + std::count(axes.begin(), axes.end(), axis - 4) > 0;
          first.push_back(goes ? 0 : i[next]);
          size.push_back(goes ? sample[static_cast<std::size_t>(axis) - 1] : 1);
          if (!goes || keep) ++next;
        }
        double total = 0, most = -HUGE_VAL;
        for (std::int64_t a = 0; a < size[1]; ++a)
          for (std::int64_t b = 0; b < size[2]; ++b)
            for (std::int64_t c = 0; c < size[3]; ++c) {
              const double value = x({first[0], first[1] + a, first[2] + b, first[3] + c});
              total += value;
              most = std::max(most, value);
            }
        return largest ? most : sum ? total : total / static_cast<double>(numel(size));
      });
    }
  }
  SmallGraph latest(sample, 18);
  latest.op("ReduceMean", {"x", latest.numbers("axes", {2, 3})});
  CHECK(latest.imported().network->spec().trunk.size() == 1);
  SmallGraph all(sample);
  all.op("ReduceMean", {"x"});
  CHECK(all.refusal() ==
        "m.onnx: node 'y' (ReduceMean): expected axes, so that images stay apart; found none");
  SmallGraph batch(sample);
  batch.op("ReduceMean", {"x"}, {{"axes", Shape{0}}});
  CHECK(batch.refusal().find("an axis behind the batch; found axis 0") != std::string::npos);
}
