#include "data/checksum.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/data/files.h"

using cbnet::data::Md5;
using cbnet::data::md5_content;
using cbnet::data::md5_file;
using namespace cbnet::test;

namespace {

std::string md5(const std::string& bytes) {
  Md5 sum;
  sum.update(bytes.data(), bytes.size());
  return sum.finish();
}

}  // namespace

TEST_CASE("checksum: a missing file is named") {
  const TempFolder folder;
  CHECK_INPUT_ERROR(md5_file(folder / "none"), "/none: expected a readable file");
  CHECK_INPUT_ERROR(md5_content(folder / "none"), "/none: expected a readable file");
}

TEST_CASE("checksum: the test suite of RFC 1321, appendix A.5") {
  CHECK(md5("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(md5("a") == "0cc175b9c0f1b6a831c399e269772661");
  CHECK(md5("abc") == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(md5("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  CHECK(md5("abcdefghijklmnopqrstuvwxyz") == "c3fcd3d76192e4007dfb496cca67e13b");
  CHECK(md5("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
        "d174ab98d277d9f5a5611c2c9f419d9f");
  CHECK(md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
        "57edf4a22be3c955ac49da2e2107b67a");
}

TEST_CASE("checksum: the pieces in which bytes arrive do not matter") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i);
  for (std::size_t piece = 1; piece < 150; ++piece) {
    Md5 sum;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      sum.update(text.data() + at, std::min(piece, text.size() - at));
    }
    CHECK(sum.finish() == md5(text));
  }
}

TEST_CASE("checksum: of a file, and of its content") {
  const TempFolder folder;
  const std::string text(200000, 'x');
  put(folder / "plain", text);
  put(folder / "packed.gz", gzip(text));
  CHECK(md5_file(folder / "plain") == md5(text));
  CHECK(md5_content(folder / "plain") == md5(text));
  CHECK(md5_file(folder / "packed.gz") == md5(gzip(text)));
  CHECK(md5_content(folder / "packed.gz") == md5(text));
}
