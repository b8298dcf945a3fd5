#pragma once

#include <cstdint>
#include <vector>

#include "data/batches.h"
#include "models/network.h"
#include "models/normalisation.h"
#include "train/recipe.h"

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

/// Returns the mean over N of -sum_c p[n,c] ln softmax(logits)[n,c], a scalar: the cross-entropy with
/// probabilities p f32 (N, C) in place of labels.
Variable soft_cross_entropy(const Variable& logits, const Tensor& probabilities);

/// Returns the loss of one exit: the cross-entropy with the batch's labels, or shares of mixed images; where
/// it has a teacher's probabilities (1 - weight) of that, plus weight T^2 times the cross-entropy of
/// softmax(logits / T) with them (Hinton et al. 2015).
Variable exit_loss(const Variable& logits, const data::Batch& batch, const Distillation& distillation);

/// Returns the loss of a classifier: that of its exit, with side exits the weighted sum of all exits' (what
/// the paper minimises for BranchyNet); `side_weight` is each side exit's. `scores` are those of the trunk's
/// end.
StepResult classification_step(Network& network, const data::Batch& batch, double side_weight = 1.0,
                               double final_weight = 1.0, const Distillation& distillation = {});

}  // namespace cbnet
