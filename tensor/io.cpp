#include "tensor/io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <random>
#include <system_error>
#include <utility>

#include "tensor/error.h"

namespace cbnet {
namespace {

namespace fs = std::filesystem;

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
  void reset(int fd) { fd_ = fd; }

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

[[noreturn]] void throw_write_error(const fs::path& path, int error, bool keeps_previous = false) {
  throw std::runtime_error(concat("cannot write ", path == "-" ? "the standard output" : path.string(), ": ",
                                  std::strerror(error),
                                  keeps_previous ? "; the previous file is unchanged" : "", hint_for(error)));
}

/// Tells whether the call that failed is worth another try. A descriptor that does not block is waited for.
bool try_again(int file, short event) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
  pollfd waiting{file, event, 0};
  return ::poll(&waiting, 1, -1) > 0 || errno == EINTR;
}

/// Returns 0 or the error number.
int write_all(int file, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(file, bytes.data() + done, bytes.size() - done);
    if (put < 0 && try_again(file, POLLOUT)) continue;
    if (put < 0) return errno;
    done += static_cast<std::size_t>(put);
  }
  return 0;
}

/// Tells whether the canonical `folder` is where this process's descriptors stand by their numbers.
bool holds_descriptors(const fs::path& folder) {
  if (folder == "/dev/fd") return true;
  std::error_code error;
  for (const char* self : {"/proc/self", "/proc/thread-self"}) {
    const fs::path own = fs::canonical(self, error);
    if (!error && folder == own / "fd") return true;
  }
  return false;
}

/// Tells whether the canonical `folder` holds the descriptors of any process; its links lead to no path.
bool is_descriptor_folder(const fs::path& folder) {
  return folder.filename() == "fd" && folder.string().starts_with("/proc/");
}

/// Returns -1 when the text is no number.
int parse_number(const std::string& text) {
  int number = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && number >= 0 ? number : -1;
}

constexpr std::string_view kMark = ".cbnet-";
constexpr std::string_view kEnding = ".tmp";
constexpr std::size_t kDigits = 16;

/// Names a file "<name>.cbnet-<16 hexadecimal digits nobody can foretell>.tmp".
std::string random_name(const std::string& name) {
  constexpr char kHexadecimal[] = "0123456789abcdef";
  std::random_device random;
  std::string out = name + std::string(kMark);
  for (std::size_t i = 0; i < kDigits; ++i) out += kHexadecimal[random() % 16];
  return out + std::string(kEnding);
}

bool is_random_name(std::string_view text, const std::string& name) {
  if (text.size() != name.size() + kMark.size() + kDigits + kEnding.size() || !text.starts_with(name) ||
      !text.ends_with(kEnding))
    return false;
  const std::string_view digits = text.substr(name.size() + kMark.size(), kDigits);
  return text.substr(name.size(), kMark.size()) == kMark &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Removes what writers of `name` that were killed have left in `folder`: a living one holds a lock on its.
void remove_leftovers(const fs::path& folder, const std::string& name) {
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const fs::path& path = at->path();
    if (!is_random_name(path.filename().string(), name)) continue;
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    const bool own = file.get() >= 0 && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                     status.st_nlink == 1 && status.st_uid == ::geteuid();
    if (own && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  }
}

/// Takes owner, group and permissions of the file that stood here; where they cannot all be kept, nobody else
/// may do more than before.
void keep_access(int file, const struct stat& before) {
  const bool group = ::fchown(file, static_cast<uid_t>(-1), before.st_gid) == 0;
  const bool owner = ::fchown(file, before.st_uid, static_cast<gid_t>(-1)) == 0;
  mode_t mode = before.st_mode & (group && owner ? 07777 : 0777);
  if (!group) mode &= ~mode_t{070} | (mode & 07) << 3;
  static_cast<void>(::fchmod(file, mode));  // some file systems have no permissions to keep
}

/// This is a new file beside the one that it will replace, which no other process writes. It goes with the
/// object unless it was renamed.
class Temporary {
 public:
  /// Throws nothing: error() says why there is none.
  explicit Temporary(const fs::path& target)
      : folder_(target.has_parent_path() ? target.parent_path() : fs::path(".")) {
    constexpr std::size_t kLongestName = 255;
    constexpr int kTries = 100;
    const std::string name =
        target.filename().string().substr(0, kLongestName - kMark.size() - kDigits - kEnding.size());
    remove_leftovers(folder_, name);
    struct stat before {};
    const bool replaces = ::stat(target.c_str(), &before) == 0;
    for (int i = 0; i < kTries && file_.get() < 0; ++i) {
      path_ = folder_ / random_name(name);
      open(replaces ? 0600 : 0666);
      if (file_.get() < 0 && error_ != EEXIST && error_ != ENOENT) return;
    }
    if (file_.get() >= 0 && replaces) keep_access(file_.get(), before);
  }
  ~Temporary() {
    if (file_.get() >= 0 && !renamed_) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  int error() const { return file_.get() >= 0 ? 0 : error_; }
  int get() const { return file_.get(); }

  /// Returns 0 or the error number. The file is still open, and so still locked, while it is renamed.
  int rename_to(const fs::path& target) {
    if (::fsync(file_.get()) != 0 || ::rename(path_.c_str(), target.c_str()) != 0) return errno;
    renamed_ = true;
    // The rename itself must survive a power cut too.
    const FileDescriptor directory(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() >= 0) ::fsync(directory.get());
    return 0;
  }

 private:
  void open(mode_t mode) {
    FileDescriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    error_ = errno;
    if (file.get() < 0) return;
    while (::flock(file.get(), LOCK_EX) != 0 && errno == EINTR) {  // where it cannot lock, nobody removes it
    }
    // Before it was locked, another writer may have taken it for a leftover.
    struct stat status {};
    error_ = ENOENT;
    if (::fstat(file.get(), &status) == 0 && status.st_nlink > 0) file_.reset(file.release());
  }

  fs::path folder_, path_;
  FileDescriptor file_{-1};
  int error_ = 0;
  bool renamed_ = false;
};

/// Opens the file, pipe or device to read; -1 and errno where it cannot.
int open_to_read(const fs::path& path) {
  if (path == "-") return ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file >= 0) return file;
  // A socket, or a terminal of another user, can be read by its descriptor only.
  const int reason = errno;
  const int descriptor = write_target(path).descriptor;
  const int copy = descriptor < 0 ? -1 : ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) errno = reason;
  return copy;
}

