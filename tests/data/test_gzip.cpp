#include "data/gzip.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/data/files.h"

using cbnet::data::ContentReader;
using namespace cbnet::test;

namespace {

std::string content_of(const std::string& path) {
  ContentReader reader(path);
  std::string out(1 << 20, '\0');
  out.resize(reader.read(out.data(), out.size()));
  return out;
}

}  // namespace

TEST_CASE("gzip: what cannot be opened is named") {
  const TempFolder folder;
  CHECK_INPUT_ERROR(ContentReader(folder / "none"), "/none: expected a readable file; found no such file");
  CHECK_INPUT_ERROR(ContentReader(folder.path()), "expected a regular file; found a folder");
}

TEST_CASE("gzip: content decides between plain and gzip, whatever the name") {
  const TempFolder folder;
  const std::string text = "some content, some content, some content";
  put(folder / "plain.gz", text);
  put(folder / "packed", gzip(text));
  put(folder / "empty", "");
  put(folder / "one", "\x1f");
  CHECK(content_of(folder / "plain.gz") == text);
  CHECK_FALSE(ContentReader(folder / "plain.gz").compressed());
  CHECK(content_of(folder / "packed") == text);
  CHECK(ContentReader(folder / "packed").compressed());
  CHECK(content_of(folder / "empty").empty());
  CHECK(content_of(folder / "one") == "\x1f");
}

TEST_CASE("gzip: reads and skips of any size give the bytes in order") {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i);
  put(folder / "plain", text);
  put(folder / "packed", gzip(text));
  for (const char* name : {"plain", "packed"}) {
    ContentReader reader(folder / name);
    CHECK(reader.skip(70001) == 70001);
    std::string part(3, '\0');
    CHECK(reader.read(part.data(), 3) == 3);
    CHECK(part == text.substr(70001, 3));
    CHECK(reader.skip(1 << 30) == text.size() - 70004);
    CHECK(reader.read(part.data(), 3) == 0);
  }
}

TEST_CASE("gzip: members follow one another") {
  const TempFolder folder;
  put(folder / "two", gzip("first, ") + gzip("second"));
  CHECK(content_of(folder / "two") == "first, second");
}

TEST_CASE("gzip: truncated, corrupt and followed by something else") {
  const TempFolder folder;
  const std::string whole = gzip(std::string(5000, 'a') + "some text");
  for (std::size_t length = 2; length < whole.size(); ++length) {
    put(folder / "cut", whole.substr(0, length));
    CHECK_INPUT_ERROR(content_of(folder / "cut"), "expected a whole gzip file; found its end after");
  }
  std::string corrupt = whole;
  corrupt[whole.size() - 6] = static_cast<char>(corrupt[whole.size() - 6] ^ 1);  // in the CRC
  put(folder / "corrupt", corrupt);
  CHECK_INPUT_ERROR(content_of(folder / "corrupt"), "corrupt data: incorrect data check");
  put(folder / "more", whole + "more");
  CHECK_INPUT_ERROR(content_of(folder / "more"), "corrupt data: other bytes behind its end");
}

TEST_CASE("gzip: the content's limit is known beforehand") {
  const TempFolder folder;
  const std::string bomb = gzip(std::string(8 * kMiB, '\0'));
  put(folder / "bomb", bomb);
  put(folder / "plain", "12345");
  CHECK(ContentReader(folder / "plain").content_limit_bytes() == 5);
  ContentReader reader(folder / "bomb");
  CHECK(reader.content_limit_bytes() == bomb.size() * 1100);
  CHECK(reader.skip(1 << 30) == 8 * kMiB);
  CHECK(reader.content_limit_bytes() > 8 * kMiB);  // deflate's best is within it
}
