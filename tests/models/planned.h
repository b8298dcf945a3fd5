#pragma once

// Networks beside the plans that models/compile makes of them.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "models/compile.h"
#include "models/zoo.h"
#include "runtime/plan.h"
#include "tests/support/kinds.h"

namespace cbnet::testing {

/// Bytes of n images.
inline std::vector<std::uint8_t> random_bytes(std::int64_t n, const Shape& input, std::uint64_t seed = 5) {
  Rng rng(seed);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(n * numel(input)));
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(rng.below(256));
  return out;
}

inline std::vector<float> as_floats(const std::vector<std::uint8_t>& bytes) {
  std::vector<float> out;
  out.reserve(bytes.size());
  for (const std::uint8_t byte : bytes) out.push_back(static_cast<float>(byte) / 255.0F);
  return out;
}

/// A network in eval mode, none of whose parameters and statistics is what it began with.
inline std::unique_ptr<Network> trained(const NetworkSpec& spec, std::uint64_t seed) {
  auto network = std::make_unique<Network>(spec, seed);
  Rng rng(seed + 100);
  auto state = network->state_dict();
  for (auto& [name, tensor] : state) {
    const auto ends = [&name = name](const char* with) { return name.ends_with(with); };
    // Those of batch normalisation, one number a channel, begin as ones.
    if (ends(".weight") && tensor.rank() > 1) continue;
    const bool positive = ends(".weight") || ends(".running_var") || ends(".value");
    tensor = Tensor::uniform(tensor.shape(), positive ? 0.5 : -0.3, positive ? 1.5 : 0.3, rng);
  }
  network->load_state_dict(state);
  network->eval();
  return network;
}

/// What a network says of some images, layer by layer as in training.
struct Said {
  std::vector<std::vector<float>> exits;  // logits of every exit, side exits first; empty for an autoencoder
  std::vector<float> output;
};

/// A graph, and the network that it was compiled from.
struct Planned {
  std::string name;
  runtime::Graph graph;
  std::function<Said(const Variable& x)> eager;

  Said say(const std::vector<float>& pixels) const {
    const NoGrad no_grad;
    Shape shape = graph.input;
    shape.insert(shape.begin(), static_cast<std::int64_t>(pixels.size()) / numel(graph.input));
    return eager(Variable(Tensor::from(pixels, shape)));
  }
};

inline Planned planned_classifier(const std::shared_ptr<Network>& network,
                                  const std::vector<double>& thresholds, const std::string& name) {
  return {name, classifier_graph(*network, thresholds), [network](const Variable& x) {
            Said said;
            const NetworkSpec& spec = network->spec();
            for (const Variable& exit : network->forward_exits(x)) {
              const std::size_t e = said.exits.size();
              const LayerSpecs& layers = e < spec.exits.size() ? spec.exits[e].branch : spec.trunk;
              said.exits.push_back(exit.value().to_vector<float>());
              if (!layers.back().is<kinds::Softmax>()) continue;
              for (float& p : said.exits.back()) p = std::log(p);
            }
            return said;
          }};
}

inline std::vector<float> rescaled(std::vector<float> pixels, double by) {
  if (by == 1.0) return pixels;
  for (float& pixel : pixels) pixel = std::min(static_cast<float>(by) * pixel, 1.0F);
  return pixels;
}

inline Planned planned_autoencoder(const std::shared_ptr<Network>& network, double rescale,
                                   const std::string& name) {
  return {name, autoencoder_graph(*network, rescale), [network, rescale](const Variable& x) {
            Said said;
            said.output = rescaled(network->forward(x).value().to_vector<float>(), rescale);
            return said;
          }};
}

inline Planned planned_cbnet(const std::shared_ptr<Network>& autoencoder, double rescale,
                             const std::shared_ptr<Network>& classifier) {
  return {"cbnet", cbnet_graph(*autoencoder, rescale, *classifier), [=](const Variable& x) {
            const auto pixels = rescaled(autoencoder->forward(x).value().to_vector<float>(), rescale);
            Said said;
            said.exits = {
                classifier->forward(Variable(Tensor::from(pixels, x.shape()))).value().to_vector<float>()};
            return said;
          }};
}

inline double entropy_of(const float* logits, std::size_t classes) {
  const double most = *std::max_element(logits, logits + classes);
  double sum = 0, entropy = 0;
  for (std::size_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - most);
  for (std::size_t c = 0; c < classes; ++c) {
    const double log_p = logits[c] - most - std::log(sum);
    entropy -= std::exp(log_p) * log_p;
  }
  return entropy;
}

/// The threshold that half of the images are below, halfway between two of their entropies.
inline double median_entropy(const Said& said, std::size_t exit, std::size_t classes) {
  std::vector<double> entropies;
  for (std::size_t i = 0; i < said.exits[exit].size(); i += classes)
    entropies.push_back(entropy_of(&said.exits[exit][i], classes));
  std::sort(entropies.begin(), entropies.end());
  const std::size_t half = entropies.size() / 2;
  return (entropies[half - 1] + entropies[half]) / 2;
}

/// The models of the paper; BranchyNet so that about half of `pixels` leave early.
inline std::vector<Planned> paper_models(const std::vector<float>& pixels) {
  const std::shared_ptr<Network> branchynet = trained(branchynet_spec(), 2);
  const std::shared_ptr<Network> classifier = truncate_at_exit(*branchynet, 0, "classifier");
  const std::shared_ptr<Network> autoencoder =
      trained(autoencoder_spec("mnist", OutputActivation::softmax), 3);
  const double threshold = median_entropy(planned_classifier(branchynet, {0.0}, "").say(pixels), 0, 10);
  std::vector<Planned> out;
  out.push_back(planned_classifier(trained(lenet_spec(), 1), {}, "lenet"));
  out.push_back(planned_classifier(branchynet, {threshold}, "branchynet"));
  out.push_back(planned_autoencoder(autoencoder, 300.0, "autoencoder"));
  out.push_back(planned_classifier(classifier, {}, "classifier"));
  out.push_back(planned_cbnet(autoencoder, 300.0, classifier));
  return out;
}

}  // namespace cbnet::testing
