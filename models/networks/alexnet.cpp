#include "models/kinds/batch_norm.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/dropout.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/networks.h"

namespace cbnet {
namespace {

using namespace kinds;

void append(LayerSpecs& to, const LayerSpecs& layers) { to.insert(to.end(), layers.begin(), layers.end()); }

LayerSpecs conv(std::int64_t channels, std::int64_t kernel_size) {
  return {Conv2d{.out = channels, .kernel_size = kernel_size, .padding = kernel_size / 2, .bias = false},
          BatchNorm{}};
}

MaxPool2d pool() { return {.kernel_size = 3, .stride = 2, .ceil_mode = true}; }

/// A branch does what the trunk does next, then, as published, 3x3 convolutions of 32 channels and one linear
/// layer.
LayerSpecs branch(int convolutions, std::int64_t classes) {
  LayerSpecs out = {Relu{}, pool()};
  for (int i = 0; i < convolutions; ++i) {
    append(out, conv(32, 3));
    out.push_back(Relu{});
  }
  append(out, {pool(), Flatten{}, Linear{.out = classes}});
  return out;
}

}  // namespace

NetworkSpec alexnet_spec(const ImageTask& task) {
  NetworkSpec out{"alexnet", task.input, {}, {}, Init::he_normal};
  LayerSpecs& trunk = out.trunk;
  for (const std::int64_t channels : {32, 64}) {
    append(trunk, conv(channels, 5));
    append(trunk, {Relu{}, pool()});
  }
  for (const std::int64_t channels : {96, 96, 64}) {
    append(trunk, conv(channels, 3));
    trunk.push_back(Relu{});
  }
  append(trunk, {pool(), Flatten{}});
  for (const std::int64_t units : {256, 128})
    append(trunk, {Linear{.out = units}, Relu{}, Dropout{.p = 0.5}});
  trunk.push_back(Linear{.out = task.classes});
  return out;
}

NetworkSpec b_alexnet_spec(const ImageTask& task) {
  NetworkSpec out = alexnet_spec(task);
  out.name = "b-alexnet";
  constexpr std::int64_t kSecondConvolution = 6, kThirdConvolution = 10;  // layers up to its normalisation
  out.exits = {{kSecondConvolution, branch(2, task.classes)}, {kThirdConvolution, branch(1, task.classes)}};
  return out;
}

}  // namespace cbnet
