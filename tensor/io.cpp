#include "tensor/io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "tensor/error.h"

namespace cbnet {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string hint_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; hint: free some space or write to another disk";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; hint: choose a folder you may write to";
    default:
      return "";
  }
}

[[noreturn]] void throw_write_error(const std::filesystem::path& path, int error) {
  throw std::runtime_error(concat("cannot write ", path.string(), ": ", std::strerror(error),
                                  std::filesystem::exists(path) ? "; the previous file is unchanged" : "",
                                  hint_for(error)));
}

/// 0, or the error number.
int write_all(int file, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(file, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    done += static_cast<std::size_t>(put);
  }
  return 0;
}

/// An empty file of that name which no other process writes: writers of one path take turns, and one that
/// waited finds its file renamed away. -1 and errno when it cannot be.
int open_temporary(const std::string& name) {
  for (;;) {
    FileDescriptor file(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    struct stat opened {};
    struct stat named {};
    if (file.get() < 0) return -1;
    while (::flock(file.get(), LOCK_EX) != 0 && errno == EINTR) {  // where it cannot lock, it is as before
    }
    if (::fstat(file.get(), &opened) != 0) return -1;
    if (::stat(name.c_str(), &named) != 0 || named.st_ino != opened.st_ino) continue;
    if (::ftruncate(file.get(), 0) != 0) return -1;
    return file.release();
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  const FileDescriptor file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe must not block
  if (file.get() < 0) throw InputError(path.string(), "a readable file", std::strerror(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    throw InputError(path.string(), "a regular file",
                     S_ISDIR(status.st_mode) ? "a folder" : "something else");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit_bytes) {
    throw InputError(path.string(), concat("at most ", limit_bytes, " bytes"), concat(size, " bytes"));
  }
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw InputError(path.string(), "a readable file", std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

void write_file_atomic(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw_write_error(path, error.value());

  // Links are followed, and what is no file, such as /dev/stdout, cannot be replaced by one.
  std::filesystem::path target = std::filesystem::canonical(path, error);
  if (error) target = path;
  if (std::filesystem::exists(target, error) && !std::filesystem::is_regular_file(target, error)) {
    const FileDescriptor device(::open(target.c_str(), O_WRONLY | O_CLOEXEC));
    const int failed = device.get() < 0 ? errno : write_all(device.get(), bytes);
    if (failed != 0) throw_write_error(path, failed);
    return;
  }

  const std::string temporary = target.string() + ".tmp";
  FileDescriptor file(open_temporary(temporary));
  if (file.get() < 0) throw_write_error(path, errno);
  const auto fail = [&](int failed) {
    ::unlink(temporary.c_str());
    throw_write_error(path, failed);
  };
  if (const int failed = write_all(file.get(), bytes)) fail(failed);
  if (::fsync(file.get()) != 0) fail(errno);
  // Renamed while still open, and so still locked against another writer of the same name.
  if (::rename(temporary.c_str(), target.c_str()) != 0) fail(errno);

  // The rename itself must survive a power cut too.
  const FileDescriptor directory(::open(target.has_parent_path() ? target.parent_path().c_str() : ".",
                                        O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

}  // namespace cbnet
