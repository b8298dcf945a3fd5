#include "data/image.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/data/files.h"
#include "tests/data/png_bytes.h"

using cbnet::DType;
using cbnet::Shape;
using cbnet::Tensor;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {

Tensor gradient(const Shape& shape) {
  Tensor out = Tensor::empty(shape, DType::u8);
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 7);
  return out;
}

}  // namespace

TEST_CASE("image: what is no image") {
  const TempFolder folder;
  CHECK_INPUT_ERROR(read_image(folder / "none.png"), "/none.png: expected a readable file");
  CHECK_INPUT_ERROR(read_image(folder.path()), "expected a regular file; found a folder");
  put(folder / "text.png", "just text");
  CHECK_INPUT_ERROR(read_image(folder / "text.png"),
                    "expected a PNG, JPEG, PGM or PPM image; found another format; hint: convert it to PNG");
  put(folder / "empty.png", "");
  CHECK_INPUT_ERROR(read_image(folder / "empty.png"), "found an empty file");
  put(folder / "set.gz", gzip(idx_images(2)));
  CHECK_INPUT_ERROR(read_image(folder / "set.gz"), "/set.gz#0");
}

TEST_CASE("image: damaged, truncated and hostile PNG") {
  const TempFolder folder;
  const std::string file = folder / "file.png";
  write_png(file, gradient({1, 28, 28}));
  const std::string whole = cbnet::read_file(file);
  for (std::size_t length = 8; length + 13 < whole.size(); length += 5) {
    put(file, whole.substr(0, length));
    CHECK_INPUT_ERROR(read_image(file), "file.png: expected a valid PNG image; found ");
  }
  std::string damaged = whole;
  damaged[whole.find("IDAT") + 20] = static_cast<char>(damaged[whole.find("IDAT") + 20] ^ 0x40);
  put(file, damaged);
  CHECK_INPUT_ERROR(read_image(file), "expected a valid PNG image; found ");
  put(file, png(4097, 2, 8, 0, std::string(2 * 4098, '\0')));
  CHECK_INPUT_ERROR(read_image(file), "expected an image of 1x1 to 4096x4096 pixels; found 4097x2");
  for (const int color : {0, 2, 6}) {
    put(file, png(4096, 4096, 8, color, "\0"));
    CHECK_INPUT_ERROR(read_image(file),
                      "expected the pixels that its header promises, 4096x4096; found a file of");
    if (has_memory_limit()) CHECK(outcome_within(64 * kMiB, [&] { read_image(file); }) == "InputError");
  }
  put(file, png(1000000, 1000000, 8, 6, "\0"));
  CHECK_INPUT_ERROR(read_image(file), "file.png: expected ");
}

TEST_CASE("image: the kinds of PNG") {
  const TempFolder folder;
  const std::string file = folder / "file.png";
  const auto pixels = [&](const std::string& bytes) {
    put(file, bytes);
    return read_image(file).to_vector<int>();
  };
  using Bytes = std::vector<int>;
  CHECK(pixels(png(2, 2, 8, 0, std::string("\0\x01\x02\0\xfe\xff", 6))) == Bytes{1, 2, 254, 255});
  CHECK(pixels(png(8, 1, 1, 0, std::string("\0\xa5", 2))) == Bytes{255, 0, 255, 0, 0, 255, 0, 255});
  // Luma: red 76, green 150, blue 29, and grey as it is.
  CHECK(pixels(png(4, 1, 8, 2, std::string("\0\xff\0\0\0\xff\0\0\0\xff\x80\x80\x80", 13))) ==
        Bytes{76, 150, 29, 128});
  const std::string palette = chunk("PLTE", std::string("\xff\xff\xff\x10\x10\x10", 6));
  CHECK(pixels(png(2, 1, 8, 3, std::string("\0\1\0", 3), palette)) == Bytes{16, 255});
  // Transparent is black, opaque is itself, where several colours can be seen.
  CHECK(pixels(png(3, 1, 8, 6, std::string("\0\xff\xff\xff\0\x40\x40\x40\xff\x50\x50\x50\xff", 13))) ==
        Bytes{0, 64, 80});
  CHECK(pixels(png(3, 1, 8, 4, std::string("\0\xff\0\x40\xff\x50\xff", 7))) == Bytes{0, 64, 80});
  put(file, png(2, 1, 16, 0, std::string("\0\0\0\xff\xff", 5)));
  CHECK(read_image(file).shape() == Shape{1, 1, 2});
  CHECK(read_image(file).to_vector<int>() == Bytes{0, 255});
}

