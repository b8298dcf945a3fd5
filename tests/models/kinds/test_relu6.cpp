#include "models/kinds/relu6.h"

#include "models/onnx_reader.h"
#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::relu6_samples() {
  return {{kinds::Relu6{}, {{5}}}, {kinds::Relu6{}, {{2, 3, 4}}}};
}

TEST_CASE("relu6: numbers are kept between 0 and 6") {
  Rng rng(1), dropout(2);
  const std::vector<Shape> in = {{5}};
  const BuiltLayer built = kinds::Relu6{}.build({in, {rng, dropout}, Init::lecun_normal, DType::f32});
  const std::vector<Variable> x = {Variable(Tensor::from<float>({-1, 0, 2.5F, 6, 1e9F}, {1, 5}))};
  CHECK(built.run(x).value().to_vector<float>() == std::vector<float>{0, 0, 2.5F, 6, 6});
}

TEST_CASE("relu6: a Clip of ONNX from 0 to 6 is it, and no other") {
  const auto read = [](float low, float high) {
    OnnxLayers out("m.onnx", 7);
    out.set_input("x", {4}, -1);
    out.read({"Clip", "", "", {"x"}, {"y"}, {{"min", low}, {"max", high}}});
    return out.spec.trunk;
  };
  REQUIRE(read(0, 6).size() == 1);
  CHECK(read(0, 6)[0].as<kinds::Relu6>() != nullptr);
  for (const LayerSpec& layer : read(0, 5)) CHECK(layer.as<kinds::Relu6>() == nullptr);
  for (const LayerSpec& layer : read(-6, 6)) CHECK(layer.as<kinds::Relu6>() == nullptr);
}
