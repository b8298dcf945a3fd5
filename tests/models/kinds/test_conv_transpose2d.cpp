#include "models/kinds/conv_transpose2d.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::conv_transpose2d_samples() {
  return {{kinds::ConvTranspose2d{.out = 3, .kernel_size = 2, .stride = 2}, {{2, 3, 4}}},
          {kinds::ConvTranspose2d{
               .out = 4, .kernel_size = 3, .stride = 2, .padding = 1, .output_padding = 1, .groups = 2},
           {{2, 4, 3}}},
          {kinds::ConvTranspose2d{
               .out = 2, .kernel_size = {3, 4}, .stride = {1, 3}, .padding = {1, 0, 0, 1}, .bias = false},
           {{3, 4, 4}}},
          {kinds::ConvTranspose2d{.out = 2, .kernel_size = 3, .stride = 2, .dilation = 2}, {{1, 3, 3}}},
          {kinds::ConvTranspose2d{.out = 2, .kernel_size = {1, 2}, .stride = {3, 4}, .padding = {1, 0, 2, 2}},
           {{2, 3, 3}}}};
}

TEST_CASE("conv_transpose2d: sizes that do not fit throw") {
  const auto infer = [](const kinds::ConvTranspose2d& layer) {
    return layer.infer(std::vector<Shape>(1, Shape{2, 3, 4}));
  };
  CHECK_THROWS_SAYING(infer({.out = 3, .groups = 2}), std::invalid_argument,
                      "[conv_transpose2d] channels (2 in, 3 out)");
  CHECK_THROWS_SAYING(infer({.out = 2, .kernel_size = 2, .padding = 2}), std::invalid_argument,
                      "[conv_transpose2d] the kernel is larger than the padded input");
  CHECK_THROWS_SAYING(infer({.out = 2, .kernel_size = 1, .padding = 9}), std::invalid_argument,
                      "[conv_transpose2d] images must have pixels");
  CHECK(infer({.out = 2, .kernel_size = 1, .stride = 2}) == Shape{2, 5, 7});
  CHECK_THROWS_SAYING(infer({.out = 2, .stride = 0}), std::invalid_argument, "[conv_transpose2d]");
  CHECK(infer({.out = 2, .kernel_size = {3, 4}, .stride = {1, 2}, .padding = Pair(1, 1)}) == Shape{2, 3, 8});
}

TEST_CASE("conv_transpose2d: every pixel adds its kernel to the image, by hand") {
  // 1 2 by the kernel 10 20 30 and stride 2: 10 20 30 and, from two on, 20 40 60.
  Rng rng(1), dropout(2);
  const std::vector<Shape> in = {{1, 1, 2}};
  const kinds::ConvTranspose2d layer{.out = 1, .kernel_size = {1, 3}, .stride = {1, 2}, .bias = false};
  const BuiltLayer built = layer.build({in, {rng, dropout}, Init::lecun_normal, DType::f32});
  Tensor weight = built.module->state_dict().at(0).second;
  weight.copy_from(Tensor::from<float>({10, 20, 30}, {1, 1, 1, 3}));
  const std::vector<Variable> x = {Variable(Tensor::from<float>({1, 2}, {1, 1, 1, 2}))};
  CHECK(built.run(x).value().to_vector<float>() == std::vector<float>{10, 20, 50, 40, 60});
}
