#include "models/zoo.h"

#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/kinds/sigmoid.h"
#include "models/kinds/softmax.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

using namespace kinds;

// The reference implementation convolves, pools, then rectifies; its pools round sizes up.
void append_stage(LayerSpecs& layers, std::int64_t channels, std::int64_t kernel_size, std::int64_t padding) {
  layers.insert(layers.end(), {Conv2d{.out = channels, .kernel_size = kernel_size, .padding = padding},
                               MaxPool2d{.kernel_size = 2, .stride = 2, .ceil_mode = true}, Relu{}});
}

}  // namespace

NetworkSpec lenet_spec(const ImageTask& task) {
  NetworkSpec lenet{"lenet", task.input, {}, {}, Init::lecun_normal};
  append_stage(lenet.trunk, 5, 5, 3);
  append_stage(lenet.trunk, 10, 5, 3);
  append_stage(lenet.trunk, 20, 5, 3);
  lenet.trunk.push_back(Flatten{});
  lenet.trunk.push_back(Linear{.out = 84});  // no activation follows, as published
  lenet.trunk.push_back(Linear{.out = task.classes});
  return lenet;
}

NetworkSpec branchynet_spec(const ImageTask& task) {
  NetworkSpec branchynet = lenet_spec(task);
  branchynet.name = "branchynet";
  ExitSpec early{3, {}};
  append_stage(early.branch, 10, 3, 1);
  early.branch.push_back(Flatten{});
  early.branch.push_back(Linear{.out = task.classes});
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
  // This is Table I. The code layer is linear in all three; KMNIST's second layer is too.
  constexpr Sizes kTable[] = {
      {"mnist", 784, 384, 32, true}, {"fmnist", 512, 256, 128, true}, {"kmnist", 512, 384, 32, false}};
  const Sizes* sizes = &kTable[1];
  for (const Sizes& row : kTable) {
    if (dataset == row.dataset) sizes = &row;
  }

  NetworkSpec out{"autoencoder-" + dataset, input, {}, {}, Init::glorot_uniform};
  out.trunk = {Flatten{}, Linear{.out = sizes->first}, Relu{}, Linear{.out = sizes->second}};
  if (sizes->second_relu) out.trunk.push_back(Relu{});
  out.trunk.push_back(Linear{.out = sizes->code});
  out.trunk.push_back(Linear{.out = numel(input)});
  out.trunk.push_back(output == OutputActivation::softmax ? LayerSpec(Softmax{}) : LayerSpec(Sigmoid{}));
  return out;
}

std::vector<std::int64_t> autoencoder_hidden_layers(const NetworkSpec& autoencoder) {
  // A hidden layer's output is that of its activation where it has one.
  std::vector<std::int64_t> hidden;
  for (std::size_t i = 0; i + 1 < autoencoder.trunk.size(); ++i) {
    if (!autoencoder.trunk[i].is<Linear>() || hidden.size() == 3) continue;
    const bool activated = autoencoder.trunk[i + 1].is<Relu>();
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
