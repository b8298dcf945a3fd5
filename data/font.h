#pragma once

#include <cstdint>
#include <string_view>

#include "tensor/tensor.h"

namespace cbnet::data {

/// A character's cell is this large in font pixels: 5x7, one row below for descenders, and the space to its
/// neighbours.
inline constexpr std::int64_t kGlyphWidth = 6;
inline constexpr std::int64_t kGlyphHeight = 10;

/// Text is drawn so.
struct TextStyle {
  std::int64_t x, y, scale;
  std::uint8_t grey;
};

/// Draws `text` on a u8 (H,W) canvas in `grey` with a built-in 5x7 font (printable ASCII; anything else is
/// a box), its top left corner at (x, y), each font pixel `scale` pixels wide; '\n' starts another line.
/// What falls outside the canvas is cut off. Throws std::invalid_argument on any other canvas.
void draw_text(Tensor& canvas, std::string_view text, const TextStyle& style);

/// Returns the pixels that draw_text covers, by the longest line and the number of lines.
std::int64_t text_width(std::string_view text, std::int64_t scale);
std::int64_t text_height(std::string_view text, std::int64_t scale);

}  // namespace cbnet::data
