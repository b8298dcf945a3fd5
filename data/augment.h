#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace cbnet::data {

/// This is light augmentation of training images; the default does nothing. They happen in the order crop,
/// flip, shift, then all that deforms.
struct Augmentation {
  /// Moves by -shift to +shift pixels along each axis; what comes in is 0.
  std::int64_t shift = 0;
  /// Mirrors left and right with probability 1/2; for clothes and photographs, never for characters.
  bool flip = false;
  /// Cuts a part of the image's own size out of the image with this many pixels more at each side, in which
  /// the border is mirrored: unlike a shift, it brings no black edge into a photograph.
  std::int64_t crop = 0;
  /// Turns about the centre by -rotation to +rotation degrees, between pixels bilinear; what comes in is 0.
  double rotation = 0.0;
  /// Stretches or shrinks each axis by a factor of its own, 1 - scale to 1 + scale.
  double scale = 0.0;
  /// Slants rows against each other by -shear to +shear degrees.
  double shear = 0.0;
  /// Moves pixels along smooth curves by up to so many pixels (data/deform.h).
  double elastic = 0.0;

  bool deforms() const { return scale > 0 || shear > 0 || elastic > 0; }
  bool any() const { return shift > 0 || flip || crop > 0 || rotation > 0 || deforms(); }
};

/// Augments f32 (B,C,H,W) on its device (deformations: on the host), all channels of a sample alike. What
/// happens to a sample depends on (seed, epoch, its index in the dataset) alone: not on threads, not on the
/// batch it is in, not on where a run was resumed. Throws std::invalid_argument when the counts differ,
/// unless 0 <= shift, crop < min(H, W), and unless the others are within the bounds that train/recipe.h has.
void augment(Tensor& pixels, std::span<const std::int64_t> indices, const Augmentation& augmentation,
             std::uint64_t seed, std::int64_t epoch);

}  // namespace cbnet::data
