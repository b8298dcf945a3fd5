#pragma once

#include <memory>

#include "models/network.h"

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
  using spec::conv2d;
  using spec::join;
  using spec::plain;
  const auto with_shape = [](LayerKind kind, Shape shape) {
    LayerSpec layer = plain(kind);
    layer.shape = std::move(shape);
    return layer;
  };
  LayerSpec padded_pool = spec::max_pool2d(3, 2);
  padded_pool.padding = 1;
  LayerSpec uncounted = spec::avg_pool2d(3, 2, true);
  uncounted.padding = 1;
  uncounted.count_include_pad = false;
  LayerSpec counted = spec::avg_pool2d(3, 1);
  counted.padding = 1;
  LayerSpec norm = plain(LayerKind::batch_norm);
  norm.epsilon = 1e-3;
  const LayerSpec relu = plain(LayerKind::relu);
  return {"every_kind",
          {1, 28, 28},
          {conv2d(4, 3, {.stride = 2, .padding = 2, .dilation = 2}),
           norm,  // 1, 2: (4,14,14)
           plain(LayerKind::tanh),
           padded_pool,  // 3, 4: (4,7,7)
           spec::residual({conv2d(8, 3, {.padding = 1, .groups = 2, .bias = false}), spec::leaky_relu(0.2)},
                          {conv2d(8, 1)}),  // 5: (8,7,7)
           counted,
           uncounted,  // 6, 7: (8,7,7), (8,4,4)
           with_shape(LayerKind::mul, {8, 1, 1}),
           plain(LayerKind::sigmoid),  // 8, 9
           join(LayerKind::add, {7, 9}),
           join(LayerKind::mul, {10, 8}),        // 10, 11
           join(LayerKind::concat, {11, 9}, 0),  // 12: (16,4,4)
           spec::unflatten({16, 16}),
           with_shape(LayerKind::transpose, {1, 0}),  // 13, 14
           join(LayerKind::matmul, {13, 14}),         // 15: (16,16)
           plain(LayerKind::softmax),
           with_shape(LayerKind::add, {1, 16}),  // 16, 17
           spec::unflatten({4, 8, 8}),
           spec::max_pool2d(2, 2, true),
           relu,  // 18, 19, 20: (4,4,4)
           spec::avg_pool2d(2, 2),
           plain(LayerKind::global_avg_pool2d),  // 21, 22: (4,1,1)
           plain(LayerKind::flatten),
           spec::dropout(0.3),
           spec::linear(12, false),
           spec::linear(10),
           plain(LayerKind::log_softmax)},
          {},
          Init::he_normal};
}

}  // namespace cbnet::testing
