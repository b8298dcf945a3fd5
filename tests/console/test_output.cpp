#include "console/output.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmath>

#include "tensor/error.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"
#include "tests/support/without_root.h"

using namespace cbnet;
using cbnet::testing::contains;
using cbnet::testing::message_without_root;
using cbnet::testing::TempFolder;

TEST_CASE("columns are aligned by characters, not bytes") {
  Table table({"a", "1 ± 2", "x"}, 1, 0);
  table.add({"bbb", "10", ""});
  CHECK(table.text() ==
        "a    1 ± 2  x\n"
        "bbb     10\n");
  CHECK(table.size() == 2);
  Table left({"a", "b", "c"}, 2);
  left.add({"long", "", "1"});
  CHECK(left.text() ==
        "  a     b  c\n"
        "  long     1\n");
}

TEST_CASE("a table as Markdown, its first columns to the left") {
  Table table({"a", "b"}, 1);
  table.add({"x", "1.5"});
  CHECK(table.markdown() == "| a | b |\n|---|---:|\n| x | 1.5 |\n");
}

TEST_CASE("numbers as people read them") {
  CHECK(fixed(12.345678, 2) == "12.35");
  CHECK(fixed(std::nullopt, 2) == "-");
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1140070) == "1,140,070");
  CHECK(grouped(-1000) == "-1,000");
  CHECK(percent(0.89123) == "89.12 %");
  CHECK(percent(std::nan("")) == "-");
  CHECK(duration_text(75) == "1:15");
  CHECK(duration_text(3700) == "1:01:40");
  CHECK(duration_text(-1) == "0:00");
}

TEST_CASE("a report is refused up front where it could not be written") {
  const TempFolder folder;
  CHECK_THROWS_SAYING(check_writable("--json", ""), InputError, "--json: expected a file name");
  CHECK_THROWS_SAYING(check_writable("--json", folder.path()), InputError,
                      "expected a file to write to; found a folder");
  write_file_atomic(folder / "file", "");
  CHECK_THROWS_SAYING(check_writable("--json", folder / "file/report.json"), InputError, "found a file");
  CHECK_NOTHROW(check_writable("--json", folder / "new/deeper/report.json"));
  CHECK_NOTHROW(check_writable("--json", "report.json"));
  CHECK_NOTHROW(check_writable("--json", "/dev/stdout"));
  CHECK_FALSE(std::filesystem::exists(folder / "new"));

  // A file that is there does not help: it is replaced in its folder, not written over.
  write_file_atomic(folder / "kept/report.json", "");
  std::filesystem::permissions(folder / "kept", std::filesystem::perms(0555));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  for (const char* name : {"kept/report.json", "kept/other.json", "kept/new/report.json"}) {
    const std::string said = message_without_root([&] { check_writable("--json", folder / name); });
    CHECK_MESSAGE(contains(said, "that can be written to at " + (folder / "kept").string()), said);
    CHECK_MESSAGE(contains(said, "Permission denied"), said);
  }
  std::filesystem::permissions(folder / "kept", std::filesystem::perms(0755));
}

TEST_CASE("a link to a file is written where the file stands, a descriptor only where it is open to write") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "there");
  std::filesystem::create_symlink("there/report.json", folder / "link");
  CHECK_NOTHROW(check_writable("--json", folder / "link"));
  std::filesystem::permissions(folder / "there", std::filesystem::perms(0555));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const std::string said = message_without_root([&] { check_writable("--json", folder / "link"); });
  CHECK_MESSAGE(contains(said, "that can be written to at " + (folder / "there").string()), said);
  std::filesystem::permissions(folder / "there", std::filesystem::perms(0755));

  const int reads = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const std::string name = "/dev/fd/" + std::to_string(reads);
  CHECK_THROWS_SAYING(check_writable("--json", name), InputError, "found one to read from");
  ::close(reads);
  CHECK_THROWS_SAYING(check_writable("--json", name), InputError, "found Bad file descriptor");
}

TEST_CASE("the size of what was written is that of a file") {
  const TempFolder folder;
  write_file_atomic(folder / "file", "12345");
  std::filesystem::create_symlink("file", folder / "link");
  CHECK(written_bytes(folder / "link") == 5);
  CHECK_FALSE(written_bytes("-"));
  CHECK_FALSE(written_bytes("/dev/null"));
}

TEST_CASE("names that are no UTF-8 do not cost the report") {
  const TempFolder folder;
  write_report(folder / "report.json", {{"file", "caf\xe9"}});
  CHECK(Json::parse(read_file(folder / "report.json")).at("file") == "caf\xef\xbf\xbd");
  write_report("", {{"file", "nowhere"}});
}
