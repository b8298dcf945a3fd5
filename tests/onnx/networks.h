#pragma once

#include <memory>

#include "models/network.h"
#include "tests/support/kinds.h"

namespace cbnet::testing {

/// In evaluation mode, every weight and statistic random.
inline std::unique_ptr<Network> random_network(const NetworkSpec& spec) {
  auto network = std::make_unique<Network>(spec, 3);
  Rng rng(4);
  for (auto& [name, tensor] : network->state_dict()) {
    Tensor to = tensor;
    if (name.ends_with("running_var"))
      to.copy_from(Tensor::uniform(tensor.shape(), 0.5, 2.0, rng));
    else if (!name.ends_with("weight"))
      to.copy_from(Tensor::normal(tensor.shape(), 0.0, 0.3, rng));
  }
  network->eval();
  return network;
}

inline Variable random_pixels(const NetworkSpec& spec, std::int64_t n) {
  Rng rng(5);
  Shape shape = spec.input;
  shape.insert(shape.begin(), n);
  return Variable(Tensor::uniform(shape, 0.0, 1.0, rng));
}

/// A classifier with every kind of layer.
inline NetworkSpec every_kind() {
  const LayerSpec padded_pool = kinds::MaxPool2d{.kernel_size = 3, .stride = 2, .padding = 1};
  const LayerSpec uncounted = kinds::AvgPool2d{
      .kernel_size = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false};
  const LayerSpec counted = kinds::AvgPool2d{.kernel_size = 3, .stride = 1, .padding = 1};
  const LayerSpec norm = kinds::BatchNorm{.epsilon = 1e-3};
  const LayerSpec relu = kinds::Relu{};
  return {"every_kind",
          {1, 28, 28},
          {kinds::Conv2d{.out = 4, .kernel_size = 3, .stride = 2, .padding = 2, .dilation = 2},
           norm,  // 1, 2: (4,14,14)
           kinds::Tanh{},
           padded_pool,  // 3, 4: (4,7,7)
           kinds::Residual{
               .body = {kinds::Conv2d{.out = 8, .kernel_size = 3, .padding = 1, .groups = 2, .bias = false},
                        kinds::LeakyRelu{.slope = 0.2}},
               .shortcut = {kinds::Conv2d{.out = 8, .kernel_size = 1}}},  // 5: (8,7,7)
           counted,
           uncounted,  // 6, 7: (8,7,7), (8,4,4)
           kinds::Mul{.shape = {8, 1, 1}},
           kinds::Sigmoid{},  // 8, 9
           LayerSpec(kinds::Add{}, {7, 9}),
           LayerSpec(kinds::Mul{}, {10, 8}),              // 10, 11
           LayerSpec(kinds::Concat{.axis = 0}, {11, 9}),  // 12: (16,4,4)
           kinds::Unflatten{.shape = {16, 16}},
           kinds::Transpose{.axes = {1, 0}},      // 13, 14
           LayerSpec(kinds::Matmul{}, {13, 14}),  // 15: (16,16)
           kinds::Softmax{},
           kinds::Add{.shape = {1, 16}},  // 16, 17
           kinds::Unflatten{.shape = {4, 8, 8}},
           kinds::MaxPool2d{.kernel_size = 2, .stride = 2, .ceil_mode = true},
           relu,  // 18, 19, 20: (4,4,4)
           kinds::AvgPool2d{.kernel_size = 2, .stride = 2},
           kinds::GlobalAvgPool2d{},  // 21, 22: (4,1,1)
           kinds::Flatten{},
           kinds::Dropout{.p = 0.3},
           kinds::Linear{.out = 12, .bias = false},
           kinds::Linear{.out = 10},
           kinds::LogSoftmax{}},
          {},
          Init::he_normal};
}

}  // namespace cbnet::testing
