#include "models/kinds/batch_norm.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/global_avg_pool2d.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/kinds/residual.h"
#include "models/networks.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

using namespace kinds;

constexpr std::int64_t kStem = 3;           // layers before the first block
constexpr std::int64_t kLayersOfBlock = 2;  // the sum and its ReLU

void append(LayerSpecs& to, const LayerSpecs& layers) { to.insert(to.end(), layers.begin(), layers.end()); }

LayerSpecs conv(std::int64_t channels, std::int64_t kernel_size, std::int64_t stride) {
  return {Conv2d{.out = channels,
                 .kernel_size = kernel_size,
                 .stride = stride,
                 .padding = kernel_size / 2,
                 .bias = false},
          BatchNorm{}};
}

/// The shortcut where the size changes is a 1x1 convolution (He et al. 2016, option B).
LayerSpecs block(std::int64_t channels, std::int64_t stride) {
  Residual sum{conv(channels, 3, stride), {}};
  sum.body.push_back(Relu{});
  append(sum.body, conv(channels, 3, 1));
  if (stride != 1) sum.shortcut = conv(channels, 1, stride);
  return {sum, Relu{}};
}

/// Makes ResNet for small images (He et al. 2016, 4.2): 6 `per_stage` + 2 weighted layers.
NetworkSpec resnet(std::string name, std::int64_t per_stage, const ImageTask& task) {
  NetworkSpec out{std::move(name), task.input, conv(16, 3, 1), {}, Init::he_normal};
  out.trunk.push_back(Relu{});
  for (const std::int64_t channels : {16, 32, 64}) {
    for (std::int64_t i = 0; i < per_stage; ++i)
      append(out.trunk, block(channels, channels > 16 && i == 0 ? 2 : 1));
  }
  append(out.trunk, {GlobalAvgPool2d{}, Flatten{}, Linear{.out = task.classes}});
  return out;
}

/// Adds side exits behind the first block and behind the first third of them, as BranchyNet's ResNet-110 has
/// them. Both branches pool before they convolve, which the published one does not: it would cost as much as
/// half the trunk.
NetworkSpec with_exits(NetworkSpec out, std::int64_t per_stage, std::int64_t classes) {
  out.name = "b-" + out.name;
  const MaxPool2d pool{.kernel_size = 3, .stride = 2, .ceil_mode = true};
  LayerSpecs first = {pool};
  for (int i = 0; i < 2; ++i) {
    append(first, conv(32, 3, 1));
    first.push_back(Relu{});
  }
  append(first, {pool, Flatten{}, Linear{.out = classes}});
  LayerSpecs second = {pool};
  append(second, block(16, 1));
  append(second, {pool, Flatten{}, Linear{.out = classes}});
  out.exits = {{kStem + kLayersOfBlock, first}, {kStem + kLayersOfBlock * per_stage, second}};
  return out;
}

}  // namespace

NetworkSpec resnet8_spec(const ImageTask& task) { return resnet("resnet8", 1, task); }
NetworkSpec resnet20_spec(const ImageTask& task) { return resnet("resnet20", 3, task); }
NetworkSpec resnet110_spec(const ImageTask& task) { return resnet("resnet110", 18, task); }
NetworkSpec b_resnet20_spec(const ImageTask& task) {
  return with_exits(resnet20_spec(task), 3, task.classes);
}
NetworkSpec b_resnet110_spec(const ImageTask& task) {
  return with_exits(resnet110_spec(task), 18, task.classes);
}

}  // namespace cbnet
