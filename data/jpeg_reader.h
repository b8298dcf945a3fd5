#pragma once

#include <string>

#include "tensor/tensor.h"

namespace cbnet::data {

/// Decodes a JPEG file's bytes as u8 (1,H,W) or (3,H,W), as the file has it. `path` is for messages.
/// Throws InputError for what is damaged, truncated, in four colours, or a side over kMaxImageSide.
Tensor decode_jpeg(const std::string& bytes, const std::string& path);

}  // namespace cbnet::data
