#include "train/metrics.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/log_softmax.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/sum.h"
#include "autograd/tape.h"

namespace cbnet {

std::vector<std::int64_t> argmax_rows(const Tensor& scores) {
  require(scores.rank() == 2 && scores.size(1) > 0, "argmax_rows", "expected (N, C); got ", describe(scores));
  const Tensor dense = scores.to(Device::cpu).contiguous();
  std::vector<std::int64_t> out(static_cast<std::size_t>(dense.size(0)));
  dispatch_floating(dense.dtype(), "argmax_rows", [&](auto zero) {
    const auto* row = dense.data<decltype(zero)>();
    for (std::int64_t& column : out) {
      const auto* const end = row + dense.size(1);
      const auto* const largest = std::max_element(row, end);
      const bool answers =
          std::isfinite(*largest) && std::none_of(row, end, [](auto score) { return std::isnan(score); });
      column = answers ? largest - row : -1;
      row = end;
    }
  });
  return out;
}

std::int64_t count_correct(const Tensor& scores, const Tensor& labels) {
  const std::vector<std::int64_t> predicted = argmax_rows(scores);
  const std::vector<std::int64_t> wanted = labels.to_vector<std::int64_t>();
  require(predicted.size() == wanted.size(), "count_correct", "one label per row; got ", predicted.size(),
          " rows and ", wanted.size(), " labels");
  std::int64_t correct = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) correct += predicted[i] == wanted[i] ? 1 : 0;
  return correct;
}

double accuracy_of(Network& network, const Tensor& images, const Tensor& labels,
                   const Normalisation& normalisation) {
  require(images.size(0) > 0, "accuracy", "expected images; got ", describe(images));
  const NoGrad no_grad;
  network.eval();
  constexpr std::int64_t kBatch = 500;
  std::int64_t correct = 0;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, images.size(0));
    const Variable pixels =
        network.input(normalised(data::to_float(images.slice(0, begin, end)), normalisation));
    correct += count_correct(network.forward(pixels).value(), labels.slice(0, begin, end));
  }
  return static_cast<double>(correct) / static_cast<double>(images.size(0));
}

Variable soft_cross_entropy(const Variable& logits, const Tensor& probabilities) {
  const auto rows = static_cast<double>(logits.value().size(0));
  return scale(sum(log_softmax(logits) * Variable(probabilities.to(logits.value().device()))), -1 / rows);
}

Variable exit_loss(const Variable& logits, const data::Batch& batch, const Distillation& distillation) {
  const Variable truth =
      batch.shares.defined() ? soft_cross_entropy(logits, batch.shares) : cross_entropy(logits, batch.labels);
  if (!batch.teacher.defined()) return truth;
  const double t = distillation.temperature, weight = distillation.weight;
  return scale(truth, 1 - weight) +
         scale(soft_cross_entropy(scale(logits, 1 / t), batch.teacher), weight * t * t);
}

StepResult classification_step(Network& network, const data::Batch& batch, double side_weight,
                               double final_weight, const Distillation& distillation) {
  const Variable pixels = network.input(batch.pixels);
  if (network.exit_count() == 1) {
    const Variable logits = network.forward(pixels);
    return {exit_loss(logits, batch, distillation), logits.value()};
  }
  const std::vector<Variable> logits = network.forward_exits(pixels);
  Variable loss;
  for (std::size_t e = 0; e < logits.size(); ++e) {
    const bool final = e + 1 == logits.size();
    const Variable part =
        scale(exit_loss(logits[e], batch, distillation), final ? final_weight : side_weight);
    loss = e == 0 ? part : loss + part;
  }
  return {loss, logits.back().value()};
}

}  // namespace cbnet
