#pragma once

#include <cstdint>
#include <filesystem>

#include "tensor/tensor.h"

namespace cbnet::data {

// This reads IDX, the format of MNIST (http://yann.lecun.com/exdb/mnist/): two zero bytes, a type byte (08:
// unsigned bytes, the only one these datasets use), the number of dimensions, their sizes as big-endian
// 32-bit integers, then the elements in row-major order. Plain or gzip, decided by content.

/// Returns u8 (N), (N,H,W) or any other rank from 1 to 4.
/// Throws InputError for what is not IDX, another element type, an empty or impossible size, too few or too
/// many bytes. The promised size is checked against the file's size before memory is taken.
Tensor read_idx(const std::filesystem::path& path);

/// Reads one item of an IDX file: u8 of the shape without N, e.g. (H,W); a label comes as (1).
/// Reads no further than the item. InputError as read_idx, and when there is no such item.
Tensor read_idx_item(const std::filesystem::path& path, std::int64_t index);

}  // namespace cbnet::data
