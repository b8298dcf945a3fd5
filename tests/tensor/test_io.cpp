#include "tensor/io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>
#include <vector>

#include "tensor/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"
#include "tests/support/without_root.h"

using namespace cbnet;
using cbnet::testing::contains;
using cbnet::testing::message_without_root;
using cbnet::testing::TempFolder;

namespace {
/// Sorted, each with a blank behind it.
std::string names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  std::string out;
  for (const std::string& name : names) out += name + " ";
  return out;
}
}  // namespace

TEST_CASE("reading throws for what is missing, a folder, or too large") {
  const TempFolder folder;
  CHECK_THROWS_SAYING(read_file(folder / "none"), InputError, "No such file");
  CHECK_THROWS_SAYING(read_file(folder.path()), InputError, "expected a regular file; found a folder");
  write_file_atomic(folder / "ten", "0123456789");
  CHECK_THROWS_SAYING(read_file(folder / "ten", 9), InputError, "expected at most 9 bytes; found 10 bytes");
}

TEST_CASE("a pipe and a device are read to their end, within the limit") {
  const TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::string bytes(300'000, 'p');  // more than a pipe holds at once
  const auto read_from_pipe = [&](std::size_t limit_bytes) {
    std::thread writer([&] {
      const int file = ::open(pipe.c_str(), O_WRONLY | O_CLOEXEC);
      for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t put = ::write(file, bytes.data() + done, bytes.size() - done);
        if (put < 0) break;  // the reader has left
        done += static_cast<std::size_t>(put);
      }
      ::close(file);
    });
    std::string out;
    try {
      out = read_file(pipe, limit_bytes);
    } catch (const InputError& error) {
      out = error.what();
    }
    writer.join();
    return out;
  };
  CHECK(read_from_pipe(1 << 20) == bytes);
  CHECK(read_from_pipe(300'000) == bytes);
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  CHECK(contains(read_from_pipe(299'999), "expected at most 299999 bytes; found more"));
  std::signal(SIGPIPE, handler);
  CHECK(read_file("/dev/null").empty());
  CHECK_THROWS_SAYING(read_file("/dev/zero", 1000), InputError, "expected at most 1000 bytes; found more");
}

TEST_CASE("\"-\" is the standard input, from where it stands") {
  const TempFolder folder;
  write_file_atomic(folder / "file", "0123456789");
  const int before = ::dup(STDIN_FILENO);
  const int file = ::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(::lseek(file, 4, SEEK_SET) == 4);
  ::dup2(file, STDIN_FILENO);
  CHECK(read_file("-") == "456789");
  CHECK(read_file("-").empty());
  ::dup2(before, STDIN_FILENO);
  ::close(before);
  ::close(file);
}

TEST_CASE("a temporary folder is fresh, and goes with all that is in it") {
  std::filesystem::path path;
  {
    const TemporaryFolder folder, other;
    path = folder.path();
    CHECK(other.path() != path);
    write_file_atomic(folder / "deep/file", "text");
    CHECK(std::filesystem::exists(path / "deep/file"));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("what is written is read, folders are made, no temporary stays") {
  const TempFolder folder;
  const std::string bytes("a\0b\n", 4);
  write_file_atomic(folder / "deep/er/file", bytes);
  CHECK(read_file(folder / "deep/er/file") == bytes);
  write_file_atomic(folder / "deep/er/file", "");
  CHECK(read_file(folder / "deep/er/file").empty());
  CHECK(names_in(folder / "deep/er") == "file ");
}

TEST_CASE("a write that fails says why and leaves the previous file") {
  const TempFolder folder;
  write_file_atomic(folder / "file", "good");
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const std::string said = message_without_root([&] { write_file_atomic(folder / "file", "bad"); });
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  CHECK_MESSAGE(contains(said, "Permission denied; the previous file is unchanged; hint: choose a folder"),
                said);
  CHECK(read_file(folder / "file") == "good");
  CHECK_THROWS_SAYING(write_file_atomic(folder.path(), "bad"), std::runtime_error, "Is a directory");
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
  CHECK(names_in(folder.path()) == "file ");
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

TEST_CASE("links are followed to what they lead to, which may be missing, but not in circles") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "other");
  std::filesystem::create_symlink("other/real", folder / "second");
  std::filesystem::create_symlink("second", folder / "first");
  write_file_atomic(folder / "first", "made");
  CHECK(read_file(folder / "other/real") == "made");
  CHECK(std::filesystem::is_symlink(folder / "second"));
  std::filesystem::create_symlink("nowhere/real", folder / "lost");
  CHECK_THROWS_SAYING(write_file_atomic(folder / "lost", "x"), std::runtime_error, "No such file");
  std::filesystem::create_symlink("circle", folder / "circle");
  CHECK_THROWS_SAYING(write_file_atomic(folder / "circle", "x"), std::runtime_error, "symbolic links");
  CHECK(names_in(folder.path()) == "circle first lost other second ");
}

TEST_CASE("a descriptor is written from where it stands, by each of its names") {
  const TempFolder folder;
  const std::string log = folder / "log";
  write_file_atomic(log, "old\n");
  struct stat before {};
  REQUIRE(::stat(log.c_str(), &before) == 0);
  const int out = ::dup(STDOUT_FILENO);
  std::string expected = "old\n";
  for (const int mode : {O_APPEND, 0}) {
    const int file = ::open(log.c_str(), O_WRONLY | O_CLOEXEC | mode);
    REQUIRE(file >= 0);
    if (mode == 0) REQUIRE(::lseek(file, 0, SEEK_END) > 0);
    const std::string number = std::to_string(file);
    std::filesystem::remove(folder / "link");
    std::filesystem::create_symlink("/dev/fd/" + number, folder / "link");
    for (const std::string& name :
         {"/dev/fd/" + number, "/proc/self/fd/" + number,
          "/proc/" + std::to_string(::getpid()) + "/fd/" + number, std::string(folder / "link")}) {
      write_file_atomic(name, name + "\n");
      expected += name + "\n";
    }
    // doctest writes to the standard output, too: nothing may fail in here.
    std::fflush(stdout);
    ::dup2(file, STDOUT_FILENO);
    write_file_atomic("/dev/stdout", "out\n");
    write_file_atomic("-", "dash\n");
    ::dup2(out, STDOUT_FILENO);
    expected += "out\ndash\n";
    ::close(file);
  }
  ::close(out);
  CHECK(read_file(log) == expected);
  struct stat after {};
  REQUIRE(::stat(log.c_str(), &after) == 0);
  CHECK(after.st_ino == before.st_ino);
  CHECK(names_in(folder.path()) == "link log ");
  CHECK_FALSE(std::filesystem::exists("-"));
  CHECK_THROWS_SAYING(write_file_atomic("/dev/fd/987", "x"), std::runtime_error, "Bad file descriptor");
}

TEST_CASE("a pipe gets the bytes") {
  const TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::string bytes(300'000, 'p');
  std::thread writer([&] { write_file_atomic(pipe, bytes); });
  CHECK(read_file(pipe) == bytes);
  writer.join();
  CHECK(std::filesystem::is_fifo(pipe));

  int ends[2] = {-1, -1};  // one that does not block
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  std::thread second([&] {
    write_file_atomic("/dev/fd/" + std::to_string(ends[1]), bytes);
    ::close(ends[1]);
  });
  CHECK(read_file("/dev/fd/" + std::to_string(ends[0])) == bytes);
  second.join();
  ::close(ends[0]);
}

TEST_CASE("what stands beside the file under another program's names is left alone") {
  const TempFolder folder;
  write_file_atomic(folder / "victim", "precious");
  std::filesystem::create_hard_link(folder / "victim", folder / "a.tmp");
  std::filesystem::create_symlink("victim", folder / "b.tmp");
  REQUIRE(::mkfifo((folder / "c.tmp").c_str(), 0600) == 0);
  std::filesystem::create_directory(folder / "d.tmp");
  for (const char* name : {"a", "b", "c", "d"}) {
    write_file_atomic(folder / name, "new");
    CHECK(read_file(folder / name) == "new");
  }
  CHECK(read_file(folder / "victim") == "precious");
  CHECK(std::filesystem::hard_link_count(folder / "victim") == 2);
  CHECK(names_in(folder.path()) == "a a.tmp b b.tmp c c.tmp d d.tmp victim ");
}

TEST_CASE("the permissions of the file that is replaced stay, and a new one gets what the umask leaves") {
  const TempFolder folder;
  const auto mode_of = [&](const char* name) {
    struct stat status {};
    REQUIRE(::stat((folder / name).c_str(), &status) == 0);
    return status.st_mode & 07777;
  };
  const mode_t before = ::umask(027);
  write_file_atomic(folder / "new", "x");
  ::umask(before);
  CHECK(mode_of("new") == 0640);
  for (const mode_t mode : {0600U, 0664U, 0444U, 0755U}) {
    REQUIRE(::chmod((folder / "new").c_str(), mode) == 0);
    write_file_atomic(folder / "new", "y");
    CHECK(mode_of("new") == mode);
  }
  if (::geteuid() != 0) return;
  REQUIRE(::chown((folder / "new").c_str(), 1234, 5678) == 0);
  write_file_atomic(folder / "new", "z");
  struct stat status {};
  REQUIRE(::stat((folder / "new").c_str(), &status) == 0);
  CHECK(status.st_uid == 1234);
  CHECK(status.st_gid == 5678);
}

TEST_CASE(
    "what a killed writer left goes with the next write; that of a living one and a user's files stay") {
  const TempFolder folder;
  const std::string left = "file.cbnet-0123456789abcdef.tmp";
  const std::string held = "file.cbnet-fedcba9876543210.tmp";
  const std::string others = "file.cbnet-0123456789ABCDEF.tmp";
  for (const std::string& name : {left, held, others, std::string("other.cbnet-0123456789abcdef.tmp")}) {
    std::ofstream file(folder / name);
    file << "half";
  }
  const int living = ::open((folder / held).c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(living, LOCK_EX) == 0);
  write_file_atomic(folder / "file", "x");
  CHECK(names_in(folder.path()) == "file " + others + " " + held + " other.cbnet-0123456789abcdef.tmp ");
  ::close(living);
  write_file_atomic(folder / "file", "y");
  CHECK_FALSE(std::filesystem::exists(folder / held));
}

TEST_CASE("a name as long as a folder takes") {
  const TempFolder folder;
  const std::string name(255, 'n');
  write_file_atomic(folder / name, "x");
  write_file_atomic(folder / name, "y");
  CHECK(read_file(folder / name) == "y");
  CHECK(names_in(folder.path()) == name + " ");
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
  CHECK(names_in(folder.path()) == "file ");
}
