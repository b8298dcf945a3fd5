#include "data/sheet.h"

#include <algorithm>

#include "data/font.h"

namespace cbnet::data {
namespace {

constexpr std::int64_t kMaxSide = 16384;
constexpr std::int64_t kMaxScale = 64;
constexpr std::uint8_t kPaper = 255;
constexpr std::uint8_t kInk = 0;

struct Layout {
  std::int64_t scale, text_scale, gap, width = 0, height = 0, channels = 1;
  std::vector<std::int64_t> column_x, column_width;
  std::vector<std::int64_t> row_y, title_height, image_height;
};

std::int64_t image_side(const Tile& tile, int axis, std::int64_t scale) {
  return tile.image.defined() ? tile.image.size(axis) * scale : 0;
}

void check_tile(const Tile& tile) {
  if (!tile.image.defined()) return;
  require(tile.image.rank() == 3 && tile.image.dtype() == DType::u8 &&
              (tile.image.size(0) == 1 || tile.image.size(0) == 3),
          "compose_sheet", "images must be u8 (1,H,W) or (3,H,W); got ", describe(tile.image));
  require(tile.image.size(1) <= kMaxSide && tile.image.size(2) <= kMaxSide, "compose_sheet",
          "images must be at most ", kMaxSide, " pixels along a side; got ", describe(tile.image));
}

Layout plan(const std::vector<std::vector<Tile>>& rows, const std::vector<std::string>& titles,
            std::int64_t scale) {
  Layout out;
  out.scale = scale;
  // Captions keep the font's own size until the tiles are large.
  out.text_scale = std::max<std::int64_t>(1, scale / 4);
  out.gap = 6 * out.text_scale;
  std::int64_t widest_title = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (r < titles.size()) widest_title = std::max(widest_title, text_width(titles[r], out.text_scale));
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      check_tile(rows[r][c]);
      if (rows[r][c].image.defined()) out.channels = std::max(out.channels, rows[r][c].image.size(0));
      if (c == out.column_width.size()) out.column_width.push_back(0);
      out.column_width[c] = std::max({out.column_width[c], image_side(rows[r][c], 2, scale),
                                      text_width(rows[r][c].caption, out.text_scale)});
    }
  }
  out.width = out.gap;
  for (const std::int64_t width : out.column_width) {
    out.column_x.push_back(out.width);
    out.width += width + out.gap;
  }
  out.width = std::max(out.width, widest_title + 2 * out.gap);

  out.height = out.gap;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::int64_t image = 0;
    std::int64_t caption = 0;
    for (const Tile& tile : rows[r]) {
      image = std::max(image, image_side(tile, 1, scale));
      caption = std::max(caption, text_height(tile.caption, out.text_scale));
    }
    const std::int64_t title = r < titles.size() ? text_height(titles[r], out.text_scale) : 0;
    out.row_y.push_back(out.height);
    out.title_height.push_back(title);
    out.image_height.push_back(image);
    out.height += title + image + (caption > 0 ? 2 * out.text_scale + caption : 0) + out.gap;
  }
  return out;
}

/// Draws one plane of an image onto one plane of the sheet.
void draw_plane(Tensor& sheet, const Tensor& image, std::int64_t x, std::int64_t y, std::int64_t scale) {
  const Tensor dense = image.contiguous();
  const auto* from = dense.data<std::uint8_t>();
  const std::int64_t width = dense.size(1);
  auto* to = sheet.data<std::uint8_t>() + y * sheet.size(1) + x;
  for (std::int64_t row = 0; row < dense.size(0) * scale; ++row) {
    const std::uint8_t* source = from + row / scale * width;
    for (std::int64_t column = 0; column < width * scale; ++column) to[column] = source[column / scale];
    to += sheet.size(1);
  }
}

/// Draws all of one plane of the sheet; words are as black in each.
void draw_all(Tensor& plane, std::int64_t channel, const Layout& layout,
              const std::vector<std::vector<Tile>>& rows, const std::vector<std::string>& row_titles) {
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::int64_t image_y = layout.row_y[r] + layout.title_height[r];
    if (r < row_titles.size())
      draw_text(plane, row_titles[r], {layout.gap, layout.row_y[r], layout.text_scale, kInk});
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const Tile& tile = rows[r][c];
      if (tile.image.defined()) {
        const std::int64_t from = std::min(channel, tile.image.size(0) - 1);
        draw_plane(plane, tile.image.select(0, from), layout.column_x[c], image_y, layout.scale);
      }
      draw_text(plane, tile.caption,
                {layout.column_x[c], image_y + layout.image_height[r] + 2 * layout.text_scale,
                 layout.text_scale, kInk});
    }
  }
}

}  // namespace

Tensor compose_sheet(const std::vector<std::vector<Tile>>& rows, const std::vector<std::string>& row_titles,
                     std::int64_t scale) {
  require(scale >= 1 && scale <= kMaxScale, "compose_sheet", "scale must be from 1 to ", kMaxScale, "; got ",
          scale);
  require(std::any_of(rows.begin(), rows.end(), [](const auto& row) { return !row.empty(); }),
          "compose_sheet", "at least one tile is needed");
  const Layout layout = plan(rows, row_titles, scale);
  require(layout.width <= kMaxSide && layout.height <= kMaxSide, "compose_sheet",
          "the sheet must be at most ", kMaxSide, " pixels along a side; got ", layout.width, "x",
          layout.height, "; hint: fewer tiles or a smaller scale");
  Tensor sheet = Tensor::full({layout.channels, layout.height, layout.width}, kPaper, DType::u8);
  for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
    Tensor plane = sheet.select(0, channel);
    draw_all(plane, channel, layout, rows, row_titles);
  }
  return sheet;
}

}  // namespace cbnet::data
