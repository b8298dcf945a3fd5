#pragma once

#include <cstdint>
#include <vector>

#include "data/augment.h"
#include "tensor/tensor.h"

namespace cbnet::data {

struct Batch {
  Tensor pixels;                      ///< f32 (B,C,H,W), in [0,1]
  Tensor labels;                      ///< i64 (B)
  std::vector<std::int64_t> indices;  ///< of the samples in the whole set
  /// f32 (B, classes), where training sets them: each class's share of a mixed image, and what a teacher's
  /// probabilities are.
  Tensor shares = {}, teacher = {};
};

struct BatchOptions {
  std::int64_t batch_size = 64;
  std::uint64_t seed = 0;
  bool shuffle = true;
  /// Leaves out a last batch that is smaller than the others.
  bool drop_last = false;
  Augmentation augmentation{};
};

/// Returns 0..count-1 in the order of an epoch: a function of its arguments alone, so that a run resumed at
/// any epoch sees the samples in the order it would have seen them.
std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch);

/// Makes u8 (N,C,H,W) f32 of the same shape, divided by 255.
Tensor to_float(const Tensor& images);
/// Takes the samples in `indices`, in that order.
Tensor to_float(const Tensor& images, const std::vector<std::int64_t>& indices);

/// These are the batches of a set, or of a part of it, epoch by epoch.
///
///   for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
///     batches.set_epoch(epoch);
///     for (std::int64_t i = 0; i < batches.size(); ++i) step(batches.batch(i));
///   }
class Batches {
 public:
  /// `images` u8 (N,C,H,W), `labels` u8 or i64 (N), `indices` the samples to use (each within N).
  /// Throws std::invalid_argument when these do not fit together or the batch size is not positive.
  Batches(Tensor images, Tensor labels, std::vector<std::int64_t> indices, const BatchOptions& options);
  /// Takes all samples.
  Batches(const Tensor& images, const Tensor& labels, const BatchOptions& options);

  /// Returns batches per epoch, and samples per epoch.
  std::int64_t size() const;
  std::int64_t num_samples() const;

  /// Decides the order (when shuffled) and the augmentation. 0 at the start.
  void set_epoch(std::int64_t epoch);
  std::int64_t epoch() const { return epoch_; }
  const Augmentation& augmentation() const { return options_.augmentation; }

  /// Returns batch 0 <= i < size() of the current epoch.
  Batch batch(std::int64_t i) const;
  /// Returns that batch without its pixels, which a GPU that trains has already.
  Batch labels_of(std::int64_t i) const;

 private:
  Tensor images_, labels_;
  std::vector<std::int64_t> indices_, order_;
  BatchOptions options_;
  std::int64_t epoch_ = 0;
};

}  // namespace cbnet::data
