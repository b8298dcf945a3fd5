#include "data/font.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Tensor;
using namespace cbnet::data;

namespace {

std::vector<int> drawn(const std::string& text, std::int64_t height = 10, std::int64_t width = 6) {
  Tensor canvas = Tensor::zeros({height, width}, DType::u8);
  draw_text(canvas, text, {0, 0, 1, 1});
  return canvas.to_vector<int>();
}

}  // namespace

TEST_CASE("font: wrong use") {
  Tensor canvas = Tensor::zeros({4, 4});
  CHECK_INVALID(draw_text(canvas, "x", {0, 0, 1, 1}), "[draw_text] canvas must be contiguous u8 (H,W)");
}

TEST_CASE("font: every printable character has its own glyph; the rest is a box") {
  std::set<std::vector<int>> glyphs;
  for (char c = ' '; c <= '~'; ++c) glyphs.insert(drawn(std::string(1, c)));
  CHECK(glyphs.size() == 95);
  CHECK(drawn(" ") == std::vector<int>(60, 0));
  const auto box = drawn("\x7f");
  CHECK(drawn("\xc3") == box);
  CHECK(glyphs.count(box) == 0);
}

TEST_CASE("font: an L, where it belongs and as large as asked") {
  Tensor canvas = Tensor::zeros({20, 14}, DType::u8);
  draw_text(canvas, "L", {2, 1, 2, 9});
  for (std::int64_t y = 0; y < 20; ++y) {
    for (std::int64_t x = 0; x < 14; ++x) {
      const std::int64_t row = (y + 1) / 2 - 1;  // of the glyph
      const std::int64_t column = x / 2 - 1;
      const bool ink = row >= 0 && column >= 0 && ((column == 0 && row < 7) || (row == 6 && column < 5));
      CHECK(canvas.at({y, x}) == (ink ? 9.0 : 0.0));
    }
  }
}

TEST_CASE("font: lines, sizes and the canvas's edges") {
  CHECK(text_width("", 3) == 0);
  CHECK(text_height("", 3) == 0);
  CHECK(text_width("ab\nabc", 3) == 51);
  CHECK(text_height("ab\nabc", 3) == 60);
  const auto two = drawn("a\nb", 20);
  CHECK(std::vector<int>(two.begin(), two.begin() + 60) == drawn("a"));
  CHECK(std::vector<int>(two.begin() + 60, two.end()) == drawn("b"));
  Tensor small = Tensor::zeros({3, 3}, DType::u8);
  draw_text(small, "####", {-2, -2, 3, 5});
  draw_text(small, "#", {100, 100, 3, 5});
  CHECK(small.at({0, 0}) == 0.0);
  CHECK(small.at({1, 1}) == 5.0);
}
