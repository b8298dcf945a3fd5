#include "tensor/io.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tensor/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::TempFolder;

TEST_CASE("reading throws for what is missing, a folder, or too large") {
  const TempFolder folder;
  CHECK_THROWS_SAYING(read_file(folder / "none"), InputError, "No such file");
  CHECK_THROWS_SAYING(read_file(folder.path()), InputError, "expected a regular file; found a folder");
  // A pipe that nobody writes into would block whoever opens it to read.
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_SAYING(read_file(folder / "pipe"), InputError, "expected a regular file");
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
  CHECK_THROWS_SAYING(write_file_atomic("/dev/full", "bad"), std::runtime_error, "free some space");
}

TEST_CASE("a write that fails in the middle leaves the previous file and no temporary") {
  const TempFolder folder;
  write_file_atomic(folder / "file", "good");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = 4096;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  CHECK_THROWS_SAYING(write_file_atomic(folder / "file", std::string(10000, 'b')), std::runtime_error,
                      "the previous file is unchanged");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(read_file(folder / "file") == "good");
  CHECK_FALSE(std::filesystem::exists(folder / "file.tmp"));
}

TEST_CASE("a device stays a device, and a link a link") {
  const TempFolder folder;
  write_file_atomic("/dev/null", "gone");
  CHECK(std::filesystem::is_character_file("/dev/null"));
  write_file_atomic(folder / "real", "old");
  std::filesystem::create_symlink("real", folder / "link");
  write_file_atomic(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_file(folder / "real") == "new");
}

TEST_CASE("many writers of one path leave one whole file") {
  const TempFolder folder;
  constexpr int kWriters = 4;
  constexpr std::size_t kSize = 100'000;
  for (int writer = 0; writer < kWriters; ++writer) {
    if (::fork() != 0) continue;
    for (int i = 0; i < 20; ++i)
      write_file_atomic(folder / "file", std::string(kSize, static_cast<char>('a' + writer)));
    ::_exit(0);
  }
  int status = 0;
  for (int writer = 0; writer < kWriters; ++writer) {
    REQUIRE(::wait(&status) > 0);
    CHECK(status == 0);
    const std::string bytes = read_file(folder / "file");
    CHECK(bytes == std::string(kSize, bytes.front()));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "file.tmp"));
}
