#include "data/npz.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Shape;
using cbnet::Tensor;
using cbnet::data::is_zip;
using cbnet::data::read_npz;
using namespace cbnet::test;

namespace {

// A field of the only entry in the archive's central directory (PKWARE's APPNOTE, 4.3.12).
void patch_directory(const std::string& path, std::size_t offset, std::uint32_t value) {
  std::string bytes = cbnet::read_file(path);
  const std::size_t at = bytes.find("PK\x01\x02") + offset;
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i) & 255);
  put(path, bytes);
}

}  // namespace

TEST_CASE("npz: bad arrays, each with its own message") {
  const TempFolder folder;
  const std::string file = folder / "file.npz";
  const auto refuses = [&](const std::string& array, const std::string& message) {
    CAPTURE(message);
    put_zip(file, "arr_0.npy", array);
    CHECK_INPUT_ERROR(read_npz(file), message);
  };
  refuses("short", "file.npz[arr_0.npy]: expected a .npy array; found 5 bytes");
  refuses(std::string(100, 'x'), "expected a .npy array (magic \\x93NUMPY); found other bytes");
  refuses(npy("|u1", "(2,)", "ab", "False", 3), "expected .npy format 1 or 2; found format 3.0");
  refuses(npy(">i4", "(1,)", "abcd"), "found type >i4");
  refuses(npy("|O", "(1,)", "abcd"), "found type |O");
  refuses(npy("|u1", "(2, 2)", "abcd", "True"), "expected C order; found Fortran order");
  refuses(npy("|u1", "()", "a"), "expected a shape of 1 to 4 positive sizes; found ()");
  refuses(npy("|u1", "(0, 3)", ""), "positive sizes; found (0, 3)");
  refuses(npy("|u1", "(-1,)", "a"), "positive sizes; found (-1,)");
  refuses(npy("|u1", "(1, 1, 1, 1, 1)", "a"), "positive sizes; found (1, 1, 1, 1, 1)");
  refuses(npy("|u1", "(99999999999999999999,)", "a"), "positive sizes; found (999");
  refuses(npy("|u1", "(3,)", "ab"), "expected elements for its shape (3); found 2 bytes");
  refuses(npy("|u1", "(3,)", "abcd"), "expected elements for its shape (3); found 4 bytes");
  refuses("\x93NUMPY\x01" + std::string("\0\x0a\0{'nothing'", 13),
          "expected a key 'descr' in the .npy header; found none");
  refuses("\x93NUMPY\x02" + std::string("\0\xff\xff\xff\x7f  ", 7),
          "expected a .npy header of at most 65536 bytes");
  refuses(std::string("\x93NUMPY\x01\0\xff\x00{", 11), "the end of the member (truncated)");
}

TEST_CASE("npz: values that a byte cannot hold") {
  const TempFolder folder;
  const std::string file = folder / "file.npz";
  const auto refuses = [&](const std::string& descr, const std::string& data, const std::string& message) {
    CAPTURE(message);
    put_zip(file, "arr_0.npy", npy(descr, "(2,)", data));
    CHECK_INPUT_ERROR(read_npz(file), message);
  };
  refuses("<f4", bytes_of<float>({1.0F, std::nanf("")}),
          "expected values from 0 to 255; found nan at position 1");
  refuses("<f8", bytes_of<double>({1.0, std::numeric_limits<double>::infinity()}), "found inf at position 1");
  refuses("<f8", bytes_of<double>({-1.0, 0.0}), "found -1 at position 0");
  refuses("<f4", bytes_of<float>({0.0F, 256.0F}), "found 256 at position 1");
  refuses("<f4", bytes_of<float>({0.0F, 0.5F}),
          "expected whole numbers from 0 to 255; found 0.5 at position 1; hint: multiply");
  refuses("<i8", bytes_of<std::int64_t>({0, std::int64_t{1} << 40}), "found 1.09951e+12 at position 1");
  refuses("<i4", bytes_of<std::int32_t>({-7, 0}), "found -7 at position 0");
}

