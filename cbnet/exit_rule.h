#pragma once

#include <cstdint>
#include <vector>

#include "models/network.h"
#include "models/normalisation.h"

namespace cbnet {

/// What both exits of a network with one side exit say about every image of a set.
struct ExitScores {
  std::vector<double> entropy;  // of the early exit's softmax, in nats: 0 … ln 10
  std::vector<std::int64_t> early_label;
  std::vector<std::int64_t> final_label;
};

/// Runs both exits over u8 images (N, 28, 28), in eval mode, in batches.
ExitScores score_exits(Network& network, const Tensor& images, const Normalisation& normalisation = {});

/// What the exit rule does to a set: a sample leaves early if and only if its entropy is below the
/// threshold (strict, natural logarithm; BranchyNet, Teerapittayanon et al. 2016, and the paper II-B).
struct ExitOutcome {
  double threshold = 0.0;
  double exit_rate = 0.0;  // share that leaves early
  double accuracy = 0.0;   // of the whole, each sample judged where it left
};

ExitOutcome apply_threshold(const ExitScores& scores, const std::vector<std::int64_t>& labels,
                            double threshold);

/// The highest exit rate whose accuracy is within `margin` (a fraction: 0.001 is 0.1 point) of the best that
/// any threshold reaches. Meant for validation scores.
ExitOutcome choose_threshold(const ExitScores& scores, const std::vector<std::int64_t>& labels,
                             double margin);

}  // namespace cbnet
