#include "bench/networks.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "autograd/ops/softmax.h"
#include "autograd/tape.h"
#include "bench/agreement.h"
#include "cbnet/conversion.h"
#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "data/batches.h"
#include "models/checkpoint.h"
#include "models/compile.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/linear.h"
#include "models/kinds/softmax.h"
#include "models/zoo.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

constexpr std::int64_t kSide = 28;

/// The last linear layer makes classes or pixels: it keeps its size.
void widen(LayerSpecs& layers, std::int64_t width) {
  const auto last = std::find_if(layers.rbegin(), layers.rend(),
                                 [](const LayerSpec& layer) { return layer.is<kinds::Linear>(); });
  const auto widened = [&](LayerSpec& layer, auto fields) {
    fields.out *= width;
    layer = LayerSpec(fields, layer.inputs);
  };
  for (LayerSpec& layer : layers) {
    const auto* linear = layer.as<kinds::Linear>();
    if (const auto* conv = layer.as<kinds::Conv2d>()) widened(layer, *conv);
    if (linear != nullptr && (last == layers.rend() || &layer != &*last)) widened(layer, *linear);
  }
}

std::unique_ptr<Network> build(NetworkSpec spec, std::uint64_t seed, std::int64_t width, std::int64_t side) {
  spec.input = {1, side, side};
  widen(spec.trunk, width);
  for (ExitSpec& exit : spec.exits) widen(exit.branch, width);
  auto network = std::make_unique<Network>(std::move(spec), seed);
  network->eval();
  return network;
}

std::unique_ptr<Network> load(const RunFolder& folder, const std::string& file, ModelInfo& info) {
  Model model = load_model(folder.path() / file);
  model.network->eval();
  info = std::move(model.info);
  return std::move(model.network);
}

}  // namespace

std::vector<std::string> network_names() {
  return {"lenet",      "branchynet",  "autoencoder-mnist", "autoencoder-fmnist", "autoencoder-kmnist",
          "classifier", "cbnet-mnist", "cbnet-fmnist",      "cbnet-kmnist"};
}

Cost BenchNetwork::cost() const {
  Cost out = total_cost(network->spec());
  if (converter) {
    const Cost first = total_cost(converter->spec());
    out.macs += first.macs;
    out.parameters += first.parameters;
  }
  return out;
}

Shape BenchNetwork::input() const { return (converter ? converter : network)->spec().input; }

runtime::Graph BenchNetwork::graph() const {
  if (converter) return cbnet_graph(*converter, rescale, *network, normalisation, normalisation);
  // No entropy is below 0.
  runtime::Graph out =
      classifies ? classifier_graph(*network, std::vector<double>(network->spec().exits.size(), 0.0))
                 : autoencoder_graph(*network, rescale);
  insert_normalisation(out, 0, normalisation, "");
  return out;
}

std::vector<float> BenchNetwork::answer(const Tensor& images) const {
  const NoGrad no_grad;
  Tensor pixels = normalised(data::to_float(images), normalisation);
  if (!classifies) return convert(*network, pixels, rescale).to_vector<float>();
  if (converter) pixels = normalised(convert(*converter, pixels, rescale), normalisation);
  const Variable output = network->forward(Variable(pixels));
  // What an imported network ends in may be probabilities already.
  if (network->spec().trunk.back().is<kinds::Softmax>()) return output.value().to_vector<float>();
  return softmax(output, -1).value().to_vector<float>();
}

BenchNetwork make_network(const std::string& name, std::uint64_t seed, std::int64_t width,
                          std::int64_t side) {
  const std::vector<std::string> known = network_names();
  require(std::find(known.begin(), known.end(), name) != known.end(), "networks", "unknown model '", name,
          "'");
  require(width >= 1 && side >= 1, "networks", "width and side are at least 1; got ", width, " and ", side);
  const std::string kind = name.substr(0, name.find('-'));
  const bool converts = kind == "autoencoder" || kind == "cbnet";
  require(side == kSide || !converts, "networks", name, " takes images of ", kSide, " pixels a side; got ",
          side);
  BenchNetwork out;
  out.name = name;
  out.classifies = kind != "autoencoder";
  std::unique_ptr<Network> autoencoder;
  if (converts)
    autoencoder =
        build(autoencoder_spec(name.substr(kind.size() + 1), OutputActivation::sigmoid), seed, width, side);
  if (kind == "autoencoder") {
    out.network = std::move(autoencoder);
    return out;
  }
  out.converter = std::move(autoencoder);
  out.network = build(kind == "lenet"        ? lenet_spec()
                      : kind == "branchynet" ? branchynet_spec()
                                             : classifier_spec(),
                      seed + 1, width, side);
  return out;
}

BenchNetwork load_network(const std::filesystem::path& run, const std::string& name) {
  static_cast<void>(load_predictor(run, name));  // names, files and whether they belong together
  const RunFolder folder(run);
  BenchNetwork out;
  out.name = name;
  out.classifies = name != "autoencoder";
  ModelInfo info;
  if (name == "cbnet") {
    const CbnetParts parts = folder.read_cbnet();
    out.network = load(folder, parts.classifier, info);
    out.converter = load(folder, parts.autoencoder, info);
  } else {
    out.network = load(folder, folder.model_file(name).filename().string(), info);
  }
  out.rescale = info.rescale;
  out.normalisation = info.normalisation;
  return out;
}

Tensor noise_images(std::int64_t n, const Shape& input, std::int64_t distinct, std::uint64_t seed) {
  Rng rng(seed);
  const std::int64_t first = std::min(n, distinct);
  Shape all = input, some = input;
  all.insert(all.begin(), n);
  some.insert(some.begin(), first);
  Tensor out = Tensor::empty(all, DType::u8);
  out.slice(0, 0, first).copy_from(Tensor::uniform(some, 0, 256, rng).to(DType::u8));
  for (std::int64_t at = first; at < n; at += first) {
    const std::int64_t count = std::min(first, n - at);
    out.slice(0, at, at + count).copy_from(out.slice(0, 0, count));
  }
  return out;
}

double check_plan(const runtime::Plan& plan, runtime::Workspace& workspace, const Tensor& images,
                  const std::vector<float>& expected, const std::string& name) {
  const runtime::Results results = plan.run(images.data<std::uint8_t>(), images.size(0), workspace);
  const std::span<const float> output = results.labels.empty() ? results.output : results.probabilities;
  const std::size_t width = output.size() / static_cast<std::size_t>(images.size(0));
  require(!expected.empty() && expected.size() % width == 0, "networks", "expected answers of ", width,
          " numbers");
  double worst = 0.0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    const double difference = std::abs(static_cast<double>(output[i]) - expected[i % expected.size()]);
    // The comparison is written so that NaN fails.
    if (!(difference <= kAgreementTolerance)) {
      throw std::runtime_error(concat("the plan of ", name, " disagrees with its modules: image ", i / width,
                                      " of ", images.size(0), ": a value is off by ", difference));
    }
    worst = std::max(worst, difference);
  }
  return worst;
}

}  // namespace cbnet::bench
