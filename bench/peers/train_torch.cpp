#include <torch/torch.h>

#include <map>

#include "bench/peers/train_engine.h"
#include "data/batches.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/kinds/sigmoid.h"
#include "models/zoo.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

torch::Tensor to_torch(const Tensor& tensor, torch::ScalarType type) {
  Tensor dense = tensor.contiguous();
  void* data = dispatch(dense.dtype(), [&](auto zero) -> void* { return dense.data<decltype(zero)>(); });
  return torch::from_blob(data, dense.shape(), type).clone();
}

torch::Tensor to_pixels(const torch::Tensor& images) { return images.to(torch::kFloat32).div_(255.0F); }

class TorchEngine final : public TrainEngine {
 public:
  explicit TorchEngine(const Training& training)
      : training_(training),
        images_(to_torch(training.images, torch::kUInt8).unsqueeze(1)),
        labels_(to_torch(training.labels, torch::kUInt8).to(torch::kInt64)),
        order_(to_torch(Tensor::from(data::epoch_order(training.labels.size(0), kOrderSeed, 0),
                                     {training.labels.size(0)}),
                        torch::kInt64)) {
    std::vector<torch::Tensor> trained;
    for (const auto& [name, tensor] : training.weights) {
      trained.push_back(to_torch(tensor, torch::kFloat32).requires_grad_());
      parameters_.emplace(name, trained.back());
    }
    adam_ = std::make_unique<torch::optim::Adam>(trained, torch::optim::AdamOptions());
    if (training.reconstructs) {
      const auto classes = static_cast<std::int64_t>(training.targets.size());
      const torch::Tensor chosen = to_torch(Tensor::from(training.targets, {classes}), torch::kInt64);
      targets_ = to_pixels(images_.index_select(0, chosen)).flatten(1);
      code_layer_ = autoencoder_hidden_layers(training.network).back();
    }
  }

  double step(std::int64_t i) override {
    const torch::Tensor indices = order_.slice(0, i * training_.batch_size, (i + 1) * training_.batch_size);
    const torch::Tensor labels = labels_.index_select(0, indices);
    const torch::Tensor pixels = to_pixels(images_.index_select(0, indices));
    adam_->zero_grad();
    const torch::Tensor loss = loss_of(pixels, labels);
    const double value = loss.item<double>();
    loss.backward();
    adam_->step();
    return value;
  }

  void use_threads(int threads) override { torch::set_num_threads(threads); }

 private:
  torch::Tensor loss_of(torch::Tensor x, const torch::Tensor& labels) const {
    torch::Tensor penalty;
    const LayerSpecs& trunk = training_.network.trunk;
    for (std::size_t i = 0; i < trunk.size(); ++i) {
      x = forward(trunk[i], "trunk." + std::to_string(i), x);
      if (training_.reconstructs && static_cast<std::int64_t>(i) == code_layer_)
        penalty = training_.recipe.activity_l1 * x.abs().sum() / x.size(0);
    }
    if (!training_.reconstructs) return torch::cross_entropy_loss(x, labels);
    return torch::mse_loss(x, targets_.index_select(0, labels)) + penalty;
  }

  torch::Tensor forward(const LayerSpec& layer, const std::string& name, const torch::Tensor& x) const {
    if (layer.is<kinds::Relu>()) return torch::relu(x);
    if (layer.is<kinds::Sigmoid>()) return torch::sigmoid(x);
    if (layer.is<kinds::Flatten>()) return x.flatten(1);
    if (layer.is<kinds::Linear>())
      return torch::linear(x, parameters_.at(name + ".weight"), parameters_.at(name + ".bias"));
    if (const auto* conv = layer.as<kinds::Conv2d>(); conv != nullptr && conv->padding.is_symmetric())
      return torch::conv2d(x, parameters_.at(name + ".weight"), parameters_.at(name + ".bias"),
                           {conv->stride.h, conv->stride.w}, {conv->padding.top, conv->padding.left},
                           {conv->dilation.h, conv->dilation.w}, conv->groups);
    if (const auto* pool = layer.as<kinds::MaxPool2d>(); pool != nullptr && pool->padding.is_symmetric())
      return torch::max_pool2d(x, {pool->kernel_size.h, pool->kernel_size.w},
                               {pool->stride.h, pool->stride.w}, {pool->padding.top, pool->padding.left},
                               {pool->dilation.h, pool->dilation.w}, pool->ceil_mode);
    throw std::logic_error(concat("no counterpart for ", describe(layer)));
  }

  const Training& training_;
  torch::Tensor images_, labels_, order_, targets_;
  std::map<std::string, torch::Tensor> parameters_;
  std::unique_ptr<torch::optim::Adam> adam_;
  std::int64_t code_layer_ = -1;
};

}  // namespace

std::unique_ptr<TrainEngine> make_torch_engine(const Training& training) {
  return std::make_unique<TorchEngine>(training);
}

std::string torch_description() { return "LibTorch " TORCH_VERSION; }

}  // namespace cbnet::bench
