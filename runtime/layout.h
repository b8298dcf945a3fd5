#pragma once

#include <cstdint>

namespace cbnet::runtime {

/// An activation lies in memory so. A value may lie in several layouts at once, one for each kind of reader.
struct Layout {
  enum class Type : std::uint8_t {
    dense,   // f32, row-major
    padded,  // f32, planes with zeros around, as kernels/fused_conv2d.h wants them
    u8,      // row-major, real value = scale * (stored - zero_point)
  };
  Type type = Type::dense;
  // padded: planes of h x w, pad_h zero rows above and below, pad_w zeros left of each row
  std::int64_t c = 0, h = 0, w = 0, pad_h = 0, pad_w = 0;
  // u8
  float scale = 1.0F;
  std::int32_t zero_point = 0;

  std::int64_t row() const { return w + pad_w; }
  std::int64_t plane() const { return (h + 2 * pad_h) * row(); }
  /// Returns where the first pixel stands.
  std::int64_t first() const { return pad_h * row() + pad_w; }
  /// Tells whether both are planes of one size, whatever stands around them.
  bool same_planes(const Layout& other) const {
    return type == Type::padded && other.type == Type::padded && c == other.c && h == other.h && w == other.w;
  }
  std::int64_t element_bytes() const { return type == Type::u8 ? 1 : 4; }

  friend bool operator==(const Layout&, const Layout&) = default;
};

}  // namespace cbnet::runtime
