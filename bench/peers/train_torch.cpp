#include <torch/torch.h>

#include <map>

#include "bench/peers/train_engine.h"
#include "data/batches.h"
#include "models/kinds/add.h"
#include "models/kinds/batch_norm.h"
#include "models/kinds/concat.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/global_avg_pool2d.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/kinds/relu6.h"
#include "models/kinds/residual.h"
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

torch::Tensor with_channels(const torch::Tensor& images) {
  return images.dim() == 3 ? images.unsqueeze(1) : images;
}

bool is_statistic(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

class TorchEngine final : public TrainEngine {
 public:
  explicit TorchEngine(const Training& training)
      : training_(training),
        images_(with_channels(to_torch(training.images, torch::kUInt8))),
        labels_(to_torch(training.labels, torch::kUInt8).to(torch::kInt64)),
        order_(to_torch(Tensor::from(data::epoch_order(training.labels.size(0), kOrderSeed, 0),
                                     {training.labels.size(0)}),
                        torch::kInt64)) {
    std::vector<torch::Tensor> trained;
    for (const auto& [name, tensor] : training.weights) {
      const torch::Tensor copy = to_torch(tensor, torch::kFloat32);
      if (!is_statistic(name)) trained.push_back(copy.requires_grad_());
      parameters_.emplace(name, copy);
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
    if (!training_.reconstructs) return torch::cross_entropy_loss(run(trunk, "trunk.", x), labels);
    for (std::size_t i = 0; i < trunk.size(); ++i) {
      x = forward(trunk[i], "trunk." + std::to_string(i), {x});
      if (static_cast<std::int64_t>(i) == code_layer_)
        penalty = training_.recipe.activity_l1 * x.abs().sum() / x.size(0);
    }
    return torch::mse_loss(x, targets_.index_select(0, labels)) + penalty;
  }

  /// Runs the layers of a list, whose values know each other by position.
  torch::Tensor run(const LayerSpecs& layers, const std::string& prefix, const torch::Tensor& x) const {
    std::vector<torch::Tensor> made = {x};
    for (std::size_t i = 0; i < layers.size(); ++i) {
      std::vector<torch::Tensor> in;
      for (const std::int64_t at : inputs_of(layers[i], i)) in.push_back(made[static_cast<std::size_t>(at)]);
      made.push_back(forward(layers[i], concat(prefix, i), in));
    }
    return made.back();
  }

  torch::Tensor forward(const LayerSpec& layer, const std::string& name,
                        const std::vector<torch::Tensor>& in) const {
    const torch::Tensor& x = in.front();
    const auto part = [&](const char* of) {
      const auto found = parameters_.find(concat(name, ".", of));
      return found == parameters_.end() ? torch::Tensor() : found->second;
    };
    if (layer.is<kinds::Relu>()) return torch::relu(x);
    if (layer.is<kinds::Relu6>()) return torch::clamp(x, 0.0, 6.0);
    if (layer.is<kinds::Sigmoid>()) return torch::sigmoid(x);
    if (layer.is<kinds::Flatten>()) return x.flatten(1);
    if (layer.is<kinds::Linear>()) return torch::linear(x, part("weight"), part("bias"));
    if (layer.is<kinds::GlobalAvgPool2d>()) return torch::adaptive_avg_pool2d(x, {1, 1});
    if (layer.is<kinds::Add>() && in.size() == 2) return x + in[1];
    if (layer.is<kinds::Concat>()) return torch::cat(in, 1);
    if (const auto* norm = layer.as<kinds::BatchNorm>())
      return torch::batch_norm(x, part("weight"), part("bias"), part("running_mean"), part("running_var"),
                               true, 0.1, norm->epsilon, false);
    if (const auto* sum = layer.as<kinds::Residual>())
      return run(sum->body, name + ".body.", x) + run(sum->shortcut, name + ".shortcut.", x);
    if (const auto* conv = layer.as<kinds::Conv2d>()) {
      const Padding2d& p = conv->padding;
      const bool even = p.is_symmetric();
      return torch::conv2d(even ? x : torch::constant_pad_nd(x, {p.left, p.right, p.top, p.bottom}),
                           part("weight"), part("bias"), {conv->stride.h, conv->stride.w},
                           {even ? p.top : 0, even ? p.left : 0}, {conv->dilation.h, conv->dilation.w},
                           conv->groups);
    }
    if (const auto* pool = layer.as<kinds::MaxPool2d>(); pool != nullptr && pool->padding.is_symmetric())
      return torch::max_pool2d(x, {pool->kernel_size.h, pool->kernel_size.w},
                               {pool->stride.h, pool->stride.w}, {pool->padding.top, pool->padding.left},
                               {pool->dilation.h, pool->dilation.w}, pool->ceil_mode);
    throw MissingLayer(concat("no counterpart for ", name, ": ", describe(layer)));
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
