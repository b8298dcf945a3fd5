#include "cbnet/exit_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops/softmax_entropy.h"
#include "autograd/tape.h"
#include "data/batches.h"
#include "train/metrics.h"

namespace cbnet {
namespace {

using Labels = std::vector<std::int64_t>;

void require_match(const std::vector<ExitScores>& scores, const Labels& labels) {
  require(!scores.empty() && !labels.empty(), "exit_rule", "expected scores of every exit, and images");
  for (const ExitScores& exit : scores) {
    require(exit.labels.size() == labels.size(), "exit_rule",
            "scores and labels must match and not be empty; got ", exit.labels.size(), " and ",
            labels.size());
  }
}

/// This is a side exit, and what becomes of each image that passes it.
class Choice {
 public:
  Choice(const ExitScores& exit, const Labels& later, const Labels& labels)
      : exit_(exit), correct_(1, 0), images_(labels.size()) {
    // A threshold lets out a prefix of the samples sorted by entropy; every prefix is one sum away.
    // NaN is below no threshold: those images always go on.
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (!std::isnan(exit.entropy[i])) order_.push_back(i);
      correct_[0] += later[i] == labels[i] ? 1 : 0;
    }
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return exit.entropy[a] < exit.entropy[b]; });
    for (const std::size_t i : order_) {
      correct_.push_back(correct_.back() + (exit.labels[i] == labels[i] ? 1 : 0) -
                         (later[i] == labels[i] ? 1 : 0));
    }
  }

  double threshold(double margin) const {
    std::int64_t best = 0;
    for (std::size_t count = 0; count <= order_.size(); ++count) {
      if (reachable(count)) best = std::max(best, correct_[count]);
    }
    const double floor = static_cast<double>(best) - margin * static_cast<double>(images_);
    std::size_t chosen = order_.size();
    while (chosen > 0 && (!reachable(chosen) || static_cast<double>(correct_[chosen]) < floor)) --chosen;
    return chosen == 0
               ? 0.0
               : std::nextafter(exit_.entropy[order_[chosen - 1]], std::numeric_limits<double>::infinity());
  }

 private:
  /// Equal entropies leave together: a prefix may only end where the next entropy is larger.
  bool reachable(std::size_t count) const {
    return count == 0 || count == order_.size() ||
           exit_.entropy[order_[count]] > exit_.entropy[order_[count - 1]];
  }

  const ExitScores& exit_;
  std::vector<std::size_t> order_;
  std::vector<std::int64_t> correct_;  // images that are right when the first 0, 1, … of the order leave
  std::size_t images_;
};

}  // namespace

std::vector<ExitScores> score_exits(Network& network, const Tensor& images,
                                    const Normalisation& normalisation) {
  const NoGrad no_grad;
  network.eval();
  std::vector<ExitScores> scores(network.exit_count());
  constexpr std::int64_t kBatch = 500;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBatch) {
    const Tensor part = images.slice(0, begin, std::min(begin + kBatch, images.size(0)));
    const std::vector<Variable> logits =
        network.forward_exits(network.input(normalised(data::to_float(part), normalisation)));
    for (std::size_t e = 0; e < scores.size(); ++e) {
      const auto entropy = softmax_entropy(logits[e]).value().to_vector<double>();
      const auto labels = argmax_rows(logits[e].value());
      scores[e].entropy.insert(scores[e].entropy.end(), entropy.begin(), entropy.end());
      scores[e].labels.insert(scores[e].labels.end(), labels.begin(), labels.end());
    }
  }
  return scores;
}

ExitOutcome apply_thresholds(const std::vector<ExitScores>& scores, const Labels& labels,
                             const std::vector<double>& thresholds) {
  require_match(scores, labels);
  require(thresholds.size() + 1 == scores.size(), "exit_rule", "expected a threshold for each of ",
          scores.size() - 1, " side exits; got ", thresholds.size());
  ExitOutcome out{thresholds, std::vector<double>(scores.size(), 0.0), 0.0};

  std::vector<std::int64_t> left(scores.size(), 0);
  std::int64_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::size_t e = 0;
    while (e < thresholds.size() && !(scores[e].entropy[i] < thresholds[e])) ++e;
    ++left[e];
    correct += scores[e].labels[i] == labels[i] ? 1 : 0;
  }
  for (std::size_t e = 0; e < left.size(); ++e)
    out.exit_rates[e] = static_cast<double>(left[e]) / static_cast<double>(labels.size());
  out.accuracy = static_cast<double>(correct) / static_cast<double>(labels.size());
  return out;
}

ExitOutcome choose_thresholds(const std::vector<ExitScores>& scores, const Labels& labels, double margin) {
  require_match(scores, labels);
  const std::size_t exits = scores.size() - 1;
  std::vector<double> thresholds(exits);
  Labels later = scores.back().labels;
  for (std::size_t e = exits; e-- > 0;) {
    thresholds[e] = Choice(scores[e], later, labels).threshold(margin / static_cast<double>(exits));
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (scores[e].entropy[i] < thresholds[e]) later[i] = scores[e].labels[i];
  }
  return apply_thresholds(scores, labels, thresholds);
}

std::vector<double> thresholds_for(const std::vector<double>& given, std::size_t exits) {
  for (const double threshold : given) {
    require(std::isfinite(threshold) && threshold >= 0, "threshold", "must be finite and not negative; got ",
            threshold);
  }
  if (given.size() == 1) return std::vector<double>(exits, given.front());
  require(given.size() == exits, "threshold", "expected one, or one for each of ", exits,
          exits == 1 ? " side exit" : " side exits", "; got ", given.size());
  return given;
}

}  // namespace cbnet
