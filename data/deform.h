#pragma once

#include <cstdint>
#include <span>

#include "data/augment.h"

namespace cbnet::data {

/// Deforms f32 (B,C,H,W) on the host by the augmentation's rotation, scale, shear and elastic displacements,
/// all in one sampling between pixels, bilinear; what comes in is 0. All channels of a sample move alike, and
/// by (seed, stream) alone. Elastic displacements are cubic B-splines over control points a quarter of the
/// image apart (as U-Net's, Ronneberger et al. 2015), each moved by up to `elastic` pixels along each axis.
void deform(Tensor& pixels, std::span<const std::int64_t> streams, const Augmentation& augmentation,
            std::uint64_t seed);

}  // namespace cbnet::data
