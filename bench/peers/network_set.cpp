#include "bench/peers/network_set.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "autograd/tape.h"
#include "models/checkpoint.h"
#include "models/compile.h"
#include "models/kinds/batch_norm.h"
#include "models/kinds/global_avg_pool2d.h"
#include "models/kinds/log_softmax.h"
#include "models/kinds/softmax.h"
#include "models/networks.h"
#include "models/onnx/onnx.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::peers {
namespace {

using namespace kinds;

constexpr const char* kTrunk = "trunk.";
constexpr double kMomentum = 0.1;  // of the running statistics of batch normalisation
constexpr std::int64_t kStatisticsImages = 32;
/// Biases have this mean. Random layers that rectify half of everything amplify each other's rounding, more
/// with every one of them, which those of trained networks do not.
constexpr double kBias = 1.0;

void append(LayerSpecs& to, const LayerSpecs& layers) { to.insert(to.end(), layers.begin(), layers.end()); }

/// Makes a convolution without a bias, its batch normalisation and a ReLU.
LayerSpecs block(Conv2d conv) {
  conv.bias = false;
  return {conv, BatchNorm{}, Relu{}};
}

/// Makes a depthwise 3x3 convolution and a 1x1 convolution (Howard et al. 2017).
void append_separable(LayerSpecs& to, std::int64_t in, std::int64_t out, std::int64_t stride,
                      const Padding2d& padding) {
  append(to, block({.out = in, .kernel_size = 3, .stride = stride, .padding = padding, .groups = in}));
  append(to, block({.out = out}));
}

void append_classifier(LayerSpecs& to, std::int64_t classes) {
  append(to, {GlobalAvgPool2d{}, Flatten{}, Linear{.out = classes}});
}

NetworkSpec conv() {
  return {
      "conv",
      {1, 28, 28},
      {Conv2d{.out = 8, .kernel_size = 5, .stride = 2, .padding = 2}, Relu{},
       Conv2d{.out = 16, .kernel_size = 3, .stride = 2, .padding = 1}, Relu{}, Flatten{}, Linear{.out = 10}},
      {}};
}

NetworkSpec mobile() {
  NetworkSpec out{"mobile", {1, 28, 28}, block({.out = 16, .kernel_size = 3, .stride = 2, .padding = 1}), {}};
  append_separable(out.trunk, 16, 32, 1, 1);
  append_separable(out.trunk, 32, 64, 2, 1);
  append_separable(out.trunk, 64, 64, 1, 1);
  append_separable(out.trunk, 64, 128, 1, 1);
  append_classifier(out.trunk, 10);
  return out;
}

/// It has no dropout, whose random numbers differ from engine to engine.
NetworkSpec alexnet(const char* name, const Shape& input) {
  const MaxPool2d pool{.kernel_size = 3, .stride = 2, .padding = 1};
  NetworkSpec out{name, input, {}, {}};
  for (const std::int64_t channels : {32, 64})
    append(out.trunk, {Conv2d{.out = channels, .kernel_size = 5, .padding = 2}, Relu{}, pool});
  for (const std::int64_t channels : {96, 96, 64})
    append(out.trunk, {Conv2d{.out = channels, .kernel_size = 3, .padding = 1}, Relu{}});
  append(out.trunk,
         {pool, Flatten{}, Linear{.out = 256}, Relu{}, Linear{.out = 128}, Relu{}, Linear{.out = 10}});
  return out;
}

/// Zhang et al. 2017, in the size of MLPerf Tiny: 49 frames of 10 coefficients, twelve words.
NetworkSpec ds_cnn() {
  NetworkSpec out{"ds-cnn",
                  {1, 49, 10},
                  block({.out = 64, .kernel_size = {10, 4}, .stride = 2, .padding = {4, 1, 5, 1}}),
                  {}};
  for (int i = 0; i < 4; ++i) append_separable(out.trunk, 64, 64, 1, 1);
  append_classifier(out.trunk, 12);
  return out;
}

/// Howard et al. 2017 with a quarter of the channels, two classes. The original pads below and on the right
/// where it strides.
NetworkSpec mobilenet() {
  const Padding2d strided{0, 0, 1, 1};
  NetworkSpec out{"mobilenet-0.25",
                  {3, 96, 96},
                  block({.out = 8, .kernel_size = 3, .stride = 2, .padding = strided}),
                  {}};
  std::int64_t in = 8;
  for (const std::int64_t channels : {16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256}) {
    const bool strides = channels > in && in > 8;
    append_separable(out.trunk, in, channels, strides ? 2 : 1, strides ? strided : Padding2d(1));
    in = channels;
  }
  append_classifier(out.trunk, 2);
  return out;
}

struct Standing {
  std::string name;
  std::function<NetworkSpec()> make;
};

const std::vector<Standing>& standing() {
  static const std::vector<Standing> all = {
      {"conv", conv},
      {"mobile", mobile},
      {"resnet8", [] { return resnet8_spec({}); }},
      {"resnet20", [] { return resnet20_spec({}); }},
      {"alexnet",
       [] {
         return alexnet("alexnet", {1, 28, 28});
       }},
      {"ds-cnn", ds_cnn},
      {"mobilenet-0.25", mobilenet},
      {"cifar-resnet20",
       [] {
         return resnet20_spec({{3, 32, 32}, 10});
       }},
      {"cifar-alexnet",
       [] {
         return alexnet("cifar-alexnet", {3, 32, 32});
       }},
  };
  return all;
}

struct Given {
  std::string name;
  NetworkSpec spec;
  StateDict weights = {};  // empty: random ones
};

Given of_file(const std::filesystem::path& path) {
  constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 24;
  const std::string name = path.stem().string();
  if (path.extension() == ".json") {
    try {
      return {name, network_spec_from_json(read_file(path, kMaxSpecBytes))};
    } catch (const InputError& error) {
      throw InputError(concat(path.string(), ": ", error.what()));
    }
  }
  const Model model = path.extension() == ".onnx" ? import_onnx(path, {}) : load_model(path);
  return {name, model.network->spec(), model.network->state_dict()};
}

Given find(const std::string& given) {
  for (const Standing& one : standing()) {
    if (one.name == given) return {given, one.make()};
  }
  for (const NetworkEntry& entry : networks()) {
    if (entry.name == given) return {given, entry.make({})};
  }
  const std::filesystem::path path = given;
  for (const char* extension : {".json", ".onnx", ".safetensors"}) {
    if (path.extension() == extension) return of_file(path);
  }
  std::string names;
  for (const std::string& name : network_set()) names += concat(names.empty() ? "" : ", ", name);
  throw InputError("a network", concat("a file .json, .onnx or .safetensors, or one of ", names), given,
                   "`cbnet info` lists more names");
}

/// Draws weights from `seed` (He et al. 2015), biases that are not zero, and has batch normalisation know the
/// mean and variance that noise has where it stands.
StateDict random_weights(const NetworkSpec& spec, std::uint64_t seed) {
  constexpr std::uint64_t kBiasStream = 8;
  Rng rng(seed, kBiasStream);
  Network network(spec, seed);
  StateDict state = network.state_dict();
  for (auto& [key, tensor] : state) {
    if (key.ends_with("bias")) tensor.copy_from(Tensor::normal(tensor.shape(), kBias, 0.1, rng));
    if (key.ends_with("running_mean") || key.ends_with("running_var")) tensor.fill(0.0);
  }
  // A step from zero is this fraction of what the batch has.
  const NoGrad no_grad;
  network.train();
  static_cast<void>(network.forward(Variable(pictures(seed, kStatisticsImages, spec.input))));
  StateDict out;
  for (const auto& [key, tensor] : state) {
    const bool statistic = key.ends_with("running_mean") || key.ends_with("running_var");
    std::vector<double> values = tensor.to_vector<double>();
    if (statistic)
      for (double& value : values) value /= kMomentum;
    out.emplace_back(key, Tensor::from(values, tensor.shape()).to(DType::f32));
  }
  return out;
}

}  // namespace

