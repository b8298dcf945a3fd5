#include "data/image.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "data/idx.h"
#include "data/jpeg_reader.h"
#include "data/picture.h"
#include "data/png_reader.h"
#include "tensor/io.h"

namespace cbnet::data {
namespace {

// This holds the largest image at two bytes a pixel, and room for a header.
constexpr std::size_t kMaxFileBytes = std::size_t{2} * kMaxImageSide * kMaxImageSide + (std::size_t{1} << 16);
constexpr std::string_view kPngMagic("\x89PNG\r\n\x1a\n", 8);

/// Frees what libpng holds, however the function is left.
struct PngImage {
  png_image image{};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
};

/// Reads the words of a PGM or PPM file, between white space and comments.
class PnmText {
 public:
  PnmText(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  std::uint64_t number(const char* what) {
    skip_blank();
    std::uint64_t value = 0;
    const auto result = std::from_chars(bytes_.data() + at_, bytes_.data() + bytes_.size(), value);
    if (result.ec != std::errc()) {
      throw InputError(
          path_, concat("a PGM or PPM file with its ", what),
          at_ == bytes_.size() ? "the end of the file (truncated)" : "something that is no number");
    }
    at_ = static_cast<std::size_t>(result.ptr - bytes_.data());
    return value;
  }

  std::string_view rest_after_one_blank() const { return bytes_.substr(std::min(bytes_.size(), at_ + 1)); }

 private:
  void skip_blank() {
    while (at_ < bytes_.size()) {
      if (bytes_[at_] == '#') {
        at_ = std::min(bytes_.find('\n', at_), bytes_.size());
      } else if (std::isspace(static_cast<unsigned char>(bytes_[at_])) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view bytes_;
  const std::string& path_;
  std::size_t at_ = 2;  // behind "P2", …
};

/// Reads PGM or PPM: (1,H,W) or (3,H,W).
Tensor decode_pnm(const std::string& bytes, const std::string& path) {
  PnmText text(bytes, path);
  const std::uint64_t width = text.number("width");
  const std::uint64_t height = text.number("height");
  const std::uint64_t maxval = text.number("maxval");
  check_image_size(path, height, width);
  if (maxval < 1 || maxval > 65535) throw InputError(path, "a maxval from 1 to 65535", concat(maxval));
  const bool plain = bytes[1] == '2' || bytes[1] == '3';
  const std::uint64_t channels = bytes[1] == '3' || bytes[1] == '6' ? 3 : 1,
                      samples = channels * width * height;
  const std::size_t sample_bytes = maxval > 255 ? 2 : 1;
  const std::string_view raster = text.rest_after_one_blank();
  // A plain sample takes a digit and a blank, and the last one only the digit.
  const std::uint64_t min_bytes = plain ? 2 * samples - 1 : samples * sample_bytes;
  if (raster.size() < min_bytes) {
    throw InputError(path, concat(width, "x", height, " pixels"),
                     concat("only ", raster.size(), " bytes (truncated)"), "copy or export it again");
  }
  const auto area = static_cast<std::size_t>(width * height);
  Tensor out = Tensor::empty({static_cast<std::int64_t>(channels), static_cast<std::int64_t>(height),
                              static_cast<std::int64_t>(width)},
                             DType::u8);
  auto* planes = out.data<std::uint8_t>();
  for (std::size_t i = 0; i < samples; ++i) {
    std::uint64_t value = 0;
    if (plain) {
      value = text.number("pixels");
    } else if (sample_bytes == 1) {
      value = static_cast<std::uint8_t>(raster[i]);
    } else {
      value = std::uint64_t{static_cast<std::uint8_t>(raster[2 * i])} << 8 |
              static_cast<std::uint8_t>(raster[2 * i + 1]);
    }
    if (value > maxval) throw InputError(path, concat("pixels of at most ", maxval), concat(value));
    planes[i % channels * area + i / channels] =
        static_cast<std::uint8_t>((value * 255 + maxval / 2) / maxval);
  }
  return out;
}

bool is_file(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

/// Returns the number behind the last '#', when everything before it names the file.
std::optional<std::int64_t> item_number(std::string_view path) {
  const std::size_t hash = path.rfind('#');
  if (hash == std::string_view::npos) return std::nullopt;
  std::int64_t index = 0;
  const char* end = path.data() + path.size();
  const auto result = std::from_chars(path.data() + hash + 1, end, index);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return index;
}

}  // namespace

Tensor read_image(const std::filesystem::path& path, std::int64_t channels) {
  const std::string bytes = read_file(path, kMaxFileBytes);
  const std::string name = path.string();
  if (bytes.starts_with(kPngMagic)) return decode_png(bytes, name, channels);
  const bool jpeg = bytes.starts_with("\xff\xd8\xff");
  if (jpeg || (bytes.size() > 1 && bytes[0] == 'P' && std::string_view("2356").find(bytes[1]) < 4)) {
    const Tensor image = jpeg ? decode_jpeg(bytes, name) : decode_pnm(bytes, name);
    return channels == 0 ? image : with_channels(image, channels);
  }
  const bool idx = bytes.starts_with(std::string_view("\0\0\x08", 3)) || bytes.starts_with("\x1f\x8b");
  throw InputError(name, "a PNG, JPEG, PGM or PPM image", bytes.empty() ? "an empty file" : "another format",
                   idx ? concat("name one image of an IDX file as ", name, "#0") : "convert it to PNG");
}

void write_png(const std::filesystem::path& path, const Tensor& image) {
  require(image.defined() && image.dtype() == DType::u8 && image.numel() > 0 && image.rank() == 3 &&
              (image.size(0) == 1 || image.size(0) == 3),
          "write_png", "image must be u8 (1,H,W) or (3,H,W); got ",
          image.defined() ? describe(image) : std::string("an undefined tensor"));
  const Tensor dense = image.transpose(0, 1).transpose(1, 2).contiguous();  // (H,W,C)
  PngImage png;
  png.image.width = static_cast<png_uint_32>(dense.size(1));
  png.image.height = static_cast<png_uint_32>(dense.size(0));
  png.image.format = dense.size(2) == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  const auto* pixels = dense.data<std::uint8_t>();
  png_alloc_size_t size_bytes = 0;
  bool ok = png_image_write_get_memory_size(png.image, size_bytes, 0, pixels, 0, nullptr) != 0;
  std::string bytes(size_bytes, '\0');
  ok = ok && png_image_write_to_memory(&png.image, bytes.data(), &size_bytes, 0, pixels, 0, nullptr) != 0;
  if (!ok) throw std::runtime_error(concat("cannot encode ", path.string(), ": ", png.image.message));
  write_file_atomic(path, std::string_view(bytes).substr(0, size_bytes));
}

Tensor read_picture(const std::string& path, const Shape& input, bool resize) {
  const std::string set = path.substr(0, path.rfind('#'));
  const bool is_item = set != path && !is_file(path);
  const std::optional<std::int64_t> index = is_item ? item_number(path) : std::nullopt;
  if (is_item && !index && is_file(set)) {
    throw InputError(path, "the number of an image behind #", concat("'", path.substr(set.size() + 1), "'"),
                     "images count from 0");
  }
  Tensor image = index ? read_idx_item(set, *index) : read_image(path, input.at(0));
  if (image.rank() == 2) image = image.view({1, image.size(0), image.size(1)});
  const std::string expected = concat("a picture of ", size_text(input.at(1), input.at(2)), " pixels");
  if (image.rank() != 3 || (image.size(0) != 1 && image.size(0) != 3))
    throw InputError(path, expected, to_string(image.shape()), "name an IDX file of images");
  image = with_channels(image, input.at(0));
  if (resize) return resized(image, input.at(1), input.at(2));
  if (image.shape() != input) {
    throw InputError(path, expected, size_text(image.size(1), image.size(2)),
                     "--resize stretches it to that size");
  }
  return image;
}

}  // namespace cbnet::data
