#include "models/layer_list.h"

#include "autograd/ops/concat.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/transpose.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/pool.h"
#include "layers/residual.h"

namespace cbnet {
namespace {

/// x + value or x * value, the value stretched over the batch.
class Constant : public Module {
 public:
  Constant(LayerKind kind, const Shape& shape, DType dtype)
      : value(Tensor::full(shape, kind == LayerKind::mul ? 1.0 : 0.0, dtype), true), kind_(kind) {
    register_parameter("value", value);
  }
  Variable forward(const Variable& x) override {
    return kind_ == LayerKind::mul ? mul(x, value) : add(x, value);
  }

  Variable value;

 private:
  LayerKind kind_;
};

class Transposed : public Module {
 public:
  explicit Transposed(const Shape& axes) : permutation_{0} {
    for (const std::int64_t axis : axes) permutation_.push_back(axis + 1);
  }
  Variable forward(const Variable& x) override { return transpose(x, permutation_); }

 private:
  std::vector<std::int64_t> permutation_;
};

Pool2dOptions pool_options(const LayerSpec& layer) {
  return Pool2dOptions::square(layer.kernel_size, layer.stride, layer.padding, layer.dilation,
                               layer.ceil_mode);
}

/// Null for a layer that only joins others. `in` is the shape of one sample of what it reads.
std::shared_ptr<Module> make_module(const LayerSpec& layer, const Shape& in, Randomness from, Init init,
                                    DType dtype) {
  switch (layer.kind) {
    case LayerKind::conv2d:
      return std::make_shared<Conv2d>(
          in.at(0), layer.out, layer.kernel_size, from.weights,
          Conv2dOptions::square(layer.stride, layer.padding, layer.dilation, layer.groups), layer.bias, init,
          dtype);
    case LayerKind::linear:
      return std::make_shared<Linear>(in.at(0), layer.out, from.weights, layer.bias, init, dtype);
    case LayerKind::max_pool2d:
      return std::make_shared<MaxPool2d>(pool_options(layer));
    case LayerKind::avg_pool2d:
      return std::make_shared<AvgPool2d>(pool_options(layer), layer.count_include_pad);
    case LayerKind::global_avg_pool2d:
      return std::make_shared<GlobalAvgPool2d>();
    case LayerKind::relu:
      return std::make_shared<Activation>(ActivationKind::relu);
    case LayerKind::leaky_relu:
      return std::make_shared<Activation>(ActivationKind::leaky_relu, layer.p);
    case LayerKind::sigmoid:
      return std::make_shared<Activation>(ActivationKind::sigmoid);
    case LayerKind::tanh:
      return std::make_shared<Activation>(ActivationKind::tanh);
    case LayerKind::softmax:
      return std::make_shared<Activation>(ActivationKind::softmax);
    case LayerKind::log_softmax:
      return std::make_shared<Activation>(ActivationKind::log_softmax);
    case LayerKind::batch_norm:
      return std::make_shared<BatchNorm>(in.at(0), 0.1, layer.epsilon, dtype);
    case LayerKind::dropout:
      return std::make_shared<Dropout>(layer.p, from.dropout);
    case LayerKind::flatten:
      return std::make_shared<Flatten>();
    case LayerKind::unflatten:
      return std::make_shared<Unflatten>(layer.shape);
    case LayerKind::transpose:
      return std::make_shared<Transposed>(layer.shape);
    case LayerKind::add:
    case LayerKind::mul:
      if (layer.shape.empty()) return nullptr;
      return std::make_shared<Constant>(layer.kind, layer.shape, dtype);
    case LayerKind::matmul:
    case LayerKind::concat:
      return nullptr;
    case LayerKind::residual:
      break;
  }
  return std::make_shared<Residual>(std::make_shared<LayerList>(layer.body, in, from, init, dtype),
                                    std::make_shared<LayerList>(layer.shortcut, in, from, init, dtype));
}

}  // namespace

LayerList::LayerList(LayerSpecs layers, const Shape& input, Randomness from, Init init, DType dtype)
    : layers_(std::move(layers)), last_use_(layers_.size() + 1, 0) {
  const std::vector<Shape> shapes = shapes_along(layers_, input);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::vector<std::int64_t> inputs = inputs_of(layers_[i], i);
    for (const std::int64_t position : inputs) last_use_[static_cast<std::size_t>(position)] = i;
    const Shape& in = shapes[static_cast<std::size_t>(inputs.front())];
    modules_.push_back(make_module(layers_[i], in, from, init, dtype));
    if (modules_.back() != nullptr) register_module(std::to_string(i), modules_.back());
  }
}

Variable LayerList::join(const LayerSpec& layer, const std::vector<Variable>& inputs) const {
  if (layer.kind == LayerKind::add) return add(inputs[0], inputs[1]);
  if (layer.kind == LayerKind::mul) return mul(inputs[0], inputs[1]);
  if (layer.kind == LayerKind::matmul) return matmul(inputs[0], inputs[1]);
  return concat(inputs, layer.axis + 1);
}

Variable LayerList::forward_range(const Variable& x, std::size_t begin, std::size_t end) {
  require(begin <= end && end <= layers_.size(), "network", "expected layers within 0 to ", layers_.size(),
          "; got ", begin, " to ", end);
  std::vector<Variable> at(end - begin + 1);  // by position, from `begin` on
  at[0] = x;
  std::vector<Variable> inputs;
  for (std::size_t i = begin; i < end; ++i) {
    inputs.clear();
    const std::vector<std::int64_t> positions = inputs_of(layers_[i], i);
    for (const std::int64_t position : positions) {
      require(position >= static_cast<std::int64_t>(begin), "network", "layer ", i, " reads position ",
              position, ", before ", begin);
      inputs.push_back(at[static_cast<std::size_t>(position) - begin]);
    }
    for (const std::int64_t position : positions) {
      if (last_use_[static_cast<std::size_t>(position)] == i)
        at[static_cast<std::size_t>(position) - begin] = Variable();
    }
    at[i - begin + 1] = modules_[i] != nullptr ? modules_[i]->forward(inputs[0]) : join(layers_[i], inputs);
  }
  return at[end - begin];
}

}  // namespace cbnet
