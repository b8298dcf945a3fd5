#include "cbnet/truncation.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "autograd/tape.h"
#include "cbnet/exit_rule.h"
#include "models/compile.h"
#include "models/json.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "runtime/plan.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

bool is_read_across(const NetworkSpec& network, std::int64_t layers) {
  for (auto i = static_cast<std::size_t>(layers); i < network.trunk.size(); ++i) {
    for (const std::int64_t position : inputs_of(network.trunk[i], i))
      if (position < layers) return true;
  }
  return false;
}

/// Returns the median time of an image, one a call, after a pass that warms up.
double median_us(const runtime::Graph& graph, const Tensor& images) {
  const runtime::Plan plan(graph);
  runtime::Workspace workspace(plan);
  const std::int64_t count = std::min<std::int64_t>(images.size(0), 100),
                     size = images.numel() / images.size(0);
  std::vector<double> times;
  for (std::int64_t call = 0; call < 4 * count; ++call) {
    const auto start = std::chrono::steady_clock::now();
    plan.run(images.data<std::uint8_t>() + call % count * size, 1, workspace);
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    if (call >= count) times.push_back(time.count());
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

bool is_too_dear(const CutTrial& trial, std::int64_t network_macs) {
  return trial.classifier_macs + trial.autoencoder_macs > network_macs;
}

class Trials {
 public:
  Trials(Network& network, const StageData& data, const Recipe& recipe, const TruncationOptions& options)
      : network_(network), data_(data), recipe_(recipe), options_(options) {
    network_.eval();
    whole_ = score_exits(network_, data_.validation_images, data_.normalisation).back();
  }

  Truncation run() {
    Truncation out;
    const NetworkSpec& spec = network_.spec();
    out.network_macs = total_cost(spec).macs;
    out.network_accuracy =
        accuracy_of(network_, data_.validation_images, data_.validation_labels, data_.normalisation);
    out.network_us = median_us(whole_graph(), data_.validation_images);
    std::vector<std::unique_ptr<Network>> classifiers;
    for (const Cut& cut : cuts()) {
      classifiers.push_back(classifier_at(cut));
      out.trials.push_back(try_cut(cut, *classifiers.back()));
      CutTrial& trial = out.trials.back();
      if (options_.k == 0 && trial.refused.empty() && is_too_dear(trial, out.network_macs))
        trial.refused = "it takes more multiply-adds than the whole network";
      say(concat("K = ", cut.k, ": ", trial.easy, " easy and ", trial.hard, " hard images",
                 trial.refused.empty() ? "" : ", " + trial.refused));
      if (is_too_dear(trial, out.network_macs)) break;
    }
    out.chosen = choose(out.trials);
    out.classifier = std::move(classifiers[out.chosen]);
    return out;
  }

 private:
  runtime::Graph whole_graph() const {
    runtime::Graph out = classifier_graph(network_, {});
    insert_normalisation(out, 0, data_.normalisation, "");
    return out;
  }

  std::vector<Cut> cuts() const {
    std::vector<Cut> all = cuts_of(network_.spec());
    const auto last = all.empty() ? 0 : all.back().k;
    if (options_.k > 0) std::erase_if(all, [&](const Cut& cut) { return cut.k != options_.k; });
    require(!all.empty(), "truncation", "'", network_.spec().name, "' can be cut behind weighted layer 1 to ",
            last, "; got ", options_.k, "; hint: --k auto");
    return all;
  }

  /// These are the first layers, with an output layer that is trained here.
  std::unique_ptr<Network> classifier_at(const Cut& cut) {
    const LayerSpecs output = {kinds::Flatten{}, kinds::Linear{.out = data_.task.classes}};
    const Shape features = trunk_shape(network_.spec(), cut.layers);
    Network head({"head", features, output, {}, network_.spec().init}, seed_of(cut));
    Stage stage{
        concat("output layer behind K = ", cut.k), &head, recipe_.network, {}, {}, data_.normalisation};
    stage.recipe.epochs = recipe_.truncation.head_epochs;
    stage.recipe.warmup_epochs = stage.recipe.patience = 0;
    stage.step = [&](const data::Batch& batch, std::int64_t) {
      return classification_step(head, {features_of(batch.pixels, cut), batch.labels, batch.indices});
    };
    stage.validate = [] { return std::map<std::string, double>(); };
    fit(stage, data_.training, fit_options(cut));

    auto out = truncate_after(network_, cut.layers, output, "classifier", seed_of(cut));
    StateDict state = out->state_dict();
    for (const auto& [name, tensor] : head.state_dict()) {
      const std::string place = concat("trunk.", cut.layers + 1, name.substr(name.rfind('.')));
      for (auto& [target, weights] : state)
        if (target == place) weights.copy_from(tensor);
    }
    out->eval();
    return out;
  }

  Tensor features_of(const Tensor& pixels, const Cut& cut) {
    const NoGrad no_grad;
    return network_.forward_trunk(network_.input(pixels), 0, cut.layers).value().to(Device::cpu);
  }

  CutTrial try_cut(const Cut& cut, Network& classifier) {
    CutTrial out;
    out.cut = cut;
    out.classifier_macs = total_cost(classifier.spec()).macs;
    out.autoencoder_macs = total_cost(autoencoder_spec(data_.dataset, recipe_.output, data_.task.input)).macs;
    const ExitScores scores = score_exits(classifier, data_.validation_images, data_.normalisation).front();
    const std::vector<ExitScores> both = {scores, whole_};
    out.threshold = recipe_.thresholds.empty()
                        ? choose_thresholds(both, data_.validation_truth, recipe_.auto_margin).thresholds[0]
                        : recipe_.thresholds.front();
    out.classifier_accuracy = apply_thresholds({scores}, data_.validation_truth, {}).accuracy;
    Recipe trial = recipe_;
    trial.autoencoder.epochs = recipe_.truncation.autoencoder_epochs;
    trial.autoencoder.warmup_epochs = trial.autoencoder.patience = 0;
    try {
      ConversionStage conversion(classifier, out.threshold, data_, trial, {seed_of(cut), seed_of(cut)});
      const Network& autoencoder = conversion.autoencoder();
      for (const bool easy : conversion.targets().hardness().easy) ++(easy ? out.easy : out.hard);
      Stage stage = conversion.stage();
      stage.name = concat("autoencoder for K = ", cut.k);
      out.cbnet_accuracy = fit(stage, data_.training, fit_options(cut)).validation.at("cbnet_accuracy");
      out.cbnet_us = median_us(cbnet_graph(autoencoder, conversion.targets().rescale(), classifier,
                                           data_.normalisation, data_.normalisation),
                               data_.validation_images);
    } catch (const NoEasyImage& error) {
      out.hard = static_cast<std::int64_t>(data_.training.split.train.size());
      out.refused = error.what();
    }
    return out;
  }

  std::size_t choose(const std::vector<CutTrial>& trials) const {
    double best = -1.0;
    for (const CutTrial& trial : trials)
      if (trial.refused.empty()) best = std::max(best, trial.cbnet_accuracy);
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (trials[i].refused.empty() && trials[i].cbnet_accuracy >= best - recipe_.truncation.margin) return i;
    }
    throw std::runtime_error(
        concat("no cut of '", network_.spec().name, "' can be chosen: ", trials.front().refused));
  }

  FitOptions fit_options(const Cut& cut) const {
    FitOptions out;
    out.seed = seed_of(cut);
    out.progress = options_.progress;
    return out;
  }

  std::uint64_t seed_of(const Cut& cut) const {
    return derive_seed(options_.seed, SeedUse::truncation) + static_cast<std::uint64_t>(cut.k);
  }

  void say(const std::string& line) const {
    if (options_.say) options_.say(line);
  }

  Network& network_;
  const StageData& data_;
  const Recipe& recipe_;
  const TruncationOptions& options_;
  ExitScores whole_;
};

}  // namespace

