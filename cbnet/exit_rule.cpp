#include "cbnet/exit_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops/softmax_entropy.h"
#include "autograd/tape.h"
#include "cbnet/argmax.h"
#include "data/batches.h"

namespace cbnet {

ExitScores score_exits(Network& network, const Tensor& images, const Normalisation& normalisation) {
  require(network.exit_count() == 2, "score_exits", "expected one side exit; '", network.spec().name,
          "' has ", network.exit_count() - 1);
  const NoGrad no_grad;
  network.eval();
  ExitScores scores;
  constexpr std::int64_t kBatch = 500;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBatch) {
    const Tensor part = images.slice(0, begin, std::min(begin + kBatch, images.size(0)));
    const std::vector<Variable> logits =
        network.forward_exits(Variable(normalised(data::to_float(part), normalisation)));
    const auto entropy = softmax_entropy(logits[0]).value().to_vector<double>();
    const auto early = argmax_rows(logits[0].value());
    const auto final = argmax_rows(logits[1].value());
    scores.entropy.insert(scores.entropy.end(), entropy.begin(), entropy.end());
    scores.early_label.insert(scores.early_label.end(), early.begin(), early.end());
    scores.final_label.insert(scores.final_label.end(), final.begin(), final.end());
  }
  return scores;
}

ExitOutcome apply_threshold(const ExitScores& scores, const std::vector<std::int64_t>& labels,
                            double threshold) {
  require(scores.entropy.size() == labels.size() && !labels.empty(), "exit_rule",
          "scores and labels must match and not be empty; got ", scores.entropy.size(), " and ",
          labels.size());
  std::int64_t early = 0;
  std::int64_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool leaves = scores.entropy[i] < threshold;
    early += leaves ? 1 : 0;
    correct += (leaves ? scores.early_label[i] : scores.final_label[i]) == labels[i] ? 1 : 0;
  }
  const auto count = static_cast<double>(labels.size());
  return {threshold, static_cast<double>(early) / count, static_cast<double>(correct) / count};
}

ExitOutcome choose_threshold(const ExitScores& scores, const std::vector<std::int64_t>& labels,
                             double margin) {
  require(scores.entropy.size() == labels.size() && !labels.empty(), "exit_rule",
          "scores and labels must match and not be empty; got ", scores.entropy.size(), " and ",
          labels.size());
  // With the samples sorted by entropy, a threshold lets out a prefix; every prefix is one sum away.
  // What is not a number is below no threshold: those images always go on.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!std::isnan(scores.entropy[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores.entropy[a] < scores.entropy[b]; });
  std::vector<std::int64_t> correct(order.size() + 1, 0);
  for (std::size_t i = 0; i < labels.size(); ++i) correct[0] += scores.final_label[i] == labels[i] ? 1 : 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const std::size_t i = order[rank];
    correct[rank + 1] = correct[rank] + (scores.early_label[i] == labels[i] ? 1 : 0) -
                        (scores.final_label[i] == labels[i] ? 1 : 0);
  }
  // Equal entropies leave together: a prefix may only end where the next entropy is larger.
  const auto reachable = [&](std::size_t count) {
    return count == 0 || count == order.size() ||
           scores.entropy[order[count]] > scores.entropy[order[count - 1]];
  };
  std::int64_t best = 0;
  for (std::size_t count = 0; count <= order.size(); ++count) {
    if (reachable(count)) best = std::max(best, correct[count]);
  }
  const double floor = static_cast<double>(best) - margin * static_cast<double>(labels.size());
  std::size_t chosen = order.size();
  while (chosen > 0 && (!reachable(chosen) || static_cast<double>(correct[chosen]) < floor)) --chosen;
  const double threshold = chosen == 0 ? 0.0
                                       : std::nextafter(scores.entropy[order[chosen - 1]],
                                                        std::numeric_limits<double>::infinity());
  return apply_threshold(scores, labels, threshold);
}

}  // namespace cbnet
