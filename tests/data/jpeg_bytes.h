#pragma once

#include <cstdio>

// It wants <cstdio> before it.
#include <jpeglib.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet::test {

/// A JPEG file of u8 (C,H,W), grey, RGB, or for four channels CMYK.
inline std::string jpeg(const Tensor& image, bool progressive = false) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &bytes, &size);
  encoder.image_width = static_cast<JDIMENSION>(image.size(2));
  encoder.image_height = static_cast<JDIMENSION>(image.size(1));
  encoder.input_components = static_cast<int>(image.size(0));
  encoder.in_color_space = image.size(0) == 1 ? JCS_GRAYSCALE : image.size(0) == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, 95, TRUE);
  if (progressive) jpeg_simple_progression(&encoder);
  jpeg_start_compress(&encoder, TRUE);
  std::vector<std::uint8_t> pixels =
      image.transpose(0, 1).transpose(1, 2).contiguous().to_vector<std::uint8_t>();
  while (encoder.next_scanline < encoder.image_height) {
    JSAMPROW row =
        pixels.data() + encoder.next_scanline * static_cast<std::size_t>(image.size(2) * image.size(0));
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::string out(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  return out;
}

/// u8 (C,H,W), smooth, so that JPEG keeps it nearly.
inline Tensor smooth_picture(std::int64_t channels, std::int64_t height, std::int64_t width) {
  Tensor out = Tensor::empty({channels, height, width}, DType::u8);
  auto* at = out.data<std::uint8_t>();
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x)
        *at++ = static_cast<std::uint8_t>(40 + 50 * c + 60 * y / height + 40 * x / width);
    }
  }
  return out;
}

}  // namespace cbnet::test
