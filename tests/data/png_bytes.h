#pragma once

// PNG files from their raw bytes, as no library would write them.

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cbnet::test {

inline std::uint32_t crc(const std::string& bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

inline std::string big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
  return out;
}

inline std::string chunk(const std::string& type, const std::string& data) {
  return big_endian(static_cast<std::uint32_t>(data.size())) + type + data + big_endian(crc(type + data));
}

/// A PNG file from its header's fields and raw scanlines (each with its filter byte).
inline std::string png(std::uint32_t width, std::uint32_t height, int bits, int color,
                       const std::string& rows, const std::string& extra = "", bool interlaced = false) {
  uLongf size = compressBound(rows.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
           rows.size());
  packed.resize(size);
  const std::string header = big_endian(width) + big_endian(height) + static_cast<char>(bits) +
                             static_cast<char>(color) + std::string(2, '\0') + (interlaced ? '\1' : '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + extra + chunk("IDAT", packed) + chunk("IEND", "");
}

/// Samples in rows, each with filter 0; `bits` 8 or 16 of each value of 16 bits, the upper ones.
inline std::string png_rows(const std::vector<std::uint16_t>& samples, std::size_t per_row, int bits) {
  std::string out;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i % per_row == 0) out += '\0';
    out += static_cast<char>(samples[i] >> 8);
    if (bits == 16) out += static_cast<char>(samples[i] & 255);
  }
  return out;
}

/// The same, in the seven passes of Adam7 (PNG specification, section 8.2).
inline std::string png_passes(const std::vector<std::uint16_t>& samples, std::size_t width,
                              std::size_t channels, int bits) {
  struct Pass {
    std::size_t x, y, dx, dy;
  };
  const Pass passes[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                         {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  const std::size_t height = samples.size() / channels / width;
  std::string out;
  for (const Pass& pass : passes) {
    for (std::size_t y = pass.y; y < height; y += pass.dy) {
      std::vector<std::uint16_t> row;
      for (std::size_t x = pass.x; x < width; x += pass.dx)
        for (std::size_t c = 0; c < channels; ++c) row.push_back(samples[(y * width + x) * channels + c]);
      if (!row.empty()) out += png_rows(row, row.size(), bits);
    }
  }
  return out;
}

}  // namespace cbnet::test
