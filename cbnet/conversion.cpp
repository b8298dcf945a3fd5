#include "cbnet/conversion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "autograd/ops/bce_loss.h"
#include "autograd/ops/bce_with_logits.h"
#include "autograd/ops/l1_penalty.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "data/batches.h"
#include "models/kinds/sigmoid.h"

namespace cbnet {
namespace {

void divide_by_row_sums(Tensor& rows) {
  auto* row = rows.data<float>();
  for (std::int64_t i = 0; i < rows.size(0); ++i, row += rows.size(1)) {
    const float sum = std::accumulate(row, row + rows.size(1), 0.0F);
    if (sum > 0) std::transform(row, row + rows.size(1), row, [sum](float pixel) { return pixel / sum; });
  }
}

/// Throws unless each class that has images has an easy one.
void require_easy(const ExitScores& scores, const std::vector<std::int64_t>& labels, double threshold,
                  const Hardness& hardness) {
  // This is, per class without easy images, the lowest entropy of an image that the early exit is right
  // about.
  std::map<std::int64_t, double> lowest;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!hardness.pool.at(static_cast<std::size_t>(labels[i])).empty()) continue;
    double& entropy = lowest.try_emplace(labels[i], std::numeric_limits<double>::infinity()).first->second;
    if (scores.labels[i] == labels[i]) entropy = std::min(entropy, scores.entropy[i]);
  }
  if (lowest.empty()) return;
  std::string names, reasons;
  double needed = 0.0;
  for (const auto& [label, entropy] : lowest) {
    names += concat(names.empty() ? "" : ", ", label);
    reasons += concat(reasons.empty() ? "" : "; ", "class ", label, ": ");
    reasons += std::isfinite(entropy) ? concat("the surest right one has ", entropy, " nats")
                                      : "none is classified right at the early exit";
    needed = std::max(needed, entropy);
  }
  throw NoEasyImage(concat(
      "no image of class ", names, " leaves early and is classified correctly at threshold ", threshold, " (",
      reasons, "); hint: go on with --resume and more --epochs",
      std::isfinite(needed) ? concat(", or into another --out with a --threshold above ", needed) : ""));
}

}  // namespace

Hardness label_hardness(const ExitScores& scores, const std::vector<std::int64_t>& labels, double threshold,
                        std::int64_t classes) {
  require(scores.entropy.size() == labels.size(), "label_hardness", "one label per score; got ",
          labels.size(), " and ", scores.entropy.size());
  Hardness out;
  out.easy.resize(labels.size());
  out.pool.resize(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool early = scores.entropy[i] < threshold;
    out.early += early ? 1 : 0;
    out.easy[i] = early && scores.labels[i] == labels[i];
    if (out.easy[i]) out.pool.at(static_cast<std::size_t>(labels[i])).push_back(static_cast<std::int64_t>(i));
  }
  require_easy(scores, labels, threshold, out);
  for (auto& pool : out.pool) {
    std::stable_sort(pool.begin(), pool.end(), [&](std::int64_t a, std::int64_t b) {
      return scores.entropy[static_cast<std::size_t>(a)] < scores.entropy[static_cast<std::size_t>(b)];
    });
  }
  return out;
}

ConversionTargets::ConversionTargets(Tensor images, Hardness hardness, TargetPolicy policy,
                                     OutputActivation output, std::uint64_t seed)
    : images_(std::move(images)),
      hardness_(std::move(hardness)),
      policy_(policy),
      output_(output),
      seed_(seed) {
  if (output_ == OutputActivation::sigmoid) return;
  std::vector<std::int64_t> used = fixed_images();
  std::erase(used, -1);
  if (policy_ == TargetPolicy::random_easy) {
    used.clear();
    for (const auto& pool : hardness_.pool) used.insert(used.end(), pool.begin(), pool.end());
  }
  const std::vector<float> pixels = data::to_float(images_, used).to_vector<float>();
  rescale_ = std::accumulate(pixels.begin(), pixels.end(), 0.0) / static_cast<double>(used.size());
}

std::vector<std::int64_t> ConversionTargets::fixed_images() const {
  std::vector<std::int64_t> out;
  for (const auto& pool : hardness_.pool) out.push_back(pool.empty() ? -1 : pool.front());
  return out;
}

std::int64_t ConversionTargets::choose(std::int64_t label, std::int64_t sample, std::int64_t epoch) const {
  const auto& pool = hardness_.pool.at(static_cast<std::size_t>(label));
  if (policy_ == TargetPolicy::fixed_image) return pool.front();
  constexpr std::uint64_t kTargetStream = 0x7a;
  Rng rng(seed_ ^ static_cast<std::uint64_t>(sample) * 0x9E3779B97F4A7C15U,
          kTargetStream + (static_cast<std::uint64_t>(epoch) << 8));
  return pool[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(pool.size())))];
}

Tensor ConversionTargets::rows(const Tensor& labels, const std::vector<std::int64_t>& samples,
                               std::int64_t epoch) const {
  const std::vector<std::int64_t> classes = labels.to_vector<std::int64_t>();
  std::vector<std::int64_t> chosen(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) chosen[i] = choose(classes.at(i), samples[i], epoch);
  Tensor out = data::to_float(images_, chosen).view({static_cast<std::int64_t>(samples.size()), -1});
  if (output_ == OutputActivation::softmax) divide_by_row_sums(out);
  return out;
}

Variable conversion_loss(Network& autoencoder, const Variable& pixels, const Tensor& target_rows,
                         const Recipe& recipe, double rescale) {
  const std::vector<std::int64_t> hidden = autoencoder_hidden_layers(autoencoder.spec());
  const std::size_t first_penalised = recipe.activity_scope == ActivityScope::code ? hidden.size() - 1 : 0;
  Variable penalty;
  Variable at = pixels;
  std::int64_t done = 0;
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    at = autoencoder.forward_trunk(at, done, hidden[i] + 1);
    done = hidden[i] + 1;
    if (recipe.activity_l1 == 0 || i < first_penalised) continue;
    const Variable one = l1_penalty(at, recipe.activity_l1);
    penalty = penalty.defined() ? penalty + one : one;
  }
  const auto& trunk = autoencoder.spec().trunk;
  const bool bce = recipe.reconstruction == ReconstructionLoss::bce;
  const bool of_logits = bce && trunk.back().is<kinds::Sigmoid>();
  const Variable output =
      autoencoder.forward_trunk(at, done, static_cast<std::int64_t>(trunk.size()) - (of_logits ? 1 : 0));
  const Variable target(target_rows);
  Variable loss;
  if (of_logits) {  // a pixel whose sigmoid is saturated on the wrong side still learns
    loss = bce_with_logits(output, target);
  } else if (bce) {
    loss = bce_loss(output, target);
  } else if (rescale == 1.0) {
    loss = mse_loss(output, target);
  } else {
    loss = mse_loss(scale(output, rescale), scale(target, rescale));
  }
  return penalty.defined() ? loss + penalty : loss;
}

Tensor convert(Network& autoencoder, const Tensor& pixels, double rescale) {
  const NoGrad no_grad;
  Variable out = autoencoder.forward(autoencoder.input(pixels));
  require(out.value().numel() == pixels.numel(), "convert",
          "the autoencoder must give back as many pixels as it got; got ", describe(pixels), " and ",
          describe(out.value()));
  if (rescale != 1.0) out = clamp_max(scale(out, rescale), 1.0);
  return out.value().to(pixels.device()).view(pixels.shape());
}

}  // namespace cbnet
