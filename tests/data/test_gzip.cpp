#include "data/gzip.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <thread>

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

TEST_CASE("gzip: zero bytes behind the end are padding, of any length; what follows them is not") {
  const TempFolder folder;
  const std::string whole = gzip("some content");
  // The reader's buffer holds 65,536 bytes: padding that ends with it, goes on in the next, fills several.
  for (const std::size_t size : {std::size_t{1}, std::size_t{512}, 65536 - whole.size(), 65537 - whole.size(),
                                 std::size_t{65536}, std::size_t{1} << 20}) {
    CAPTURE(size);
    const std::string padding(size, '\0');
    put(folder / "padded", whole + padding);
    CHECK(content_of(folder / "padded") == "some content");
    put(folder / "two", whole + gzip("") + padding);
    CHECK(content_of(folder / "two") == "some content");
    for (const std::string& more : {std::string("x"), whole, std::string("\x1f")}) {
      put(folder / "more", whole + padding + more);
      CHECK_INPUT_ERROR(content_of(folder / "more"), "corrupt data: other bytes behind its end");
    }
  }
  put(folder / "empty", gzip("") + std::string(512, '\0'));
  CHECK(content_of(folder / "empty").empty());
  put(folder / "between", gzip("") + gzip("second") + gzip(""));
  CHECK(content_of(folder / "between") == "second");
  // Padding of what is not compressed is content.
  put(folder / "plain", std::string("ab\0\0", 4));
  CHECK(content_of(folder / "plain") == std::string("ab\0\0", 4));
}

TEST_CASE("gzip: a reader that asks byte by byte meets the padding as well") {
  const TempFolder folder;
  put(folder / "padded", gzip("abc") + std::string(70000, '\0'));
  ContentReader reader(folder / "padded");
  char byte = 0;
  for (const char expected : {'a', 'b', 'c'}) {
    CHECK(reader.read(&byte, 1) == 1);
    CHECK(byte == expected);
  }
  CHECK(reader.read(&byte, 1) == 0);
  CHECK(reader.read(&byte, 1) == 0);
  reader.rewind();
  CHECK(reader.skip(10) == 3);
}

TEST_CASE("gzip: a pipe is read, and read again") {
  const TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i);
  for (const std::string& bytes : {text, gzip(text), gzip(text) + std::string(70000, '\0')}) {
    std::thread writer([&] { cbnet::write_file_atomic(pipe, bytes); });
    ContentReader reader(pipe);
    writer.join();
    CHECK(reader.file_size_bytes() == bytes.size());
    for (int again = 0; again < 2; ++again) {
      std::string out(1 << 20, '\0');
      out.resize(reader.read(out.data(), out.size()));
      CHECK(out == text);
      reader.rewind();
    }
  }
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