std::vector<Cut> cuts_of(const NetworkSpec& network) {
  const std::vector<LayerCost> costs = layer_costs(network);
  std::vector<std::int64_t> weighted;  // trunk layers with multiply-adds
  for (std::size_t i = 0; i < network.trunk.size(); ++i) {
    const std::string name = concat("trunk.", i);
    const auto cost =
        std::find_if(costs.begin(), costs.end(), [&](const auto& entry) { return entry.name == name; });
    if (cost->macs > 0) weighted.push_back(static_cast<std::int64_t>(i));
  }
  std::vector<Cut> out;
  for (std::size_t k = 1; k < weighted.size(); ++k) {
    // A flattening belongs to what reads it, and the output layer has its own.
    std::int64_t layers = weighted[k];
    while (network.trunk[static_cast<std::size_t>(layers) - 1].is<kinds::Flatten>()) --layers;
    if (!is_read_across(network, layers)) out.push_back({static_cast<std::int64_t>(k), layers});
  }
  return out;
}

Truncation choose_truncation(Network& network, const StageData& data, const Recipe& recipe,
                             const TruncationOptions& options) {
  return Trials(network, data, recipe, options).run();
}

Json to_json(const Truncation& truncation) {
  Json trials = Json::array();
  for (const CutTrial& trial : truncation.trials) {
    trials.push_back({{"k", trial.cut.k},
                      {"layers", trial.cut.layers},
                      {"threshold", trial.threshold},
                      {"easy", trial.easy},
                      {"hard", trial.hard},
                      {"classifier_accuracy", trial.classifier_accuracy},
                      {"cbnet_accuracy", trial.cbnet_accuracy},
                      {"classifier_macs", trial.classifier_macs},
                      {"autoencoder_macs", trial.autoencoder_macs},
                      {"cbnet_us", trial.cbnet_us},
                      {"refused", trial.refused}});
  }
  return {{"k", truncation.choice().cut.k},
          {"network_accuracy", truncation.network_accuracy},
          {"network_macs", truncation.network_macs},
          {"network_us", truncation.network_us},
          {"trials", std::move(trials)}};
}

std::string to_text(const Truncation& truncation) {
  std::string out =
      "   K   easy   hard  threshold  cut network, %  CBNet, %  autoencoder MACs  CBNet MACs  CBNet, us\n";
  for (const CutTrial& trial : truncation.trials) {
    char line[160];
    std::snprintf(line, sizeof line, "%s%3lld %6lld %6lld %10.4g %15.2f %9.2f %17lld %11lld %10.1f\n",
                  &trial == &truncation.choice() ? "*" : " ", static_cast<long long>(trial.cut.k),
                  static_cast<long long>(trial.easy), static_cast<long long>(trial.hard), trial.threshold,
                  100 * trial.classifier_accuracy, 100 * trial.cbnet_accuracy,
                  static_cast<long long>(trial.autoencoder_macs),
                  static_cast<long long>(trial.classifier_macs + trial.autoencoder_macs), trial.cbnet_us);
    out += line;
  }
  char line[160];
  std::snprintf(line, sizeof line, "the whole network: %.2f %%, %lld MACs, %.1f us\n",
                100 * truncation.network_accuracy, static_cast<long long>(truncation.network_macs),
                truncation.network_us);
  return out + line;
}

}  // namespace cbnet
