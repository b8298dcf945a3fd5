#include "models/kinds/batch_norm.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/networks.h"

namespace cbnet {
namespace {

using namespace kinds;

void append(LayerSpecs& to, const LayerSpecs& layers) { to.insert(to.end(), layers.begin(), layers.end()); }

/// The first layer turns pixels into features, the second makes the code that the last one classifies.
LayerSpecs linear_layers(std::int64_t first, std::int64_t code, std::int64_t classes) {
  return {Flatten{}, Linear{.out = first}, Relu{}, Linear{.out = code}, Relu{}, Linear{.out = classes}};
}

NetworkSpec mlp(std::string name, std::int64_t first, const ImageTask& task) {
  return {std::move(name), task.input, linear_layers(first, 64, task.classes), {}, Init::he_normal};
}

}  // namespace

NetworkSpec mlp_192_spec(const ImageTask& task) { return mlp("mlp-192", 192, task); }
NetworkSpec mlp_256_spec(const ImageTask& task) { return mlp("mlp-256", 256, task); }

NetworkSpec stem_48_spec(const ImageTask& task) {
  NetworkSpec out{"stem-48", task.input, {}, {}, Init::he_normal};
  out.trunk = {Conv2d{.out = 4, .kernel_size = 3, .padding = 1},
               MaxPool2d{.kernel_size = 2, .stride = 2},
               Relu{},
               Flatten{},
               Linear{.out = 48},
               Relu{},
               Linear{.out = task.classes}};
  return out;
}

NetworkSpec small_cnn_spec(const ImageTask& task) {
  NetworkSpec out{"small-cnn", task.input, {}, {}, Init::he_normal};
  for (const std::int64_t channels : {16, 32, 64}) {
    append(out.trunk, {Conv2d{.out = channels, .kernel_size = 3, .padding = 1, .bias = false}, BatchNorm{},
                       MaxPool2d{.kernel_size = 2, .stride = 2}, Relu{}});
  }
  append(out.trunk, {Flatten{}, Linear{.out = 128}, Relu{}, Linear{.out = task.classes}});
  return out;
}

}  // namespace cbnet
