// LibTorch runs a TorchScript module in evaluation mode, frozen and given to optimize_for_inference.
#include <ATen/Parallel.h>
#include <torch/script.h>
#include <torch/version.h>

#include "bench/peers/engine.h"
#include "tensor/error.h"

extern "C" void openblas_set_num_threads(int);

namespace cbnet::peers {
namespace {

at::Tensor copied(const Tensor& tensor) {
  std::vector<std::int64_t> shape(tensor.shape().begin(), tensor.shape().end());
  return torch::from_blob(const_cast<float*>(tensor.data<float>()), shape, torch::kFloat32).clone();
}

/// Writes the layers as statements on `x`, and their weights as parameters of the module.
std::string statements(const std::vector<Layer>& layers, const std::string& prefix, const std::string& indent,
                       torch::jit::Module& module) {
  std::string out;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const std::string w = concat(prefix, "_w", i), b = concat(prefix, "_b", i);
    if (layer.weight.defined()) {
      module.register_parameter(w, copied(layer.weight), false);
      module.register_parameter(b, copied(layer.bias), false);
    }
    const std::string weights = concat("self.", w, ", self.", b);
    std::string call;
    const auto pair = [](std::int64_t size) { return concat("[", size, ", ", size, "]"); };
    if (const auto* conv = layer.as<kinds::Conv2d>())
      call =
          concat("torch.conv2d(x, ", weights, ", ", pair(conv->stride.h), ", ", pair(conv->padding.top), ")");
    else if (const auto* pool = layer.as<kinds::MaxPool2d>())
      call = concat("torch.max_pool2d(x, ", pair(pool->kernel_size.h), ", ", pair(pool->stride.h),
                    ", [0, 0], [1, 1], ", pool->ceil_mode ? "True" : "False", ")");
    else if (layer.is<kinds::Linear>())
      call = concat("torch.linear(x, ", weights, ")");
    else if (layer.is<kinds::Unflatten>())
      call = concat("torch.reshape(x, [-1, ", layer.out[0], ", ", layer.out[1], ", ", layer.out[2], "])");
    else
      call = layer.is<kinds::Flatten>() ? "torch.flatten(x, 1)" : concat("torch.", layer.spec->kind(), "(x)");
    out += concat(indent, "x = ", call, "\n");
  }
  return out;
}

class Torch final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int threads) override {
    // BLAS has its own count, which this project's own products set to one.
    openblas_set_num_threads(threads);
    at::set_num_threads(threads);
    torch::jit::Module module(model.name);
    std::string source = "def forward(self, x: Tensor):\n" + statements(model.trunk, "trunk", "  ", module);
    if (model.has_exit()) {
      source += "  shared = x\n" + statements(model.branch, "branch", "  ", module) +
                "  logs = torch.log_softmax(x, 1)\n" +
                concat("  if bool(torch.sum(torch.exp(logs) * logs) <= ", -model.threshold, "):\n") +
                "    x = shared\n" + statements(model.rest, "rest", "    ", module);
    }
    module.define(source + "  return x\n");
    module.eval();
    module_ = torch::jit::freeze(module);
    module_ = torch::jit::optimize_for_inference(module_);
    batch_ = batch;
  }

  const float* run(const float* pixels, float*) override {
    const c10::InferenceMode guard;
    const at::Tensor x = torch::from_blob(const_cast<float*>(pixels), {batch_, 1, 28, 28}, torch::kFloat32);
    y_ = module_.forward({x}).toTensor().contiguous();
    return y_.data_ptr<float>();
  }

 private:
  torch::jit::Module module_{"none"};
  at::Tensor y_;
  std::int64_t batch_ = 0;
};

}  // namespace

EngineInfo engine_info() {
  const auto takes = [](const PeerModel& model, std::int64_t batch) {
    return !model.has_exit() || batch == 1;
  };
  return {"libtorch",
          TORCH_VERSION,
          {{"optimized", "fp32", "TorchScript, frozen, optimize_for_inference", takes,
            []() -> std::unique_ptr<Engine> { return std::make_unique<Torch>(); }}},
          /*openmp_blas=*/true};
}

}  // namespace cbnet::peers
