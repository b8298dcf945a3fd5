// LibTorch runs a TorchScript module in evaluation mode, frozen and given to optimize_for_inference.
#include <ATen/Parallel.h>
#include <torch/script.h>
#include <torch/version.h>

#include "bench/peers/engine.h"
#include "bench/peers/graph_nodes.h"
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

/// Writes the nodes of a network of any layers as statements on v0, v1, …; the last of them is `v<nodes>`.
std::string statements(const runtime::Graph& graph, torch::jit::Module& module) {
  using runtime::Kind;
  std::string out;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const runtime::Node& node = graph.nodes[i];
    const Window2d& window = node.window;
    const auto value = [&](std::size_t n) { return concat("v", node.inputs[n]); };
    const auto pair = [](const Pair& sizes) { return concat("[", sizes.h, ", ", sizes.w, "]"); };
    const auto weights = [&](const Tensor& weight, const Tensor& bias) {
      module.register_parameter(concat("w", i), copied(weight.contiguous()), false);
      if (bias.defined()) module.register_parameter(concat("b", i), copied(bias), false);
      return concat("self.w", i, ", ", bias.defined() ? concat("self.b", i) : "None");
    };
    std::string x = value(0);
    const Padding2d& padding = window.padding;
    Pair around(padding.top, padding.left);
    if (node.kind == Kind::conv2d && !padding.is_symmetric()) {
      x = concat("torch.constant_pad_nd(", x, ", [", padding.left, ", ", padding.right, ", ", padding.top,
                 ", ", padding.bottom, "], 0.0)");
      around = 0;
    }
    std::string call;
    switch (node.kind) {
      case Kind::conv2d:
        call = concat("torch.conv2d(", x, ", ", weights(node.weight, node.bias), ", ", pair(window.stride),
                      ", ", pair(around), ", ", pair(window.dilation), ", ", node.groups, ")");
        break;
      case Kind::linear: {
        const runtime::LinearWeights& dense = node.dense;
        const Tensor bias = dense.bias.empty() ? Tensor() : Tensor::from(dense.bias, {dense.out});
        call = concat("torch.linear(", x, ", ",
                      weights(Tensor::from(dense.fp32, {dense.out, dense.in}), bias), ")");
        break;
      }
      case Kind::max_pool2d:
        call = concat("torch.max_pool2d(", x, ", ", pair(window.kernel_size), ", ", pair(window.stride), ", ",
                      pair(around), ", [1, 1], ", window.ceil_mode ? "True" : "False", ")");
        break;
      case Kind::avg_pool2d:
        call = is_global(graph, node)
                   ? concat("torch.adaptive_avg_pool2d(", x, ", [1, 1])")
                   : concat("torch.avg_pool2d(", x, ", ", pair(window.kernel_size), ", ", pair(window.stride),
                            ", ", pair(around), ", ", window.ceil_mode ? "True" : "False", ", ",
                            node.count_include_pad ? "True" : "False", ")");
        break;
      case Kind::reshape:
        call = concat("torch.flatten(", x, ", 1)");
        break;
      case Kind::add:
        call = concat(x, " + ", value(1));
        break;
      case Kind::concat: {
        std::string parts;
        for (std::size_t n = 0; n < node.inputs.size(); ++n) parts += concat(n > 0 ? ", " : "", value(n));
        call = concat("torch.cat([", parts, "], 1)");
        break;
      }
      case Kind::pointwise:
        call = concat("torch.clamp_max(", x, ", ", node.value, ")");
        break;
      default:
        call = concat("torch.", node.kind == Kind::relu ? "relu(" : "sigmoid(", x, ")");
    }
    out += concat("  v", i + 1, " = ", call, "\n");
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
    if (model.is_graph()) {
      source +=
          concat("  v0 = x\n", statements(model.graph, module), "  x = v", model.graph.nodes.size(), "\n");
    } else if (model.has_exit()) {
      source += "  shared = x\n" + statements(model.branch, "branch", "  ", module) +
                "  logs = torch.log_softmax(x, 1)\n" +
                concat("  if bool(torch.sum(torch.exp(logs) * logs) <= ", -model.threshold, "):\n") +
                "    x = shared\n" + statements(model.rest, "rest", "    ", module);
    }
    module.define(source + "  return x\n");
    module.eval();
    module_ = torch::jit::freeze(module);
    module_ = torch::jit::optimize_for_inference(module_);
    shape_ = {batch};
    shape_.insert(shape_.end(), model.spec.input.begin(), model.spec.input.end());
  }

  const float* run(const float* pixels, float*) override {
    const c10::InferenceMode guard;
    const at::Tensor x = torch::from_blob(const_cast<float*>(pixels), shape_, torch::kFloat32);
    y_ = module_.forward({x}).toTensor().contiguous();
    return y_.data_ptr<float>();
  }

 private:
  torch::jit::Module module_{"none"};
  at::Tensor y_;
  std::vector<std::int64_t> shape_;
};

}  // namespace

EngineInfo engine_info() {
  const auto takes = [](const PeerModel& model, std::int64_t batch) {
    return !model.has_exit() || batch == 1;
  };
  return {"libtorch",
          TORCH_VERSION,
          {{"optimized", "fp32", "TorchScript, frozen, optimize_for_inference", takes,
            []() -> std::unique_ptr<Engine> { return std::make_unique<Torch>(); }, false,
            [](const PeerModel& model) { return missing_counterpart(model.graph); }}},
          /*openmp_blas=*/true};
}

}  // namespace cbnet::peers
