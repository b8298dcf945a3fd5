#include "data/jpeg_reader.h"

#include <csetjmp>
#include <cstdio>

// It wants <cstdio> before it.
#include <jpeglib.h>

#include <array>
#include <vector>

#include "data/image.h"
#include "data/png_reader.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

/// This is libjpeg's structure, and what its callbacks need. It leaves a function in the middle by longjmp(),
/// which runs no destructor: only start() and read_rows() call it, and they hold no object that has one.
struct Decoder {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf back{};
  std::array<char, JMSG_LENGTH_MAX> message{};

  Decoder() {
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = fail;
    // A warning stands for pixels that are made up: damage, as much as an error.
    errors.emit_message = [](j_common_ptr jpeg_, int level) {
      if (level < 0) fail(jpeg_);
    };
    jpeg.client_data = this;
  }
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  [[noreturn]] static void fail(j_common_ptr jpeg_) {
    auto* self = static_cast<Decoder*>(jpeg_->client_data);
    self->errors.format_message(jpeg_, self->message.data());
    std::longjmp(self->back, 1);
  }
};

bool start(Decoder& decoder, const unsigned char* bytes, unsigned long size) {
  if (setjmp(decoder.back) != 0) return false;
  jpeg_create_decompress(&decoder.jpeg);
  jpeg_mem_src(&decoder.jpeg, bytes, size);
  jpeg_read_header(&decoder.jpeg, TRUE);
  return true;
}

/// Reads rows of interleaved samples into `pixels`, row_bytes each.
bool read_rows(Decoder& decoder, unsigned char* pixels, std::size_t row_bytes) {
  if (setjmp(decoder.back) != 0) return false;
  decoder.jpeg.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&decoder.jpeg);
  while (decoder.jpeg.output_scanline < decoder.jpeg.output_height) {
    JSAMPROW row = pixels + decoder.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&decoder.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&decoder.jpeg);
  return true;
}

}  // namespace

Tensor decode_jpeg(const std::string& bytes, const std::string& path) {
  Decoder decoder;
  const auto refuse = [&] {
    return InputError(path, "a valid JPEG image", decoder.message.data(), "copy or export it again");
  };
  if (!start(decoder, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size())) throw refuse();
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  check_image_size(path, jpeg.image_height, jpeg.image_width);
  // A block of 8x8 pixels takes a bit at least.
  if (std::uint64_t{jpeg.image_height} * jpeg.image_width > bytes.size() * std::uint64_t{8 * 64}) {
    throw InputError(
        path, concat("the pixels that its header promises, ", jpeg.image_width, "x", jpeg.image_height),
        concat("a file of ", bytes.size(), " bytes, which cannot hold that many"));
  }
  if (jpeg.num_components != 1 && jpeg.num_components != 3) {
    throw InputError(path, "a JPEG image in grey or in three colours",
                     concat("one of ", jpeg.num_components, " components"), "convert it to PNG");
  }
  jpeg.out_color_space = jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  const auto channels = static_cast<std::int64_t>(jpeg.num_components);
  const auto height = static_cast<std::int64_t>(jpeg.image_height),
             width = static_cast<std::int64_t>(jpeg.image_width);
  Tensor pixels = Tensor::empty({height, width, channels}, DType::u8);
  if (!read_rows(decoder, pixels.data<std::uint8_t>(), static_cast<std::size_t>(width * channels)))
    throw refuse();
  return pixels.transpose(1, 2).transpose(0, 1).contiguous();
}

}  // namespace cbnet::data
