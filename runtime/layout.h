#pragma once

#include <cstdint>

namespace cbnet::runtime {

/// An activation lies in memory so. A value may lie in several layouts at once, one for each kind of reader.
struct Layout {
  enum class Type : std::uint8_t {
    dense,          // f32, row-major
    padded,         // f32, planes with zeros around, as kernels/fused_conv2d.h wants them
    channels_last,  // f32, the channels of a pixel side by side, as kernels/channels.h draws it
    u8,             // row-major, real value = scale * (stored - zero_point)
    channels_u8,    // such bytes as channels_last; what stands around an image is the zero point
  };
  Type type = Type::dense;
  // padded, channels_last, channels_u8: h x w pixels, pad_h rows of zeros above and below, pad_w zero pixels
  // left of each row, which are also those on the right of the row before
  std::int64_t c = 0, h = 0, w = 0, pad_h = 0, pad_w = 0;
  // u8, channels_u8
  float scale = 1.0F;
  std::int32_t zero_point = 0;
  std::int64_t pitch = 1;  // channels_last, channels_u8: elements from one pixel to the next

  /// Returns the pixels from one row to the next.
  std::int64_t row() const { return w + pad_w; }
  std::int64_t plane() const { return (h + 2 * pad_h) * row(); }
  /// Returns the elements of an image, with what stands around it, of all but dense and u8.
  std::int64_t image() const { return type == Type::padded ? c * plane() : (plane() + pad_w) * pitch; }
  /// Returns the number of the first pixel.
  std::int64_t first() const { return pad_h * row() + pad_w; }
  /// Tells whether both are planes of one size, whatever stands around them.
  bool same_planes(const Layout& other) const {
    return type == Type::padded && other.type == Type::padded && c == other.c && h == other.h && w == other.w;
  }
  bool is_bytes() const { return type == Type::u8 || type == Type::channels_u8; }
  std::int64_t element_bytes() const { return is_bytes() ? 1 : 4; }

  friend bool operator==(const Layout&, const Layout&) = default;
};

}  // namespace cbnet::runtime
