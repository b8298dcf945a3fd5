#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tensor/tensor.h"

namespace cbnet::data {

inline constexpr std::int64_t kMaxImageSide = 4096;

/// A PNG or PGM (P2, P5) file, a pipe, or the standard input for "-", by content, as u8 (H,W).
///
/// Samples are taken as they are, scaled from the largest value of their bits (or of a PGM file, its maxval)
/// to 255: what a PNG file says of gamma and colour spaces changes nothing. Colour becomes luma (ITU-R
/// BT.601). Where a PNG file is transparent in parts and all that can be seen has one colour, alpha is the
/// drawing: no ink is 0, full ink 255, whatever its colour. Any other transparency is laid on black, in
/// proportion. InputError: neither format, damaged, truncated, or a side over 4,096.
Tensor read_image(const std::filesystem::path& path);

/// PNG from u8 (H,W), grey, or u8 (H,W,3), RGB; whole or not at all.
/// Throws std::invalid_argument on any other tensor, std::runtime_error when the disk fails.
void write_png(const std::filesystem::path& path, const Tensor& image);

/// One image to classify, u8 (28,28): a PNG or PGM file, or "<IDX file>#<index>".
/// InputError as read_image and read_idx_item, and when the image has another size.
Tensor read_image_28(const std::string& path);

}  // namespace cbnet::data