/// Reads up to `size` bytes, fewer only at the end; -1 and errno where it cannot.
ssize_t read_all(int file, char* target, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file, target + done, size - done);
    if (got < 0 && try_again(file, POLLIN)) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit_bytes) {
  const std::string name = path == "-" ? "the standard input" : path.string();
  const FileDescriptor file(open_to_read(path));
  if (file.get() < 0) throw InputError(name, "a readable file", std::strerror(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || S_ISDIR(status.st_mode))
    throw InputError(name, "a regular file", "a folder");
  const auto limit = concat("at most ", limit_bytes, " bytes");
  const auto size = S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) : std::size_t{0};
  if (size > limit_bytes) throw InputError(name, limit, concat(size, " bytes"));

  // A pipe does not say how much comes, and a file may grow: one byte more than expected shows the end.
  constexpr std::size_t kChunkBytes = std::size_t{1} << 16;
  std::string bytes;
  std::size_t done = 0;
  for (std::size_t room = size > 0 ? size + 1 : kChunkBytes; bytes.size() == done; room = 2 * done) {
    bytes.resize(std::min(room, limit_bytes + 1));
    const ssize_t got = read_all(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0) throw InputError(name, "a readable file", std::strerror(errno));
    done += static_cast<std::size_t>(got);
    if (done > limit_bytes) throw InputError(name, limit, "more");
  }
  bytes.resize(done);
  return bytes;
}

WriteTarget write_target(const fs::path& path) {
  if (path == "-") return {STDOUT_FILENO, {}};
  constexpr int kMaxLinks = 40;
  fs::path at = path;
  for (int links = 0; links < kMaxLinks; ++links) {
    std::error_code error;
    const fs::path folder = fs::canonical(at.has_parent_path() ? at.parent_path() : fs::path("."), error);
    if (error) break;  // no such folder yet
    if (holds_descriptors(folder)) return {parse_number(at.filename().string()), at};
    if (is_descriptor_folder(folder) || !fs::is_symlink(fs::symlink_status(at, error))) break;
    const fs::path link = fs::read_symlink(at, error);
    if (error) break;
    at = folder / link;
  }
  return {-1, at};
}

void write_file_atomic(const fs::path& path, std::string_view bytes) {
  WriteTarget target = write_target(path);
  if (target.descriptor >= 0) {
    // It goes through the descriptor itself: opened anew, a file would be written from its beginning.
    if (const int failed = write_all(target.descriptor, bytes)) throw_write_error(path, failed);
    return;
  }
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error) throw_write_error(path, error.value());

  const fs::file_status status = fs::symlink_status(target.file, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    const FileDescriptor device(::open(target.file.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC));
    const int failed = device.get() < 0 ? errno : write_all(device.get(), bytes);
    if (failed != 0) throw_write_error(path, failed);
    return;
  }
  Temporary file(target.file);
  int failed = file.error();
  if (failed == 0) failed = write_all(file.get(), bytes);
  if (failed == 0) failed = file.rename_to(target.file);
  if (failed != 0) throw_write_error(path, failed, fs::exists(status));
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "cbnet-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::runtime_error(concat("cannot make the folder ", name, ": ", std::strerror(errno)));
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace cbnet
