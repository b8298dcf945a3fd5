// These cases compare Resize and Upsample with what the standard says of the place of every element.

#include <doctest/doctest.h>

#include "tests/onnx/rules.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

const Shape kSample = {2, 4, 3};

onnx::NodeProto& resize_by(SmallGraph& graph, const std::vector<float>& scales, const char* mode,
                           const char* coordinates, const char* nearest = "round_prefer_floor") {
  graph.constant("scales", Tensor::from(scales, {static_cast<std::int64_t>(scales.size())}));
  onnx::NodeProto& node = graph.op("Resize", {"x", "", "scales"});
  set_text(node, "mode", mode);
  set_text(node, "coordinate_transformation_mode", coordinates);
  set_text(node, "nearest_mode", nearest);
  return node;
}

/// Interpolates between the elements of a line of n, at `place`.
double between(const Values& x, Index i, std::size_t axis, double place,
               const std::function<double(Index)>& at) {
  const double inside = std::clamp(place, 0.0, static_cast<double>(x.shape[axis] - 1));
  i[axis] = static_cast<std::int64_t>(inside);
  const double part = inside - std::floor(inside), left = at(i);
  if (part == 0.0) return left;
  ++i[axis];
  return (1 - part) * left + part * at(i);
}

/// Interpolates between the rows and the columns, at places that `of` says.
Rule bilinear(const std::function<double(std::size_t axis, double i)>& of) {
  return [of](const Values& x, const Index& i) {
    return between(x, i, 2, of(2, static_cast<double>(i[2])), [&](const Index& row) {
      return between(x, row, 3, of(3, static_cast<double>(i[3])), [&](const Index& k) { return x(k); });
    });
  };
}

}  // namespace

TEST_CASE("onnx resize: nearest neighbours that repeat have no weights") {
  for (const char* coordinates : {"asymmetric", "half_pixel"}) {
    SmallGraph graph(kSample);
    resize_by(graph, {1, 1, 2, 3}, "nearest", coordinates,
              coordinates[0] == 'a' ? "floor" : "round_prefer_floor");
    const Model model = check_graph(graph, kSample, {2, 8, 9}, [](const Values& x, const Index& i) {
      return x({i[0], i[1], i[2] / 2, i[3] / 3});
    });
    CHECK(model.network->state_dict().empty());
  }
  SmallGraph attribute(kSample, 7);
  onnx::AttributeProto& scales = *attribute.op("Upsample", {"x"}).add_attribute();
  scales.set_name("scales");
  scales.set_type(onnx::AttributeProto::FLOATS);
  for (const float scale : {1.0F, 1.0F, 2.0F, 1.0F}) scales.add_floats(scale);
  check_graph(attribute, kSample, {2, 8, 3}, [](const Values& x, const Index& i) {
    return x({i[0], i[1], i[2] / 2, i[3]});
  });
}

TEST_CASE("onnx resize: nearest neighbours at sizes that are computed from others") {
  SmallGraph graph(kSample, 18);
  graph.op("Shape", {"x"}, {{"end", std::int64_t{2}}}, "images");
  graph.op("Concat", {"images", graph.numbers("planes", {3, 5})}, {{"axis", std::int64_t{0}}}, "sizes");
  onnx::NodeProto& node = graph.op("Resize", {"x", "", "", "sizes"});
  set_text(node, "coordinate_transformation_mode", "asymmetric");
  set_text(node, "nearest_mode", "ceil");
  check_graph(graph, kSample, {2, 3, 5}, [](const Values& x, const Index& i) {
    const auto at = [](std::int64_t k, double from, double to, std::int64_t n) {
      return std::min(static_cast<std::int64_t>(std::ceil(static_cast<double>(k) * from / to)), n - 1);
    };
    return x({i[0], i[1], at(i[2], 4, 3, 4), at(i[3], 3, 5, 3)});
  });
  SmallGraph named(kSample, 18);
  named.numbers("sizes", {6});
  set_text(named.op("Resize", {"x", "", "", "sizes"}, {{"axes", Shape{-1}}}), "mode", "nearest");
  check_graph(named, kSample, {2, 4, 6}, [](const Values& x, const Index& i) {
    return x({i[0], i[1], i[2], i[3] / 2});
  });
}