const std::vector<std::string>& network_set() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Standing& one : standing()) out.push_back(one.name);
    return out;
  }();
  return names;
}

Tensor pictures(std::uint64_t seed, std::int64_t n, const Shape& input) {
  constexpr std::uint64_t kImageStream = 9;
  constexpr std::int64_t kSide = 5;  // of the grid of random grey levels that a plane is stretched from
  Rng rng(seed, kImageStream);
  Shape shape = input;
  shape.insert(shape.begin(), n);
  Tensor out = Tensor::empty(shape);
  const std::int64_t w = input.back(), h = input.size() < 2 ? 1 : input[input.size() - 2];
  const std::int64_t planes = out.numel() / (h * w);
  float* p = out.data<float>();
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    double grid[kSide][kSide];
    for (auto& row : grid)
      for (double& level : row) level = rng.uniform();
    for (std::int64_t i = 0; i < h * w; ++i) {
      const std::int64_t line = i / w, place = i - line * w;
      const double y = static_cast<double>(line * (kSide - 1)) / static_cast<double>(h);
      const double x = static_cast<double>(place * (kSide - 1)) / static_cast<double>(w);
      const auto row = static_cast<std::size_t>(y), column = static_cast<std::size_t>(x);
      const double down = y - std::floor(y), right = x - std::floor(x);
      const double above = std::lerp(grid[row][column], grid[row][column + 1], right);
      const double below = std::lerp(grid[row + 1][column], grid[row + 1][column + 1], right);
      *p++ = static_cast<float>(0.01 + 0.84 * std::lerp(above, below, down) + 0.15 * rng.uniform());
    }
  }
  return out;
}

