#include "cbnet/converting_encoder.h"

#include <algorithm>
#include <limits>

#include "autograd/ops/matmul.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax_entropy.h"
#include "autograd/tape.h"
#include "data/batches.h"
#include "models/kinds/linear.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

/// Returns each image's entropy in nats at the trunk's end, plus 1,000 where the answer is wrong: the
/// smallest is a right one where there is one.
std::vector<double> hardness_of(Network& network, const Tensor& images,
                                const std::vector<std::int64_t>& labels, const Normalisation& normalisation) {
  const NoGrad no_grad;
  constexpr std::int64_t kBatch = 500;
  const bool was_training = network.training();
  network.eval();
  std::vector<double> out;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, images.size(0));
    const Variable logits = network.forward(
        network.input(normalised(data::to_float(images.slice(0, begin, end)), normalisation)));
    const std::vector<std::int64_t> answers = argmax_rows(logits.value());
    const std::vector<float> entropy = softmax_entropy(logits).value().to_vector<float>();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const bool right = answers[i] == labels[static_cast<std::size_t>(begin) + i];
      out.push_back(static_cast<double>(entropy[i]) + (right ? 0.0 : 1000.0));
    }
  }
  if (was_training) network.train();
  return out;
}

}  // namespace

NetworkSpec with_decoder(const NetworkSpec& classifier) {
  const auto last = static_cast<std::int64_t>(classifier.trunk.size()) - 1;
  require(classifier.exits.empty() && last > 0 && classifier.trunk.back().is<kinds::Linear>() &&
              trunk_shape(classifier, last).size() == 1,
          "converting encoder", "'", classifier.name,
          "' must end in a linear layer on a code, and have no side exits");
  NetworkSpec out = classifier;
  out.exits = {{last, {kinds::Linear{.out = numel(classifier.input)}}}};
  return out;
}

std::unique_ptr<Network> without_decoder(const Network& network, const NetworkSpec& classifier) {
  auto out = std::make_unique<Network>(classifier);
  StateDict trunk;
  for (const auto& [name, tensor] : network.state_dict())
    if (name.starts_with("trunk.")) trunk.emplace_back(name, tensor);
  out->load_state_dict(trunk);
  out->eval();
  return out;
}

EncoderStage::EncoderStage(const std::string& name, Network& network, const TrainRecipe& part,
                           const Recipe& recipe, const StageData& data, std::uint64_t seed)
    : network_(network),
      recipe_(recipe),
      data_(data),
      seed_(seed),
      images_(data::gather(data.training.images, data.training.split.train)),
      labels_(data::gather(data.training.labels, data.training.split.train).to_vector<std::int64_t>()),
      stage_{name, &network, part, {}, {}, data.normalisation} {
  stage_.step = [this](const data::Batch& batch, std::int64_t epoch) { return step(batch, epoch); };
  stage_.validate = [this]() -> std::map<std::string, double> {
    return {{"accuracy",
             accuracy_of(network_, data_.validation_images, data_.validation_labels, data_.normalisation)}};
  };
}

std::vector<std::int64_t> EncoderStage::choose_targets() {
  const auto classes = static_cast<std::size_t>(data_.task.classes);
  std::vector<std::int64_t> out(classes, -1);
  Rng rng(seed_);
  if (recipe_.encoder_target == EncoderTarget::random_images) {
    for (std::int64_t& image : out) image = rng.below(images_.size(0));
    return out;
  }
  const std::vector<double> hardness = hardness_of(network_, images_, labels_, data_.normalisation);
  std::vector<double> lowest(classes, std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels_[i]);
    if (!(hardness[i] < lowest.at(label))) continue;
    lowest[label] = hardness[i];
    out[label] = static_cast<std::int64_t>(i);
  }
  // No class keeps its own prototype.
  if (recipe_.encoder_target == EncoderTarget::permuted)
    std::rotate(out.begin(), out.begin() + 1 + rng.below(static_cast<std::int64_t>(classes) - 1), out.end());
  return out;
}

StepResult EncoderStage::step(const data::Batch& batch, std::int64_t epoch) {
  if (epoch != epoch_) {
    std::vector<std::int64_t> chosen = choose_targets();
    std::replace(chosen.begin(), chosen.end(), std::int64_t{-1}, std::int64_t{0});  // of no image
    target_rows_ = data::to_float(images_, chosen).view({data_.task.classes, -1});
    epoch_ = epoch;
  }
  const std::vector<Variable> exits = network_.forward_exits(network_.input(batch.pixels));
  const Tensor rows = data::gather(target_rows_, batch.labels.to_vector<std::int64_t>());
  const Variable conversion = mse_loss(exits.front(), network_.input(rows));
  return {
      exit_loss(exits.back(), batch, stage_.recipe.distillation) + scale(conversion, recipe_.encoder_weight),
      exits.back().value()};
}

LinearWeights fold_nearest_prototype(const LinearWeights& decoder, const Tensor& prototypes) {
  const NoGrad no_grad;
  const std::int64_t classes = prototypes.size(0), pixels = prototypes.size(1);
  const Tensor weight = matmul(Variable(prototypes), Variable(decoder.weight)).value();
  Tensor bias = Tensor::empty({classes});
  const auto* p = prototypes.data<float>();
  const auto* b = decoder.bias.data<float>();
  for (std::int64_t c = 0; c < classes; ++c, p += pixels) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < pixels; ++i) sum += static_cast<double>(p[i]) * (b[i] - 0.5 * p[i]);
    bias.data<float>()[c] = static_cast<float>(sum);
  }
  return {weight, bias};
}

}  // namespace cbnet
