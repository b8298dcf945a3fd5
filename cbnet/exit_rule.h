#pragma once

#include <cstdint>
#include <vector>

#include "models/network.h"
#include "models/normalisation.h"

namespace cbnet {

/// These are one exit's answers to every image of a set.
struct ExitScores {
  std::vector<double> entropy;  // of its softmax, in nats: 0 … ln(classes)
  std::vector<std::int64_t> labels;
};

/// Runs all exits over u8 images (N, C, H, W), in eval mode, in batches: side exits first, the trunk's end
/// last.
std::vector<ExitScores> score_exits(Network& network, const Tensor& images,
                                    const Normalisation& normalisation = {});

/// The exit rule does this to a set: a sample leaves at the first side exit whose entropy is below its
/// threshold (strict, natural logarithm; BranchyNet, Teerapittayanon et al. 2016, and the paper II-B).
struct ExitOutcome {
  std::vector<double> thresholds;  // one a side exit
  std::vector<double> exit_rates;  // fraction that leaves at exit 0, 1, …; the trunk's end last
  double accuracy = 0.0;           // of the whole, each sample judged where it left
};

/// `scores` are those of all exits, as score_exits gives them.
ExitOutcome apply_thresholds(const std::vector<ExitScores>& scores, const std::vector<std::int64_t>& labels,
                             const std::vector<double>& thresholds);

/// One side exit gets the highest exit rate whose accuracy is within `margin` (a fraction: 0.001 is 0.1
/// point) of the best that any threshold reaches. With several, each takes an equal part of the margin and is
/// chosen so, the last one first, given what becomes of the images that pass it. Meant for validation scores.
ExitOutcome choose_thresholds(const std::vector<ExitScores>& scores, const std::vector<std::int64_t>& labels,
                              double margin);

/// Returns one threshold for each of `exits` side exits: as many as are given, or one for all. Throws
/// std::invalid_argument for another number, and for one that is negative or not finite.
std::vector<double> thresholds_for(const std::vector<double>& given, std::size_t exits);

}  // namespace cbnet
