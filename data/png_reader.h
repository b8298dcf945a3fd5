#pragma once

#include <string>

#include "tensor/tensor.h"

namespace cbnet::data {

/// Decodes a PNG file's bytes as u8 (C,H,W), by the rules that read_image states: grey, RGB, or for 0
/// channels what the file is. `path` is for messages. InputError: damaged, truncated, or a side over
/// kMaxImageSide.
Tensor decode_png(const std::string& bytes, const std::string& path, std::int64_t channels);

/// Throws InputError unless both sides are 1 to kMaxImageSide.
void check_image_size(const std::string& path, std::uint64_t height, std::uint64_t width);

}  // namespace cbnet::data
