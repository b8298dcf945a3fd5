#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet::data {

/// A tile is an image, u8 (C,H,W), grey or colour, and the words below it; '\n' starts another line. An
/// undefined image leaves a gap.
struct Tile {
  Tensor image;
  std::string caption;
};

/// Makes rows of tiles on white paper, u8 (C,H,W), for write_png, in colour where an image is: images
/// enlarged `scale` times, captions below them, and a title above each row ("" or a shorter list for none).
/// Columns are as wide as their widest image or caption. Throws std::invalid_argument without a tile, on an
/// image that is neither u8 (1,H,W) nor (3,H,W), unless 1 <= scale <= 64, and when the sheet would be larger
/// than 16,384 pixels along a side.
Tensor compose_sheet(const std::vector<std::vector<Tile>>& rows,
                     const std::vector<std::string>& row_titles = {}, std::int64_t scale = 4);

}  // namespace cbnet::data