TEST_CASE("image: bad PGM") {
  const TempFolder folder;
  const std::string file = folder / "file.pgm";
  const auto refuses = [&](const std::string& bytes, const std::string& message) {
    CAPTURE(message);
    put(file, bytes);
    CHECK_INPUT_ERROR(read_image(file), message);
  };
  refuses("P5", "expected a PGM or PPM file with its width; found the end of the file (truncated)");
  refuses("P5 2 x 255\n", "expected a PGM or PPM file with its height; found something that is no number");
  refuses("P5 2 -2 255\n", "its height; found something that is no number");
  refuses("P5 2 2 99999999999999999999\n", "its maxval; found something that is no number");
  refuses("P5 0 2 255\n", "expected an image of 1x1 to 4096x4096 pixels; found 0x2");
  refuses("P5 4097 2 255\n", "found 4097x2");
  refuses("P5 2 2 0\n", "expected a maxval from 1 to 65535; found 0");
  refuses("P5 2 2 65536\n", "found 65536");
  refuses("P5 2 2 255\nabc", "expected 2x2 pixels; found only 3 bytes (truncated)");
  refuses("P5 2 2 65535\nabcdefg", "found only 7 bytes (truncated)");
  refuses("P2 2 2 255\n1 2 3", "found only 5 bytes (truncated)");
  refuses("P2 2 2 255\n100 200 3",
          "expected a PGM or PPM file with its pixels; found the end of the file (truncated)");
  refuses("P2 2 2 9\n1 2 3 10", "expected pixels of at most 9; found 10");
  refuses("P5 2 1 9\n\x0a\x01", "expected pixels of at most 9; found 10");
}

TEST_CASE("image: PGM, plain and raw, 8 and 16 bits, with comments") {
  const TempFolder folder;
  const auto pixels = [&](const std::string& bytes) {
    put(folder / "file", bytes);
    const Tensor image = read_image(folder / "file");
    CHECK(image.shape() == Shape{1, 1, 3});
    return image.to_vector<int>();
  };
  using Bytes = std::vector<int>;
  CHECK(pixels(std::string("P5\n# by hand\n3 1\n255\n\0\x80\xff", 25)) == Bytes{0, 128, 255});
  CHECK(pixels("P2 3 1 # three\n 15\n0 5\n15\n") == Bytes{0, 85, 255});
  CHECK(pixels(std::string("P5 3 1 65535\n\0\0\x80\x00\xff\xff", 19)) == Bytes{0, 128, 255});
  CHECK(pixels("P2 3 1 1\n0 1 0") == Bytes{0, 255, 0});
}

TEST_CASE("image: PPM, plain and raw, in colour and as luma") {
  const TempFolder folder;
  put(folder / "raw", std::string("P6 2 1 255\n\xff\0\0\7\10\11", 17));
  put(folder / "plain", "P3 2 1 15\n15 0 0\n3 3 3");
  CHECK(read_image(folder / "raw", 0).shape() == Shape{3, 1, 2});
  CHECK(read_image(folder / "raw", 0).to_vector<int>() == std::vector<int>{255, 7, 0, 8, 0, 9});
  CHECK(read_image(folder / "plain", 3).to_vector<int>() == std::vector<int>{255, 51, 0, 51, 0, 51});
  CHECK(read_image(folder / "plain").to_vector<int>() == std::vector<int>{76, 51});
  put(folder / "cut", "P6 2 1 255\n12345");
  CHECK_INPUT_ERROR(read_image(folder / "cut"), "expected 2x1 pixels; found only 5 bytes (truncated)");
}

