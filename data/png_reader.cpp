#include "data/png_reader.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "data/image.h"
#include "data/picture.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

constexpr std::uint64_t kMaxSample = 65535;

/// These are libpng's two structures, and what its callbacks need. It leaves a function in the middle by
/// longjmp(), which runs no destructor: only read_header() and read_rows() call it, and they hold no object
/// that has one.
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::string& bytes;
  std::size_t at = 0;
  std::array<char, 200> message{};

  explicit Decoder(const std::string& all) : bytes(all) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, ignore);
    if (png != nullptr) info = png_create_info_struct(png);
    if (info == nullptr) {
      png_destroy_read_struct(&png, &info, nullptr);
      throw std::bad_alloc();
    }
  }
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  [[noreturn]] static void fail(png_structp png, png_const_charp text) {
    auto* self = static_cast<Decoder*>(png_get_error_ptr(png));
    std::strncpy(self->message.data(), text, self->message.size() - 1);
    png_longjmp(png, 1);
  }
  static void ignore(png_structp /*png*/, png_const_charp /*text*/) {}

  static void take(png_structp png, png_bytep target, std::size_t size) {
    auto* self = static_cast<Decoder*>(png_get_io_ptr(png));
    if (self->bytes.size() - self->at < size) png_error(png, "the end of the file (truncated)");
    std::memcpy(target, self->bytes.data() + self->at, size);
    self->at += size;
  }
};

/// Reads up to the pixels. From then on rows come in 8 or 16 bits a sample, grey or RGB, with alpha where the
/// file has transparency of any kind, and by no other arithmetic: a sample of 1, 2 or 4 bits is scaled to 8.
bool read_header(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_set_read_fn(decoder.png, &decoder, Decoder::take);
#ifdef PNG_HANDLE_AS_UNKNOWN_SUPPORTED
  // Nobody needs colour spaces, texts and the like: they change no sample here, and a damaged one spoils no
  // picture.
  png_set_keep_unknown_chunks(decoder.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
#endif
  png_read_info(decoder.png, decoder.info);
  png_set_expand(decoder.png);
  return true;
}

/// Reads every row into `rows`, height pointers, or all into the first where `one_row`; `keep` sees each row
/// once it is whole.
template <class Keep>
bool read_rows(Decoder& decoder, png_bytep* rows, bool one_row, const Keep& keep) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  const png_uint_32 height = png_get_image_height(decoder.png, decoder.info);
  if (one_row) {
    for (png_uint_32 y = 0; y < height; ++y) {
      png_read_row(decoder.png, rows[0], nullptr);
      keep(y, rows[0]);
    }
  } else {
    png_read_image(decoder.png, rows);
    for (png_uint_32 y = 0; y < height; ++y) keep(y, rows[y]);
  }
  png_read_end(decoder.png, nullptr);
  return true;
}

bool start_rows(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  return true;
}

/// Turns pixels into grey or RGB, and sees meanwhile whether all that can be seen has one colour.
class Ink {
 public:
  /// `channels` and `bits` are the file's; `out` is (C,H,W).
  Ink(int channels, int bits, Tensor& out, std::uint8_t* alpha)
      : colors_(channels >= 3 ? 3 : 1),
        has_alpha_(channels == 2 || channels == 4),
        bytes_(bits / 8),
        width_(out.size(2)),
        area_(out.size(1) * out.size(2)),
        in_color_(out.size(0) == 3),
        out_(out.data<std::uint8_t>()),
        alpha_(alpha) {}

  void keep(std::int64_t y, const std::uint8_t* row) {
    for (std::int64_t i = y * width_; i < (y + 1) * width_; ++i) {
      std::array<std::uint64_t, 3> color{};
      for (int c = 0; c < colors_; ++c) color.at(static_cast<std::size_t>(c)) = next(row);
      if (colors_ == 1) color[1] = color[2] = color[0];
      const std::uint64_t alpha = has_alpha_ ? next(row) : kMaxSample;
      // The weights are 0.299, 0.587 and 0.114 in 16 bits; they sum to 65,536, so that grey stays as it is.
      const std::uint64_t luma = color[0] * 19595 + color[1] * 38470 + color[2] * 7471;
      constexpr std::uint64_t kOne = 65536 * kMaxSample * kMaxSample;
      const auto on_black = [&](std::uint64_t sample) {  // of 65,536 times kMaxSample
        return static_cast<std::uint8_t>((sample * alpha * 255 + kOne / 2) / kOne);
      };
      if (in_color_) {
        for (std::int64_t c = 0; c < 3; ++c)
          out_[c * area_ + i] = on_black(65536 * color.at(static_cast<std::size_t>(c)));
      } else {
        out_[i] = on_black(luma);
      }
      if (!has_alpha_) continue;
      alpha_[i] = static_cast<std::uint8_t>((alpha * 255 + kMaxSample / 2) / kMaxSample);
      watch(color, static_cast<std::int64_t>(alpha));
    }
  }

