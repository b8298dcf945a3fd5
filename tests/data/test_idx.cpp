#include "data/idx.h"

#include <doctest/doctest.h>

#include <filesystem>

#include <string>

#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Shape;
using cbnet::Tensor;
using cbnet::data::read_idx;
using cbnet::data::read_idx_item;
using namespace cbnet::test;

TEST_CASE("idx: bad files, each with its own message") {
  const TempFolder folder;
  const std::string file = folder / "file";
  const auto refuses = [&](const std::string& bytes, const std::string& message) {
    CAPTURE(message);
    put(file, bytes);
    CHECK_INPUT_ERROR(read_idx(file), message);
    put(file, gzip(bytes));
    CHECK_INPUT_ERROR(read_idx(file), message);
  };
  CHECK_INPUT_ERROR(read_idx(folder / "none"), "/none: expected a readable file; found no such file");
  refuses("ab", "expected an IDX file; found only 2 bytes");
  refuses("\x89PNG....", "00 00 08 03 for images); found magic 89 50 4e 47");
  refuses(idx_header({}), "found magic 00 00 08 00");
  refuses(idx_header({1, 1, 1, 1, 1}), "found magic 00 00 08 05");
  refuses(idx_header({1}, 0x0d),
          "expected IDX elements that are unsigned bytes (08); found 32-bit floats (0d)");
  refuses(idx_header({2, 3}).substr(0, 9), "expected 2 sizes in the IDX header; found the end of the file");
  refuses(idx_header({3, 0, 4}), "found a size of 0 along axis 1");
  refuses(idx_header({2, 2}) + "12345",
          "expected the end of the file behind its elements, (2,2); found more bytes");
}

TEST_CASE("idx: too few bytes, plain and compressed") {
  const TempFolder folder;
  put(folder / "plain", idx_header({100}) + "123");
  CHECK_INPUT_ERROR(read_idx(folder / "plain"), "promises, (100); found a file of 11 bytes");
  put(folder / "early", gzip(idx_header({100}) + "123"));
  CHECK_INPUT_ERROR(read_idx(folder / "early"), "found the end of the data 97 bytes early");
  const std::string packed = gzip(idx_images(10));
  put(folder / "cut", packed.substr(0, packed.size() - 9));
  CHECK_INPUT_ERROR(read_idx(folder / "cut"), "expected a whole gzip file; found its end after");
  put(folder / "trailer", packed.substr(0, packed.size() - 1));  // all pixels are there, the check is not
  CHECK_INPUT_ERROR(read_idx(folder / "trailer"), "expected a whole gzip file");
}

TEST_CASE("idx: a header that promises 4 billion images takes no memory") {
  const TempFolder folder;
  const std::string hostile = idx_header({0xffffffff, 28, 28}) + std::string(784, 'x');
  const std::string worst =
      idx_header({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff});  // overflows 64 bits
  // As many zeros as deflate can pack, and a promise beyond them.
  const std::string bomb = idx_header({1, 1, 1}) + std::string(64 * kMiB, '\0');
  int number = 0;
  for (const std::string& bytes : {hostile, gzip(hostile), worst, gzip(worst)}) {
    CAPTURE(number++);
    const std::string file = folder / "hostile";
    put(file, bytes);
    CHECK_INPUT_ERROR(read_idx(file), "bytes, which cannot hold that many; hint: the header is wrong");
    CHECK_INPUT_ERROR(read_idx_item(file, 0), "bytes, which cannot hold that many");
    if (has_memory_limit()) CHECK(outcome_within(64 * kMiB, [&] { read_idx(file); }) == "InputError");
  }
  put(folder / "bomb", gzip(bomb));
  CHECK_INPUT_ERROR(read_idx(folder / "bomb"), "found more bytes");
  if (has_memory_limit())
    CHECK(outcome_within(16 * kMiB, [&] { read_idx(folder / "bomb"); }) == "InputError");
}

TEST_CASE("idx: a compressed file is counted before a great promise becomes memory") {
  const TempFolder folder;
  // 150 kB that hold 150 MB of zeros, under a header that promises 156.8 MB: possible by the size of the
  // file.
  put(folder / "short", gzip(idx_header({200000, 28, 28}) + std::string(150'000'000, '\0')));
  CHECK_INPUT_ERROR(read_idx(folder / "short"), "found the end of the data 6800000 bytes early");
  CHECK(read_idx_item(folder / "short", 0).numel() == 784);
  put(folder / "item", gzip(idx_header({1, 12500, 12500}) + std::string(150'000'000, '\0')));
  CHECK_INPUT_ERROR(read_idx_item(folder / "item", 0), "found the end of the data 6250000 bytes early");
  if (has_memory_limit()) {
    CHECK(outcome_within(16 * kMiB, [&] { read_idx(folder / "short"); }) == "InputError");
    CHECK(outcome_within(16 * kMiB, [&] { read_idx_item(folder / "item", 0); }) == "InputError");
  }
  // A plain file of 2 GB takes no space on the disk when it is all holes.
  put(folder / "sparse", idx_header({2'000'000'000}));
  std::filesystem::resize_file(folder / "sparse", 2'000'000'008);
  CHECK_INPUT_ERROR(read_idx(folder / "sparse"), "expected at most 1073741824 elements");
}

TEST_CASE("idx: the memory limit of these tests bites") {
  if (!has_memory_limit()) return;
  CHECK(outcome_within(16 * kMiB, [] { Tensor::zeros({64 << 20}, DType::u8); }) == "bad_alloc");
}

TEST_CASE("idx: images, labels and other ranks, plain and compressed") {
  const TempFolder folder;
  put(folder / "images", idx_images(300, 5));
  put(folder / "labels", gzip(idx_labels(13)));
  const Tensor images = read_idx(folder / "images");
  CHECK(images.dtype() == DType::u8);
  CHECK(images.shape() == Shape{300, 5, 5});
  CHECK(images.at({7, 4, 4}) == 7.0);
  CHECK(images.at({258, 0, 0}) == 2.0);
  const Tensor labels = read_idx(folder / "labels");
  CHECK(labels.shape() == Shape{13});
  CHECK(labels.at({12}) == 2.0);
  put(folder / "colour", idx_header({1, 2, 1, 3}) + "abcdef");
  CHECK(read_idx(folder / "colour").at({0, 1, 0, 2}) == 'f');
}

TEST_CASE("idx: one item") {
  const TempFolder folder;
  put(folder / "images", idx_images(20, 5));
  put(folder / "packed", gzip(idx_images(20, 5)));
  put(folder / "labels", idx_labels(20));
  for (const char* name : {"images", "packed"}) {
    const Tensor item = read_idx_item(folder / name, 19);
    CHECK(item.shape() == Shape{5, 5});
    CHECK(item.at({4, 4}) == 19.0);
    CHECK_INPUT_ERROR(read_idx_item(folder / name, 20), "expected an item from 0 to 19; found item 20");
    CHECK_INPUT_ERROR(read_idx_item(folder / name, -1), "found item -1");
  }
  CHECK(read_idx_item(folder / "labels", 3).at({0}) == 3.0);
  put(folder / "short", gzip(idx_images(20, 5).substr(0, 400)));
  CHECK(read_idx_item(folder / "short", 14).at({0, 0}) == 14.0);
  CHECK_INPUT_ERROR(read_idx_item(folder / "short", 19), "found the end of the data 25 bytes early");
}