TEST_CASE("onnx resize: linear, by each kind of coordinates") {
  const auto check_mode = [](const char* coordinates, const std::function<double(std::size_t, double)>& of) {
    SmallGraph graph(kSample);
    resize_by(graph, {1, 1, 2.5F, 2}, "linear", coordinates);
    check_graph(graph, kSample, {2, 10, 6}, bilinear(of));
  };
  const auto scale = [](std::size_t axis) { return axis == 2 ? 2.5 : 2.0; };
  check_mode("half_pixel", [&](std::size_t axis, double i) { return (i + 0.5) / scale(axis) - 0.5; });
  check_mode("pytorch_half_pixel", [&](std::size_t axis, double i) { return (i + 0.5) / scale(axis) - 0.5; });
  check_mode("tf_half_pixel_for_nn", [&](std::size_t axis, double i) { return (i + 0.5) / scale(axis); });
  check_mode("asymmetric", [&](std::size_t axis, double i) { return i / scale(axis); });
  check_mode("align_corners", [&](std::size_t axis, double i) { return axis == 2 ? i * 3 / 9 : i * 2 / 5; });
  SmallGraph old(kSample, 9);
  old.constant("scales", Tensor::from({1.0F, 1.0F, 2.5F, 2.0F}, {4}));
  set_text(old.op("Upsample", {"x", "scales"}), "mode", "linear");
  check_graph(old, kSample, {2, 10, 6},
              bilinear([&](std::size_t axis, double i) { return i / scale(axis); }));
}

TEST_CASE("onnx resize: matrices are counted before they are made") {
  SmallGraph graph({2000, 2000, 2});
  graph.constant("scales", Tensor::from({1.0F, 1.5F, 1.5F, 1.0F}, {4}));
  std::string from = "x";
  for (int i = 0; i < 9; ++i) {
    const std::string made = "r" + std::to_string(i);
    set_text(graph.op("Resize", {from, "", "scales"}, {}, made), "mode", "linear");
    graph.op("Slice",
             {made, graph.numbers("zero", {0, 0}), graph.numbers("end", {2000, 2000}),
              graph.numbers("axes", {1, 2})},
             {}, from = "s" + std::to_string(i));
  }
  graph.op("Relu", {from});
  CHECK(graph.refusal() ==
        "m.onnx: node 'r5' (Resize): expected constants of at most 67108864 elements together; found more");
}

TEST_CASE("onnx resize: what has no layer is refused") {
  const auto refusal = [](const std::vector<float>& scales, const char* mode, const char* coordinates) {
    SmallGraph graph(kSample);
    resize_by(graph, scales, mode, coordinates);
    return graph.refusal();
  };
  CHECK(refusal({1, 1, 2, 2}, "cubic", "half_pixel") ==
        "m.onnx: node 'y' (Resize): expected attribute mode = nearest or linear; found cubic");
  CHECK(refusal({2, 1, 2, 2}, "linear", "half_pixel").find("an axis behind the batch; found axis 0 of 4") !=
        std::string::npos);
  CHECK(refusal({1, 1, 0.6F, 1}, "linear", "align_corners").find("scales to whole sizes") !=
        std::string::npos);
  CHECK(refusal({1, 1, 0, 1}, "linear", "half_pixel").find("sizes that are not 0") != std::string::npos);
  CHECK(refusal({1, 1, HUGE_VALF, 1}, "nearest", "asymmetric").find("nor too large") != std::string::npos);
  CHECK(refusal({2, 2}, "nearest", "asymmetric").find("scales or sizes of 4 axes; found 2") !=
        std::string::npos);
  CHECK(refusal({1, 1, 2, 2}, "linear", "tf_crop_and_resize").find("found tf_crop_and_resize") !=
        std::string::npos);
}