  /// Tells whether transparency varies while the colour does not: then alpha is the drawing.
  bool is_in_alpha() const {
    if (least_alpha_ == most_alpha_) return false;
    for (std::size_t c = 0; c < 3; ++c)
      if (low_.at(c) > high_.at(c)) return false;
    return true;
  }

 private:
  std::uint64_t next(const std::uint8_t*& at) const {
    const std::uint64_t value = bytes_ == 2 ? std::uint64_t{at[0]} << 8 | at[1] : std::uint64_t{at[0]} * 257;
    at += bytes_;
    return value;
  }

  /// Programs that keep colours multiplied by alpha write the faint ones rounded: what one pixel says of the
  /// colour is an interval, half a step of 8 bits before the division by alpha and half a step after it.
  void watch(const std::array<std::uint64_t, 3>& color, std::int64_t alpha) {
    least_alpha_ = std::min(least_alpha_, alpha);
    most_alpha_ = std::max(most_alpha_, alpha);
    if (alpha == 0) return;
    constexpr std::int64_t kHalfStep = 129;
    const std::int64_t slack = kHalfStep + kHalfStep * static_cast<std::int64_t>(kMaxSample) / alpha;
    for (std::size_t c = 0; c < 3; ++c) {
      low_.at(c) = std::max(low_.at(c), static_cast<std::int64_t>(color.at(c)) - slack);
      high_.at(c) = std::min(high_.at(c), static_cast<std::int64_t>(color.at(c)) + slack);
    }
  }

  static constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max() / 2;
  int colors_;
  bool has_alpha_;
  int bytes_;
  std::int64_t width_, area_;
  bool in_color_;
  std::uint8_t* out_;
  std::uint8_t* alpha_;
  std::int64_t least_alpha_ = kFar, most_alpha_ = -1;
  std::array<std::int64_t, 3> low_{-kFar, -kFar, -kFar}, high_{kFar, kFar, kFar};
};

}  // namespace

void check_image_size(const std::string& path, std::uint64_t height, std::uint64_t width) {
  if (height < 1 || width < 1 || height > kMaxImageSide || width > kMaxImageSide) {
    throw InputError(path, concat("an image of 1x1 to ", kMaxImageSide, "x", kMaxImageSide, " pixels"),
                     size_text(static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)));
  }
}

Tensor decode_png(const std::string& bytes, const std::string& path, std::int64_t channels) {
  Decoder decoder(bytes);
  const auto refuse = [&] {
    return InputError(path, "a valid PNG image", decoder.message.data(), "copy or export it again");
  };
  if (!read_header(decoder)) throw refuse();
  const std::uint64_t height = png_get_image_height(decoder.png, decoder.info);
  const std::uint64_t width = png_get_image_width(decoder.png, decoder.info);
  check_image_size(path, height, width);
  // A file holds at most this many pixels, at one bit a pixel and deflate's best; more is an empty promise.
  if (height * width > bytes.size() * std::uint64_t{8 * 1100}) {
    throw InputError(path, concat("the pixels that its header promises, ", width, "x", height),
                     concat("a file of ", bytes.size(), " bytes, which cannot hold that many"));
  }
  if (!start_rows(decoder)) throw refuse();

  const int samples = png_get_channels(decoder.png, decoder.info);
  if (channels == 0) channels = samples >= 3 ? 3 : 1;
  const bool one_row = png_get_interlace_type(decoder.png, decoder.info) == PNG_INTERLACE_NONE;
  const std::size_t row_bytes = png_get_rowbytes(decoder.png, decoder.info);
  std::vector<std::uint8_t> pixels(row_bytes * (one_row ? 1 : height));
  std::vector<png_bytep> rows(one_row ? 1 : height);
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = pixels.data() + y * row_bytes;
  Tensor out = Tensor::empty({channels, static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)},
                             DType::u8);
  std::vector<std::uint8_t> alpha(samples % 2 == 0 ? height * width : 0);
  Ink ink(samples, png_get_bit_depth(decoder.png, decoder.info), out, alpha.data());
  const auto keep = [&](png_uint_32 y, const std::uint8_t* row) { ink.keep(y, row); };
  if (!read_rows(decoder, rows.data(), one_row, keep)) throw refuse();
  for (std::int64_t c = 0; c < channels && ink.is_in_alpha(); ++c)
    std::copy(alpha.begin(), alpha.end(), out.select(0, c).data<std::uint8_t>());
  return out;
}

}  // namespace cbnet::data