PeerModel given_model(const std::string& given, std::uint64_t seed) {
  Given found = find(given);
  if (!found.spec.exits.empty())
    throw InputError(given, "a network that ends in one place",
                     concat(found.spec.exits.size(), " side exits"),
                     "of networks with side exits the bench has BranchyNet alone, by --models");
  LayerSpecs& trunk = found.spec.trunk;
  while (!trunk.empty() && (trunk.back().is<Softmax>() || trunk.back().is<LogSoftmax>())) trunk.pop_back();
  found.spec.init = Init::he_normal;
  if (found.weights.empty()) found.weights = random_weights(found.spec, seed);
  return network_model(std::move(found.name), std::move(found.spec), std::move(found.weights));
}

PeerModel network_model(std::string name, NetworkSpec spec, StateDict weights) {
  PeerModel out;
  out.name = std::move(name);
  Network network(spec);
  network.load_state_dict(weights);
  network.eval();
  const Shape made = trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size()));
  out.width = numel(made);
  out.graph = made.size() == 1 ? classifier_graph(network, {}) : autoencoder_graph(network, 1.0);
  out.graph = relu_before_pool(runtime::fold(out.graph));
  out.spec = std::move(spec);
  out.weights = std::move(weights);
  return out;
}

runtime::Graph relu_before_pool(runtime::Graph graph) {
  for (std::size_t i = 0; i + 1 < graph.nodes.size(); ++i) {
    const auto made_by_pool = static_cast<std::int32_t>(i) + 1;
    runtime::Node &pool = graph.nodes[i], &relu = graph.nodes[i + 1];
    if (pool.kind != runtime::Kind::max_pool2d || relu.kind != runtime::Kind::relu) continue;
    const auto reads_pool = [&](const runtime::Node& node) {
      return std::ranges::find(node.inputs, made_by_pool) != node.inputs.end();
    };
    if (!reads_pool(relu) || std::ranges::count_if(graph.nodes, reads_pool) != 1) continue;
    relu.shape = value_shape(graph, pool.inputs.front());
    std::swap(pool.inputs, relu.inputs);
    std::swap(pool, relu);
  }
  return graph;
}

}  // namespace cbnet::peers
