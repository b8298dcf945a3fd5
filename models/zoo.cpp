#include "models/zoo.h"

#include "tensor/error.h"

namespace cbnet {
namespace {

using spec::conv2d;
using spec::linear;
using spec::max_pool2d;
using spec::plain;

// The reference implementation convolves, pools, then rectifies; its pools round sizes up.
void append_stage(LayerSpecs& layers, std::int64_t channels, std::int64_t kernel_size, std::int64_t padding) {
  spec::ConvOptions options;
  options.padding = padding;
  layers.push_back(conv2d(channels, kernel_size, options));
  layers.push_back(max_pool2d(2, 2, /*ceil_mode=*/true));
  layers.push_back(plain(LayerKind::relu));
}

}  // namespace

NetworkSpec lenet_spec(const ImageTask& task) {
  NetworkSpec lenet{"lenet", task.input, {}, {}, Init::lecun_normal};
  append_stage(lenet.trunk, 5, 5, 3);
  append_stage(lenet.trunk, 10, 5, 3);
  append_stage(lenet.trunk, 20, 5, 3);
  lenet.trunk.push_back(plain(LayerKind::flatten));
  lenet.trunk.push_back(linear(84));  // no activation follows, as published
  lenet.trunk.push_back(linear(task.classes));
  return lenet;
}

NetworkSpec branchynet_spec(const ImageTask& task) {
  NetworkSpec branchynet = lenet_spec(task);
  branchynet.name = "branchynet";
  ExitSpec early{3, {}};
  append_stage(early.branch, 10, 3, 1);
  early.branch.push_back(plain(LayerKind::flatten));
  early.branch.push_back(linear(task.classes));
  branchynet.exits.push_back(std::move(early));
  return branchynet;
}

const char* to_string(OutputActivation activation) {
  return activation == OutputActivation::softmax ? "softmax" : "sigmoid";
}

NetworkSpec autoencoder_spec(const std::string& dataset, OutputActivation output, const Shape& input) {
  struct Sizes {
    const char* dataset;
    std::int64_t first, second, code;
    bool second_relu;
  };
  // Table I. The code layer is linear in all three; KMNIST's second layer is too.
  constexpr Sizes kTable[] = {
      {"mnist", 784, 384, 32, true}, {"fmnist", 512, 256, 128, true}, {"kmnist", 512, 384, 32, false}};
  const Sizes* sizes = &kTable[1];
  for (const Sizes& row : kTable) {
    if (dataset == row.dataset) sizes = &row;
  }

  NetworkSpec out{"autoencoder-" + dataset, input, {}, {}, Init::glorot_uniform};
  out.trunk = {plain(LayerKind::flatten), linear(sizes->first), plain(LayerKind::relu),
               linear(sizes->second)};
  if (sizes->second_relu) out.trunk.push_back(plain(LayerKind::relu));
  out.trunk.push_back(linear(sizes->code));
  out.trunk.push_back(linear(numel(input)));
  out.trunk.push_back(plain(output == OutputActivation::softmax ? LayerKind::softmax : LayerKind::sigmoid));
  return out;
}

std::vector<std::int64_t> autoencoder_hidden_layers(const NetworkSpec& autoencoder) {
  // A hidden layer's output is that of its activation where it has one.
  std::vector<std::int64_t> hidden;
  for (std::size_t i = 0; i + 1 < autoencoder.trunk.size(); ++i) {
    if (autoencoder.trunk[i].kind != LayerKind::linear || hidden.size() == 3) continue;
    const bool activated = autoencoder.trunk[i + 1].kind == LayerKind::relu;
    hidden.push_back(static_cast<std::int64_t>(i) + (activated ? 1 : 0));
  }
  return hidden;
}

NetworkSpec classifier_spec(const ImageTask& task) {
  const NetworkSpec branchynet = branchynet_spec(task);
  const ExitSpec& early = branchynet.exits.front();
  return truncate(branchynet, early.after, early.branch, "classifier");
}

}  // namespace cbnet
