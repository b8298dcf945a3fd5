#include "tensor/io.h"

#include <sys/stat.h>

#include "tensor/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::TempFolder;

TEST_CASE("reading throws for what is missing, a folder, or too large") {
  const TempFolder folder;
  CHECK_THROWS_SAYING(read_file(folder / "none"), InputError, "No such file");
  CHECK_THROWS_SAYING(read_file(folder.path()), InputError, "expected a regular file; found a folder");
  write_file_atomic(folder / "ten", "0123456789");
  CHECK_THROWS_SAYING(read_file(folder / "ten", 9), InputError, "expected at most 9 bytes; found 10 bytes");
}

TEST_CASE("what is written is read, folders are made, no temporary stays") {
  const TempFolder folder;
  const std::string bytes("a\0b\n", 4);
  write_file_atomic(folder / "deep/er/file", bytes);
  CHECK(read_file(folder / "deep/er/file") == bytes);
  write_file_atomic(folder / "deep/er/file", "");
  CHECK(read_file(folder / "deep/er/file").empty());
  CHECK_FALSE(std::filesystem::exists(folder / "deep/er/file.tmp"));
}

TEST_CASE("a write that fails says why and leaves the previous file") {
  const TempFolder folder;
  write_file_atomic(folder / "file", "good");
  // A folder where the temporary would go makes the write fail for root too.
  std::filesystem::create_directory(folder / "file.tmp");
  CHECK_THROWS_SAYING(write_file_atomic(folder / "file", "bad"), std::runtime_error,
                      "the previous file is unchanged");
  CHECK(read_file(folder / "file") == "good");
}

TEST_CASE("a full disk says so") {
  if (!std::filesystem::exists("/dev/full")) return;
  const TempFolder folder;
  write_file_atomic(folder / "file", "good");
  std::filesystem::create_symlink("/dev/full", folder / "file.tmp");
  CHECK_THROWS_SAYING(write_file_atomic(folder / "file", "bad"), std::runtime_error, "free some space");
  CHECK(read_file(folder / "file") == "good");
}
