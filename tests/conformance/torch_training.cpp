#include "tests/conformance/torch_training.h"

#include <map>

#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/kinds/sigmoid.h"
#include "models/kinds/softmax.h"
#include "models/zoo.h"
#include "tests/conformance/torch_convert.h"

namespace cbnet::testing {
namespace {

torch::optim::AdamOptions adam_options(const AdamOptions& o) {
  return torch::optim::AdamOptions(o.learning_rate)
      .betas({o.beta1, o.beta2})
      .eps(o.eps)
      .weight_decay(o.weight_decay);
}

using Parameters = std::map<std::string, torch::Tensor>;

torch::Tensor parameter(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? torch::Tensor() : found->second;
}

torch::Tensor forward(const LayerSpec& layer, const std::string& name, const Parameters& parameters,
                      const torch::Tensor& x) {
  const torch::Tensor w = parameter(parameters, name + ".weight");
  const torch::Tensor b = parameter(parameters, name + ".bias");
  if (layer.is<kinds::Relu>()) return torch::relu(x);
  if (layer.is<kinds::Sigmoid>()) return torch::sigmoid(x);
  if (layer.is<kinds::Softmax>()) return torch::softmax(x, -1);
  if (layer.is<kinds::Flatten>()) return x.flatten(1);
  if (layer.is<kinds::Linear>()) return torch::nn::functional::linear(x, w, b);
  if (const auto* conv = layer.as<kinds::Conv2d>(); conv != nullptr && conv->padding.is_symmetric())
    return torch::conv2d(x, w, b, {conv->stride.h, conv->stride.w}, {conv->padding.top, conv->padding.left},
                         {conv->dilation.h, conv->dilation.w}, conv->groups);
  if (const auto* pool = layer.as<kinds::MaxPool2d>(); pool != nullptr && pool->padding.is_symmetric())
    return torch::max_pool2d(x, {pool->kernel_size.h, pool->kernel_size.w}, {pool->stride.h, pool->stride.w},
                             {pool->padding.top, pool->padding.left}, {pool->dilation.h, pool->dilation.w},
                             pool->ceil_mode);
  throw std::invalid_argument("no counterpart for " + describe(layer));
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerCase& which,
                                                        const torch::Tensor& parameter) {
  const std::vector<torch::Tensor> parameters = {parameter};
  if (const auto* sgd = std::get_if<SgdOptions>(&which.options)) {
    return std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(sgd->learning_rate)
                                                               .momentum(sgd->momentum)
                                                               .weight_decay(sgd->weight_decay)
                                                               .nesterov(sgd->nesterov));
  }
  const auto& adam = std::get<AdamOptions>(which.options);
  if (!adam.decoupled) return std::make_unique<torch::optim::Adam>(parameters, adam_options(adam));
  return std::make_unique<torch::optim::AdamW>(parameters, torch::optim::AdamWOptions(adam.learning_rate)
                                                               .betas({adam.beta1, adam.beta2})
                                                               .eps(adam.eps)
                                                               .weight_decay(adam.weight_decay));
}

}  // namespace

std::vector<Tensor> run_torch(const OptimizerCase& which, DType dtype) {
  const OptimizerInput input = optimizer_input(dtype);
  const torch::Tensor parameter = to_torch(input.start).requires_grad_();
  const auto optimizer = make_optimizer(which, parameter);
  std::vector<Tensor> out;
  for (const Tensor& gradient : input.gradients) {
    parameter.mutable_grad() = to_torch(gradient);
    optimizer->step();
    out.push_back(from_torch(parameter));
  }
  return out;
}

std::vector<double> run_torch(const TrainingCase& which, DType dtype) {
  Parameters parameters;
  std::vector<torch::Tensor> trained;
  for (const auto& [name, tensor] : initial_weights(which, dtype)) {
    trained.push_back(to_torch(tensor).requires_grad_());
    parameters.emplace(name, trained.back());
  }
  torch::optim::Adam adam(trained, adam_options({}));
  const auto code_layer = which.activity_penalty != 0 ? autoencoder_hidden_layers(which.network).back() : -1;
  std::vector<double> losses;
  for (const TrainingBatch& batch : training_batches(which, dtype)) {
    torch::Tensor x = to_torch(batch.x);
    torch::Tensor penalty;
    for (std::size_t i = 0; i < which.network.trunk.size(); ++i) {
      x = forward(which.network.trunk[i], "trunk." + std::to_string(i), parameters, x);
      if (static_cast<std::int64_t>(i) == code_layer)
        penalty = which.activity_penalty * x.abs().sum() / x.size(0);
    }
    const torch::Tensor target = to_torch(batch.target);
    torch::Tensor loss =
        penalty.defined() ? torch::mse_loss(x, target) + penalty : torch::cross_entropy_loss(x, target);
    losses.push_back(loss.item<double>());
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  return losses;
}

}  // namespace cbnet::testing
