#include "data/sheet.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "data/font.h"
#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Tensor;
using namespace cbnet::data;

namespace {

Tensor grey(std::int64_t height, std::int64_t width, int value) {
  return Tensor::full({1, height, width}, value, DType::u8);
}

}  // namespace

TEST_CASE("sheet: wrong use") {
  CHECK_INVALID(compose_sheet({}), "[compose_sheet] at least one tile is needed");
  CHECK_INVALID(compose_sheet({{}, {}}), "at least one tile is needed");
  CHECK_INVALID(compose_sheet({{{grey(2, 2, 1), ""}}}, {}, 0), "scale must be from 1 to 64; got 0");
  CHECK_INVALID(compose_sheet({{{Tensor::zeros({2, 2}), ""}}}),
                "images must be u8 (1,H,W) or (3,H,W); got f32 (2,2)");
  CHECK_INVALID(compose_sheet({{{grey(300, 2, 1), ""}}}, {}, 64),
                "the sheet must be at most 16384 pixels along a side; got 320x19392");
}

TEST_CASE("sheet: tiles stand enlarged on white paper, gaps between them") {
  const Tensor sheet =
      compose_sheet({{{grey(3, 2, 10), ""}, {grey(3, 2, 20), ""}}, {{}, {grey(3, 2, 30), ""}}}, {}, 4)
          .select(0, 0);
  CHECK(sheet.dtype() == DType::u8);
  // Columns of 8 and rows of 12, and gaps of 6 around each.
  CHECK(sheet.size(1) == 6 + 8 + 6 + 8 + 6);
  CHECK(sheet.size(0) == 6 + 12 + 6 + 12 + 6);
  for (std::int64_t y = 0; y < sheet.size(0); ++y) {
    for (std::int64_t x = 0; x < sheet.size(1); ++x) {
      const bool first_row = y >= 6 && y < 18;
      const bool second_row = y >= 24 && y < 36;
      const bool left = x >= 6 && x < 14;
      const bool right = x >= 20 && x < 28;
      const int wanted = first_row && left ? 10 : first_row && right ? 20 : second_row && right ? 30 : 255;
      CHECK(sheet.at({y, x}) == wanted);
    }
  }
}

TEST_CASE("sheet: captions below, titles above, and columns wide enough for the words") {
  const Tensor image = grey(2, 2, 200);
  const Tensor sheet = compose_sheet({{{image, "Sneaker"}, {image, "Bag\n99.9%"}}}, {"Row"}, 4).select(0, 0);
  CHECK(sheet.size(1) == 6 + text_width("Sneaker", 1) + 6 + text_width("99.9%", 1) + 6);
  CHECK(sheet.size(0) == 6 + 10 + 8 + 2 + 20 + 6);
  const auto words_at = [&](std::int64_t x, std::int64_t y, const std::string& text) {
    Tensor expected = Tensor::full({text_height(text, 1), text_width(text, 1)}, 255, DType::u8);
    draw_text(expected, text, {0, 0, 1, 0});
    const Tensor found = sheet.slice(0, y, y + expected.size(0)).slice(1, x, x + expected.size(1));
    return found.to_vector<int>() == expected.to_vector<int>();
  };
  CHECK(words_at(6, 6, "Row"));
  CHECK(words_at(6, 26, "Sneaker"));
  CHECK(words_at(6 + text_width("Sneaker", 1) + 6, 26, "Bag\n99.9%"));
  CHECK_FALSE(words_at(6, 26, "Sneakes"));
}

TEST_CASE("sheet: one picture in colour makes the sheet one; grey and words are grey in it") {
  Tensor red = Tensor::zeros({3, 1, 1}, DType::u8);
  red.select(0, 0).fill(200);
  const Tensor sheet = compose_sheet({{{red, ""}, {grey(1, 1, 90), ""}}}, {}, 1);
  CHECK(sheet.size(0) == 3);
  CHECK(sheet.slice(2, 6, 7).slice(1, 6, 7).to_vector<int>() == std::vector<int>{200, 0, 0});
  CHECK(sheet.slice(2, 13, 14).slice(1, 6, 7).to_vector<int>() == std::vector<int>{90, 90, 90});
}
