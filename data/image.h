#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tensor/tensor.h"

namespace cbnet::data {

inline constexpr std::int64_t kMaxImageSide = 4096;

/// A PNG or PGM (P2, P5) file, by content, as u8 (H,W). Colour becomes luma (ITU-R BT.601), transparency
/// is laid on black, 16 bits become 8, and PGM is scaled from its maxval to 255.
/// InputError: neither format, damaged, truncated, or a side over 4,096.
Tensor read_image(const std::filesystem::path& path);

/// PNG from u8 (H,W), grey, or u8 (H,W,3), RGB; whole or not at all.
/// Throws std::invalid_argument on any other tensor, std::runtime_error when the disk fails.
void write_png(const std::filesystem::path& path, const Tensor& image);

/// One image to classify, u8 (28,28): a PNG or PGM file, or "<IDX file>#<index>".
/// InputError as read_image and read_idx_item, and when the image has another size.
Tensor read_image_28(const std::string& path);

}  // namespace cbnet::data
