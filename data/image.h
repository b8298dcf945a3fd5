#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tensor/tensor.h"

namespace cbnet::data {

inline constexpr std::int64_t kMaxImageSide = 4096;

/// Says how pictures are to be made; the default takes them as they are.
struct PictureOptions {
  /// Each picture is stretched to this size (picture.h, resized); 0 keeps its own.
  std::int64_t height = 0, width = 0;
  /// Pictures become grey with 1, colour with 3 (picture.h, with_channels); 0 keeps the file's own.
  std::int64_t channels = 0;
};

/// Reads a PNG, JPEG, PGM (P2, P5) or PPM (P3, P6) file, a pipe, or the standard input for "-", by content,
/// as u8 (C,H,W): grey for 1 channel, RGB for 3, and for 0 what the file is.
///
/// Samples are taken as they are, scaled from the largest value of their bits (or of a PGM or PPM file, its
/// maxval) to 255: what a file says of gamma, colour spaces and orientation changes nothing. Colour becomes
/// grey as luma (ITU-R BT.601). Where a PNG file is transparent in parts and all that can be seen has one
/// colour, alpha is the drawing: no ink is 0, full ink 255, whatever its colour. Any other transparency is
/// laid on black, in proportion. InputError: none of these formats, damaged, truncated, or a side over 4,096.
Tensor read_image(const std::filesystem::path& path, std::int64_t channels = 1);

/// Writes u8 (C,H,W), grey or RGB, as PNG, whole or not at all.
/// Throws std::invalid_argument on any other tensor, std::runtime_error when the disk fails.
void write_png(const std::filesystem::path& path, const Tensor& image);

/// Reads one picture to classify, as `input` (C,H,W) has it: an image file, or "<IDX file>#<index>". One of
/// another size is stretched where `resize`, else refused. InputError as read_image and read_idx_item.
Tensor read_picture(const std::string& path, const Shape& input, bool resize);

}  // namespace cbnet::data