TEST_CASE("npz: bad archives") {
  const TempFolder folder;
  CHECK_INPUT_ERROR(read_npz(folder / "none.npz"), "none.npz: expected a file; found no such file");
  put(folder / "text.npz", "not a zip archive at all");
  CHECK_INPUT_ERROR(read_npz(folder / "text.npz"), "expected an .npz archive (zip); found Not a zip archive");
  put_zip(folder / "other.npz", "images.npy", npy("|u1", "(2,)", "ab"));
  CHECK_INPUT_ERROR(read_npz(folder / "other.npz"), "expected a member named arr_0.npy; found images.npy");
  CHECK(read_npz(folder / "other.npz", "images").numel() == 2);
  put_zip(folder / "bz.npz", "arr_0.npy", npy("|u1", "(2,)", "ab"), ZIP_CM_STORE);
  patch_directory(folder / "bz.npz", 10, ZIP_CM_BZIP2);
  CHECK_INPUT_ERROR(read_npz(folder / "bz.npz"),
                    "expected a stored or deflated member; found compression method 12");

  std::string damaged;
  put_zip(folder / "damaged.npz", "arr_0.npy", npy("|u1", "(40,)", std::string(40, 'a')), ZIP_CM_STORE);
  damaged = cbnet::read_file(folder / "damaged.npz");
  damaged[damaged.find("aaaaaaaa") + 20] = 'b';
  put(folder / "damaged.npz", damaged);
  CHECK_INPUT_ERROR(read_npz(folder / "damaged.npz"), "damaged data");
  const std::string whole = cbnet::read_file(folder / "other.npz");
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    put(folder / "cut.npz", whole.substr(0, length));
    CHECK_THROWS_AS(read_npz(folder / "cut.npz", "images"), cbnet::InputError);
  }
}

TEST_CASE("npz: empty promises take no memory") {
  const TempFolder folder;
  put_zip(folder / "shape.npz", "arr_0.npy", npy("|u1", "(4000000000, 28, 28)", "ab"));
  CHECK_INPUT_ERROR(read_npz(folder / "shape.npz"),
                    "expected elements for its shape (4000000000,28,28); found 2 bytes");
  put_zip(folder / "overflow.npz", "arr_0.npy", npy("<f8", "(4294967296, 4294967296, 4294967296)", "ab"));
  CHECK_INPUT_ERROR(read_npz(folder / "overflow.npz"), "expected elements for its shape (4294967296");
  put_zip(folder / "size.npz", "arr_0.npy", npy("|u1", "(4000000000,)", "ab"));
  patch_directory(folder / "size.npz", 24, 4000000128U);  // the header's 128 bytes and 4 billion elements
  CHECK_INPUT_ERROR(read_npz(folder / "size.npz"),
                    "expected the 4000000128 bytes that the archive promises; found");
  patch_directory(folder / "size.npz", 20, 4000000128U);  // and as many compressed ones
  CHECK_THROWS_AS(read_npz(folder / "size.npz"), cbnet::InputError);
  if (!has_memory_limit()) return;
  for (const char* name : {"shape.npz", "overflow.npz", "size.npz"}) {
    CHECK(outcome_within(64 * kMiB, [&] { read_npz(folder / name); }) == "InputError");
  }
}

TEST_CASE("npz: a deflated member is counted before a great promise becomes memory") {
  const TempFolder folder;
  put_zip(folder / "short.npz", "arr_0.npy", npy("|u1", "(80000000,)", std::string(70'000'000, '\0')));
  patch_directory(folder / "short.npz", 24, 80000128U);
  CHECK_THROWS_AS(read_npz(folder / "short.npz"), cbnet::InputError);
  if (has_memory_limit())
    CHECK(outcome_within(16 * kMiB, [&] { read_npz(folder / "short.npz"); }) == "InputError");
}

TEST_CASE("npz: every type and both formats, stored and deflated") {
  const TempFolder folder;
  const std::string file = folder / "file.npz";
  const std::vector<double> values{0, 1, 2, 128, 254, 255};
  const auto reads = [&](const std::string& descr, const std::string& data) {
    for (const int version : {1, 2}) {
      for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
        put_zip(file, "arr_0.npy", npy(descr, "(1, 2, 3)", data, "False", version), method);
        const Tensor array = read_npz(file);
        CHECK(array.dtype() == DType::u8);
        CHECK(array.shape() == Shape{1, 2, 3});
        CHECK(array.to_vector<double>() == values);
      }
    }
  };
  reads("|u1", bytes_of<std::uint8_t>({0, 1, 2, 128, 254, 255}));
  reads("<i4", bytes_of<std::int32_t>({0, 1, 2, 128, 254, 255}));
  reads("<i8", bytes_of<std::int64_t>({0, 1, 2, 128, 254, 255}));
  reads("<f4", bytes_of<float>({0, 1, 2, 128, 254, 255}));
  reads("<f8", bytes_of<double>(values));
}

TEST_CASE("npz: more elements than one chunk, and what a zip file is") {
  const TempFolder folder;
  std::string data;
  for (int i = 0; i < 100003; ++i) data += static_cast<char>(i % 251);
  put_zip(folder / "big.npz", "arr_0.npy", npy("|u1", "(100003,)", data));
  const Tensor array = read_npz(folder / "big.npz");
  CHECK(array.at({100002}) == 100002 % 251);
  CHECK(array.at({40000}) == 40000 % 251);
  CHECK(is_zip(folder / "big.npz"));
  put(folder / "text", "Pk");
  CHECK_FALSE(is_zip(folder / "text"));
  CHECK_FALSE(is_zip(folder / "none"));
}
