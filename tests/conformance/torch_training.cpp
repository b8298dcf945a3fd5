#include "tests/conformance/torch_training.h"

#include <map>

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
  switch (layer.kind) {
    case LayerKind::conv2d:
      return torch::conv2d(x, w, b, layer.stride, layer.padding, layer.dilation, layer.groups);
    case LayerKind::linear:
      return torch::nn::functional::linear(x, w, b);
    case LayerKind::max_pool2d:
      return torch::max_pool2d(x, layer.kernel_size, layer.stride, layer.padding, layer.dilation,
                               layer.ceil_mode);
    case LayerKind::relu:
      return torch::relu(x);
    case LayerKind::sigmoid:
      return torch::sigmoid(x);
    case LayerKind::softmax:
      return torch::softmax(x, -1);
    case LayerKind::flatten:
      return x.flatten(1);
    default:
      throw std::invalid_argument(std::string("no counterpart for ") + to_string(layer.kind));
  }
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
