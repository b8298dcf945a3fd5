#include "tests/conformance/torch.h"

#include "tensor/rng.h"
#include "tests/conformance/torch_convert.h"

namespace cbnet::testing {
namespace {

using torch::Tensor;
using Tensors = std::vector<Tensor>;

Tensor vector_of(const std::vector<double>& numbers, const Tensor& like) {
  return torch::tensor(numbers, torch::kFloat64).to(like.scalar_type());
}

Tensor index_of(const OpConfig& config, const std::string& name) {
  return torch::tensor(config.integers(name), torch::kInt64);
}

Tensor optional_bias(const Tensors& in) { return in.size() == 3 ? in[2] : Tensor(); }

/// The mask that our generator draws.
Tensor dropout(const OpConfig& config, const Tensor& x) {
  const double p = config.number("p");
  if (config.integer("training") == 0 || p == 0.0) return x;
  const Rng rng(static_cast<std::uint64_t>(config.integer("seed")));
  Tensor mask = torch::empty(x.sizes(), torch::kFloat64);
  for (std::int64_t i = 0; i < mask.numel(); ++i) {
    // One draw decides for two elements, its low half for the first.
    const std::uint64_t half = rng.state().bits(static_cast<std::uint64_t>(i / 2)) >> i % 2 * 32 & UINT32_MAX;
    mask.data_ptr<double>()[i] = static_cast<double>(half) < p * 0x1.0p32 ? 0.0 : 1.0 / (1.0 - p);
  }
  return x * mask.to(x.scalar_type());
}

Tensors batch_norm(const OpConfig& config, const Tensors& in) {
  Tensor mean = vector_of(config.numbers("mean"), in[0]);
  Tensor var = vector_of(config.numbers("var"), in[0]);
  const Tensor y = torch::batch_norm(in[0], in[1], in[2], mean, var, config.integer("training") != 0,
                                     config.number("momentum"), config.number("eps"), false);
  return {y, mean, var};
}

using TorchOp = std::function<Tensors(const OpConfig&, const Tensors&)>;

const std::map<std::string, TorchOp>& torch_ops() {
  using C = const OpConfig&;
  using T = const Tensors&;
  static const std::map<std::string, TorchOp> ops = {
      {"linear",
       [](C, T in) { return Tensors{torch::nn::functional::linear(in[0], in[1], optional_bias(in))}; }},
      {"conv2d",
       [](C c, T in) {
         return Tensors{torch::conv2d(in[0], in[1], optional_bias(in), c.integers("stride"),
                                      c.integers("padding"), c.integers("dilation"), c.integer("groups"))};
       }},
      {"max_pool2d",
       [](C c, T in) {
         return Tensors{torch::max_pool2d(in[0], c.integers("kernel"), c.integers("stride"),
                                          c.integers("padding"), c.integers("dilation"),
                                          c.integer("ceil_mode") != 0)};
       }},
      {"avg_pool2d",
       [](C c, T in) {
         return Tensors{torch::avg_pool2d(in[0], c.integers("kernel"), c.integers("stride"),
                                          c.integers("padding"), c.integer("ceil_mode") != 0,
                                          c.integer("count_include_pad") != 0)};
       }},
      {"softmax", [](C c, T in) { return Tensors{torch::softmax(in[0], c.integer("axis"))}; }},
      {"log_softmax", [](C c, T in) { return Tensors{torch::log_softmax(in[0], c.integer("axis"))}; }},
      {"cross_entropy",
       [](C c, T in) {
         return Tensors{torch::cross_entropy_loss(in[0], index_of(c, "labels"), {}, at::Reduction::Mean, -100,
                                                  c.number("smoothing"))};
       }},
      {"softmax_entropy",
       [](C, T in) { return Tensors{-(torch::softmax(in[0], 1) * torch::log_softmax(in[0], 1)).sum(1)}; }},
      {"mse_loss", [](C, T in) { return Tensors{torch::mse_loss(in[0], in[1])}; }},
      {"bce_loss", [](C, T in) { return Tensors{torch::binary_cross_entropy(in[0], in[1])}; }},
      {"bce_with_logits",
       [](C, T in) { return Tensors{torch::binary_cross_entropy_with_logits(in[0], in[1])}; }},
      {"l1_penalty",
       [](C c, T in) {
         return Tensors{c.number("coefficient") * in[0].abs().sum() / static_cast<double>(in[0].size(0))};
       }},
      {"batch_norm", [](C c, T in) { return batch_norm(c, in); }},
      {"dropout", [](C c, T in) { return Tensors{dropout(c, in[0])}; }},
      {"matmul", [](C, T in) { return Tensors{torch::matmul(in[0], in[1])}; }},
      {"reshape", [](C c, T in) { return Tensors{in[0].reshape(c.integers("shape"))}; }},
      {"transpose", [](C c, T in) { return Tensors{in[0].permute(c.integers("permutation"))}; }},
      {"concat", [](C c, T in) { return Tensors{torch::cat(in, c.integer("axis"))}; }},
      {"index_select",
       [](C c, T in) {
         return Tensors{torch::index_select(in[0], c.integer("axis"), index_of(c, "index"))};
       }},
      {"sum",
       [](C c, T in) { return Tensors{torch::sum(in[0], c.integers("axes"), c.integer("keepdim") != 0)}; }},
      {"mean",
       [](C c, T in) { return Tensors{torch::mean(in[0], c.integers("axes"), c.integer("keepdim") != 0)}; }},
      {"max",
       [](C c, T in) {
         return Tensors{std::get<0>(torch::max(in[0], c.integer("axis"), c.integer("keepdim") != 0))};
       }},
      {"relu", [](C, T in) { return Tensors{torch::relu(in[0])}; }},
      {"sigmoid", [](C, T in) { return Tensors{torch::sigmoid(in[0])}; }},
      {"tanh", [](C, T in) { return Tensors{torch::tanh(in[0])}; }},
      {"exp", [](C, T in) { return Tensors{torch::exp(in[0])}; }},
      {"log", [](C, T in) { return Tensors{torch::log(in[0])}; }},
      {"sqrt", [](C, T in) { return Tensors{torch::sqrt(in[0])}; }},
      {"square", [](C, T in) { return Tensors{torch::square(in[0])}; }},
      {"abs", [](C, T in) { return Tensors{torch::abs(in[0])}; }},
      {"erf", [](C, T in) { return Tensors{torch::erf(in[0])}; }},
      {"pow", [](C c, T in) { return Tensors{torch::pow(in[0], c.number("a"))}; }},
      {"clamp_min", [](C c, T in) { return Tensors{torch::clamp_min(in[0], c.number("a"))}; }},
      {"clamp_max", [](C c, T in) { return Tensors{torch::clamp_max(in[0], c.number("a"))}; }},
      {"neg", [](C, T in) { return Tensors{torch::neg(in[0])}; }},
      {"leaky_relu", [](C c, T in) { return Tensors{torch::leaky_relu(in[0], c.number("a"))}; }},
      {"scale", [](C c, T in) { return Tensors{in[0] * c.number("a")}; }},
      {"shift", [](C c, T in) { return Tensors{in[0] + c.number("a")}; }},
      {"add", [](C, T in) { return Tensors{in[0] + in[1]}; }},
      {"sub", [](C, T in) { return Tensors{in[0] - in[1]}; }},
      {"mul", [](C, T in) { return Tensors{in[0] * in[1]}; }},
      {"div", [](C, T in) { return Tensors{in[0] / in[1]}; }},
  };
  return ops;
}

}  // namespace

Results run_torch(const std::string& name, const OpConfig& config, const std::vector<cbnet::Tensor>& inputs) {
  Tensors leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(to_torch(inputs[i]).requires_grad_(config.needs_grad[i]));
  }
  const Tensors outputs = torch_ops().at(name)(config, leaves);
  Results results;
  for (const Tensor& output : outputs) results.outputs.push_back(from_torch(output));
  const Tensor seed = to_torch(cotangent(outputs[0].sizes().vec())).to(outputs[0].scalar_type());
  outputs[0].backward(seed);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (config.needs_grad[i]) results.gradients.push_back(from_torch(leaves[i].grad()));
  }
  return results;
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace cbnet::testing
