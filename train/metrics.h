#pragma once

#include <cstdint>
#include <vector>

#include "data/batches.h"
#include "models/network.h"
#include "models/normalisation.h"

namespace cbnet {

/// Returns the column of each row's largest element, the first one among equals; -1 for a row without an
/// answer: one that holds NaN or +inf, or nothing but -inf. scores (N, C), f32 or f64.
std::vector<std::int64_t> argmax_rows(const Tensor& scores);

/// Returns how many rows have their largest element in the column that `labels` (i64 (N)) names.
std::int64_t count_correct(const Tensor& scores, const Tensor& labels);

/// Returns the fraction of u8 images (N, C, H, W), N > 0, in whose row the trunk's largest output is that of
/// the label (N). Sets eval mode.
double accuracy_of(Network& network, const Tensor& images, const Tensor& labels,
                   const Normalisation& normalisation);

/// A training step gives this.
struct StepResult {
  Variable loss;  // scalar, mean over the batch
  Tensor scores;  // (N, classes); undefined where the network does not classify
};

/// Returns the loss of a classifier: cross-entropy, with side exits the weighted sum of all exits' (what the
/// paper minimises for BranchyNet); `side_weight` is each side exit's. `scores` are those of the trunk's end.
StepResult classification_step(Network& network, const data::Batch& batch, double side_weight = 1.0,
                               double final_weight = 1.0);

}  // namespace cbnet