TEST_CASE("image: write and read again") {
  const TempFolder folder;
  CHECK_INVALID(write_png(folder / "x.png", Tensor()),
                "[write_png] image must be u8 (1,H,W) or (3,H,W); got an undefined tensor");
  CHECK_INVALID(write_png(folder / "x.png", Tensor::zeros({2, 2})), "got f32 (2,2)");
  CHECK_INVALID(write_png(folder / "x.png", Tensor::zeros({2, 2, 4}, DType::u8)), "got u8 (2,2,4)");
  CHECK(std::filesystem::is_empty(folder.path()));
  const Tensor grey = gradient({1, 13, 29});
  write_png(folder / "new/grey.png", grey);
  CHECK(read_image(folder / "new/grey.png").shape() == grey.shape());
  CHECK(read_image(folder / "new/grey.png").to_vector<int>() == grey.to_vector<int>());
  write_png(folder / "turned.png", grey.transpose(1, 2));
  CHECK(read_image(folder / "turned.png").to_vector<int>() == grey.transpose(1, 2).to_vector<int>());
  write_png(folder / "color.png", Tensor::from<std::uint8_t>({255, 7, 0, 7, 0, 7}, {3, 1, 2}));
  CHECK(read_image(folder / "color.png").to_vector<int>() == std::vector<int>{76, 7});
  for (const std::int64_t channels : {0, 3})
    CHECK(read_image(folder / "color.png", channels).to_vector<int>() ==
          std::vector<int>{255, 7, 0, 7, 0, 7});
  CHECK(read_image(folder / "new/grey.png", 0).shape() == Shape{1, 13, 29});
  CHECK(read_image(folder / "new/grey.png", 3).select(0, 2).to_vector<int>() == grey.to_vector<int>());
}

TEST_CASE("image: one picture for a network, from a file or a set") {
  const TempFolder folder;
  const auto picture = [](const std::string& path) { return read_picture(path, {1, 28, 28}, false); };
  write_png(folder / "good.png", gradient({1, 28, 28}));
  CHECK(picture(folder / "good.png").to_vector<int>() == gradient({1, 28, 28}).to_vector<int>());
  write_png(folder / "odd#1", gradient({1, 28, 28}));  // a name with a '#' is still a name
  CHECK(picture(folder / "odd#1").shape() == Shape{1, 28, 28});
  put(folder / "set.gz", gzip(idx_images(12)));
  CHECK(picture(folder / "set.gz#11").at({0, 27, 27}) == 11.0);
  write_png(folder / "big.png", gradient({1, 28, 30}));
  CHECK_INPUT_ERROR(picture(folder / "big.png"),
                    "/big.png: expected a picture of 28x28 pixels; found 30x28; hint: --resize stretches it");
  CHECK_INPUT_ERROR(picture(folder / "set.gz#12"), "/set.gz: expected an item from 0 to 11; found item 12");
  CHECK_INPUT_ERROR(picture(folder / "none#12"), "/none: expected a readable file; found no such file");
  CHECK_INPUT_ERROR(
      picture(folder / "good.png#x"),
      "/good.png#x: expected the number of an image behind #; found 'x'; hint: images count from 0");
  CHECK_INPUT_ERROR(picture(folder / "set.gz#"), "behind #; found ''");
  CHECK_INPUT_ERROR(picture(folder / "set.gz#99999999999999999999"), "found '99999999999999999999'");
  CHECK_INPUT_ERROR(picture(folder / "none#x"), "/none#x: expected a readable file");
  put(folder / "labels", idx_labels(5));
  CHECK_INPUT_ERROR(picture(folder / "labels#1"),
                    "expected a picture of 28x28 pixels; found (1); hint: name an IDX file of images");
  CHECK(read_picture(folder / "big.png", {3, 28, 28}, true).shape() == Shape{3, 28, 28});
  CHECK(read_picture(folder / "set.gz#7", {3, 5, 9}, true).to_vector<int>() == std::vector<int>(135, 7));
}
