#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace cbnet::data {

/// Light augmentation of training images; the default does nothing.
struct Augmentation {
  /// Moves by -shift to +shift pixels along each axis; what comes in is 0.
  std::int64_t shift = 0;
  /// Mirrors left and right with probability 1/2; for Fashion-MNIST, never for characters.
  bool flip = false;

  bool any() const { return shift > 0 || flip; }
};

/// Augments f32 (B,1,H,W) in place. What happens to a sample depends on (seed, epoch, its index in the
/// dataset) alone: not on threads, not on the batch it is in, not on where a run was resumed.
/// Throws std::invalid_argument when the counts differ or 0 <= shift < min(H, W) does not hold.
void augment(Tensor& pixels, std::span<const std::int64_t> indices, const Augmentation& augmentation,
             std::uint64_t seed, std::int64_t epoch);

}  // namespace cbnet::data
