#include "cbnet/stages.h"

#include <algorithm>

#include "autograd/tape.h"
#include "cbnet/exit_rule.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

/// Returns the recipe's thresholds, or the automatic ones for these validation scores.
ExitOutcome exit_outcome(const std::vector<ExitScores>& scores, const Recipe& recipe,
                         const std::vector<std::int64_t>& labels) {
  return recipe.thresholds.empty()
             ? choose_thresholds(scores, labels, recipe.auto_margin)
             : apply_thresholds(scores, labels, thresholds_for(recipe.thresholds, scores.size() - 1));
}

/// Names the figures: "threshold" of the only side exit, "threshold_2" of the second of several.
std::string figure_name(const std::string& name, std::size_t e, std::size_t exits) {
  return exits == 1 ? name : concat(name, "_", e + 1);
}

double fraction_right(const ExitScores& scores, const std::vector<std::int64_t>& labels) {
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += scores.labels[i] == labels[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

std::map<std::string, double> exit_figures(const std::vector<ExitScores>& scores, const Recipe& recipe,
                                           const std::vector<std::int64_t>& labels) {
  const ExitOutcome outcome = exit_outcome(scores, recipe, labels);
  std::map<std::string, double> out{{"accuracy", outcome.accuracy},
                                    {"final_accuracy", fraction_right(scores.back(), labels)}};
  const std::size_t exits = outcome.thresholds.size();
  for (std::size_t e = 0; e < exits; ++e) {
    out[figure_name("threshold", e, exits)] = outcome.thresholds[e];
    out[figure_name("exit_rate", e, exits)] = outcome.exit_rates[e];
    out[figure_name("early_accuracy", e, exits)] = fraction_right(scores[e], labels);
  }
  return out;
}

ConversionTargets targets_for(Network& classifier, double threshold, const StageData& data,
                              const Recipe& recipe, std::uint64_t seed) {
  const Tensor images = data::gather(data.training.images, data.training.split.train);
  const Tensor labels = data::gather(data.training.labels, data.training.split.train);
  return {images,
          label_hardness(score_exits(classifier, images, data.normalisation).front(),
                         labels.to_vector<std::int64_t>(), threshold, data.task.classes),
          recipe.target, recipe.output, seed};
}

}  // namespace

StageData::StageData(const data::Dataset& from, const Recipe& recipe, std::uint64_t seed)
    : training{from.train.images, from.train.labels,
               training_split(from.train.labels, recipe.validation_fraction, seed)},
      validation_images(data::gather(from.train.images, training.split.validation)),
      validation_labels(data::gather(from.train.labels, training.split.validation)),
      validation_truth(validation_labels.to_vector<std::int64_t>()),
      normalisation(recipe.normalisation),
      task{from.train.image_shape(), static_cast<std::int64_t>(from.classes.size())} {
  const auto known = data::known_dataset(from.name);
  dataset = known ? data::to_string(*known) : from.name;
  if (recipe.measure_normalisation) {
    const data::Statistics measured = data::measure(data::gather(training.images, training.split.train));
    normalisation = {measured.mean, measured.deviation};
  }
  check(normalisation, task.input);
}

data::SplitIndices training_split(const Tensor& labels, double validation_fraction, std::uint64_t seed) {
  return data::stratified_split_fraction(labels, validation_fraction, derive_seed(seed, SeedUse::split));
}

Stage classifier_stage(const std::string& name, Network& network, const TrainRecipe& part,
                       const Recipe& recipe, const StageData& data) {
  Stage stage{name, &network, part, {}, {}, data.normalisation};
  stage.step = [&, distillation = part.distillation](const data::Batch& batch, std::int64_t) {
    return classification_step(network, batch, recipe.early_loss_weight, recipe.final_loss_weight,
                               distillation);
  };
  stage.validate = [&]() -> std::map<std::string, double> {
    if (network.exit_count() > 1)
      return exit_figures(score_exits(network, data.validation_images, data.normalisation), recipe,
                          data.validation_truth);
    return {{"accuracy",
             accuracy_of(network, data.validation_images, data.validation_labels, data.normalisation)}};
  };
  return stage;
}

std::vector<double> thresholds_of(const std::map<std::string, double>& figures, std::size_t exits) {
  std::vector<double> out;
  for (std::size_t e = 0; e < exits; ++e) out.push_back(figures.at(figure_name("threshold", e, exits)));
  return out;
}

ConversionStage::ConversionStage(Network& classifier, double threshold, const StageData& data,
                                 const Recipe& recipe, Seeds seeds)
    : classifier_(classifier),
      data_(data),
      recipe_(recipe),
      targets_(targets_for(classifier, threshold, data, recipe, seeds.targets)),
      autoencoder_(autoencoder_spec(data.dataset, recipe.output, data.task.input), seeds.weights),
      stage_{"autoencoder", &autoencoder_, recipe.autoencoder, {}, {}, data.normalisation} {
  stage_.step = [this](const data::Batch& batch, std::int64_t epoch) {
    const Tensor rows = targets_.rows(batch.labels, batch.indices, epoch);
    return StepResult{conversion_loss(autoencoder_, autoencoder_.input(batch.pixels),
                                      autoencoder_.input(rows).value(), recipe_, targets_.rescale()),
                      {}};
  };
  stage_.validate = [this] {
    return std::map<std::string, double>{
        {"cbnet_accuracy", cbnet_accuracy()},
        {"classifier_accuracy",
         accuracy_of(classifier_, data_.validation_images, data_.validation_labels, data_.normalisation)}};
  };
}

double ConversionStage::cbnet_accuracy() {
  const NoGrad no_grad;
  constexpr std::int64_t kBatch = 500;
  std::int64_t correct = 0;
  const std::int64_t count = data_.validation_images.size(0);
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, count);
    const Tensor pixels =
        normalised(data::to_float(data_.validation_images.slice(0, begin, end)), data_.normalisation);
    const Variable converted =
        classifier_.input(normalised(convert(autoencoder_, pixels, targets_.rescale()), data_.normalisation));
    correct +=
        count_correct(classifier_.forward(converted).value(), data_.validation_labels.slice(0, begin, end));
  }
  return static_cast<double>(correct) / static_cast<double>(count);
}

}  // namespace cbnet
