#include "models/onnx_reader.h"

#include "models/kinds/conv2d.h"
#include "models/kinds/linear.h"
#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

OnnxLayers layers(const Shape& input) {
  OnnxLayers out("m.onnx", 13);
  out.set_input("x", input, -1);
  out.set_constant("w", Tensor::ones({2, 1, 3, 3}));
  out.set_constant("m", Tensor::ones({4, 3}));
  return out;
}

}  // namespace

TEST_CASE("onnx nodes: a convolution padded as its strides need it") {
  for (const bool upper : {true, false}) {
    OnnxLayers read = layers({1, 8, 7});
    read.read({"Conv",
               "c",
               "",
               {"x", "w"},
               {"y"},
               {{"strides", Shape{2, 2}}, {"auto_pad", std::string(upper ? "SAME_UPPER" : "SAME_LOWER")}}});
    REQUIRE(read.is_last("y"));
    const auto* conv = read.spec.trunk.at(0).as<kinds::Conv2d>();
    REQUIRE(conv != nullptr);
    // Eight rows need one more, which goes below or above; seven columns need one on each side.
    CHECK(conv->padding == (upper ? Padding2d(0, 1, 1, 1) : Padding2d(1, 1, 0, 1)));
    CHECK(trunk_shape(read.spec, 1) == Shape{2, 4, 4});
    CHECK(read.weights.at(0).first == "trunk.0.weight");
  }
}

TEST_CASE("onnx nodes: a matrix of weights is a linear layer, and identities are none") {
  OnnxLayers read = layers({4});
  read.read({"Identity", "", "", {"x"}, {"same"}});
  read.read({"MatMul", "", "", {"same", "m"}, {"y"}});
  REQUIRE(read.spec.trunk.size() == 1);
  CHECK(read.spec.trunk[0].as<kinds::Linear>()->out == 3);
  CHECK(read.weights.at(0).second.shape() == Shape{3, 4});
}

TEST_CASE("onnx nodes: Clip is what its bounds make of it") {
  const auto clip = [](OnnxNode::Attributes bounds) {
    OnnxLayers read("m.onnx", 7);
    read.set_input("x", {4}, -1);
    read.read({"Clip", "", "", {"x"}, {"y"}, std::move(bounds)});
    std::string kinds;
    for (const LayerSpec& layer : read.spec.trunk) kinds += describe(layer) + ";";
    CHECK(read.is_last("y"));
    return kinds;
  };
  CHECK(clip({}).empty());
  CHECK(clip({{"min", -1.0F}}) == "pointwise, function clamp_min, a -1;");
  CHECK(clip({{"max", 2.0F}}) == "pointwise, function clamp_max, a 2;");
  CHECK(clip({{"min", -1.0F}, {"max", 2.0F}}) ==
        "pointwise, function clamp_min, a -1;pointwise, function clamp_max, a 2;");
}

TEST_CASE("onnx nodes: what no layer can do is refused, by the node's name") {
  OnnxLayers read = layers({1, 8, 8});
  const auto refused = [&](const OnnxNode& node, const char* says) {
    CHECK_THROWS_SAYING(read.read(node), InputError, says);
  };
  refused({"Conv", "c", "", {"x", "none"}, {"y"}},
          "m.onnx: node 'c' (Conv): expected inputs that are made before they are read; found 'none'");
  refused({"Conv", "", "", {"x"}, {"y"}}, "node 'y' (Conv): expected an input 1; found none");
  refused({"Conv", "c", "", {"x", "x"}, {"y"}}, "expected input 1 to be a constant; found 'x', computed");
  refused({"Conv", "c", "", {"w", "w"}, {"y"}}, "expected input 0 to come from the network's input");
  refused({"Conv", "c", "", {"x", "w"}, {"y"}, {{"group", 1.0F}}}, "attribute group of type INT");
  refused({"Conv", "c", "", {"x", "w"}, {"y"}, {{"strides", Shape{1}}}}, "attribute strides with 2 values");
  refused({"Conv", "c", "", {"x", "w"}, {"y"}, {{"kernel_shape", Shape{5, 5}}}},
          "kernel_shape 3x3, as its weight");
  refused({"MaxPool", "p", "", {"x"}, {"y", "indices"}, {{"kernel_shape", Shape{2, 2}}}},
          "expected one output");
  refused({"Relu", "r", "", {"x"}, {"y"}, {{"novelty", std::int64_t{1}}}}, "found 'novelty'");
  refused({"Softmax", "s", "", {"x"}, {"y"}, {{"axis", std::int64_t{0}}}},
          "expected an axis behind the batch; found axis 0 of 4");
}
