#include "data/download.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "data/checksum.h"
#include "tensor/error.h"

// The environment that curl inherits (proxies, certificates).
extern char** environ;  // NOLINT(readability-redundant-declaration): not every libc's unistd.h has it

namespace cbnet::data {
namespace {

namespace fs = std::filesystem;

// curl's exit codes (curl.1, "EXIT CODES").
constexpr int kHttpError = 22;
constexpr int kWriteError = 23;
constexpr int kRangeError = 33;
constexpr int kTooLong = 63;

bool worth_another_try(int exit_code) {
  switch (exit_code) {
    case 18:  // partial file
    case 28:  // timeout
    case 52:  // empty reply
    case 55:  // cannot send
    case 56:  // cannot receive
      return true;
    default:
      return false;
  }
}

[[noreturn]] void throw_system_error(const std::string& what, int error) {
  throw std::runtime_error(
      concat(what, ": ", std::strerror(error), "; hint: check free space and permissions"));
}

/// The part of a download, open and locked. The lock is on the part itself: nothing is left to clean up, and
/// curl inherits it, so that an orphaned curl keeps others out as well. Its name holds the checksum of what
/// is wanted: no other program's file has it, and what it holds is a beginning of the same content.
class Part {
 public:
  explicit Part(std::string path) : path_(std::move(path)) {
    // Until the path and the locked file are the same: whoever held it before may have renamed it.
    while (!open_and_lock()) ::close(fd_);
  }
  ~Part() {
    // An empty one serves nobody. Under the lock, so no other process has begun to fill it.
    if (!renamed_ && size_bytes() == 0) ::unlink(path_.c_str());
    ::close(fd_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }

  std::int64_t size_bytes() const {
    struct stat status {};
    return ::fstat(fd_, &status) == 0 ? static_cast<std::int64_t>(status.st_size) : 0;
  }

  void clear() const {
    if (::ftruncate(fd_, 0) != 0) throw_system_error(concat("cannot write ", path_), errno);
  }

  void rename_to(const std::string& target) {
    if (::fsync(fd_) != 0 || ::rename(path_.c_str(), target.c_str()) != 0) {
      throw_system_error(concat("cannot write ", target), errno);
    }
    renamed_ = true;
  }

 private:
  bool open_and_lock() {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != ELOOP && errno != ENXIO && errno != EISDIR)
      throw_system_error(concat("cannot write ", path_), errno);
    check_own();
    while (::flock(fd_, LOCK_EX) != 0) {
      // A file system without locks: the checksum still guards the final name.
      if (errno != EINTR) return true;
    }
    struct stat mine {};
    struct stat named {};
    return ::fstat(fd_, &mine) == 0 && ::stat(path_.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
  }

  /// What curl would write to: a file of this user under this name alone.
  void check_own() {
    struct stat status {};
    if (fd_ >= 0 && ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink <= 1 &&
        status.st_uid == ::geteuid())
      return;
    if (fd_ >= 0) ::close(fd_);
    throw InputError(path_, "a file of this user, with one name, or none",
                     "a link, a pipe, a folder or another user's file", "remove it");
  }

  std::string path_;
  int fd_ = -1;
  bool renamed_ = false;
};

struct CurlResult {
  int exit_code = 0;
  std::string http_code;
  std::string message;

  std::string reason() const {
    if (exit_code == kHttpError) return concat("HTTP ", http_code);
    return message.empty() ? concat("curl exit code ", exit_code) : message;
  }
};

/// Reads to the end, and calls `watch` a few times a second until then.
template <class Watch>
std::string read_all(int fd, const Watch& watch) {
  constexpr int kWatchMs = 100;
  std::string out;
  std::array<char, 1024> chunk{};
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, kWatchMs) == 0) {
      watch();
      continue;
    }
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return out;
    out.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

/// Starts the program with stdout to `out_fd`, and with `kept_fd` inherited. Returns errno's value, 0 when it
/// runs.
int spawn(const std::vector<std::string>& words, int out_fd, int kept_fd, bool quiet, pid_t& pid) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
  if (quiet) posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // Onto itself: clears close-on-exec, and with it the child holds the lock.
  posix_spawn_file_actions_adddup2(&actions, kept_fd, kept_fd);
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

/// Continues the part from where it ends; an empty one from the start.
CurlResult run_curl(const std::string& url, const Part& part, const DownloadOptions& options) {
  // -q, which must stand first: a user's .curlrc could send the file elsewhere.
  std::vector<std::string> words{options.curl,
                                 "-q",
                                 "--fail",
                                 "--location",
                                 "--globoff",
                                 "--proto",
                                 url.starts_with("http://") ? "=http,https" : "=https",
                                 "--proto-redir",
                                 "=https",
                                 "--max-redirs",
                                 "5",
                                 "--connect-timeout",
                                 "20",
                                 "--speed-limit",
                                 "1",
                                 "--speed-time",
                                 "60",
                                 "--max-filesize",
                                 std::to_string(options.max_bytes),
                                 "--continue-at",
                                 "-",
                                 "--write-out",
                                 "%{http_code} %{errormsg}",
                                 "--output",
                                 part.path(),
                                 options.progress ? "--progress-bar" : "--silent"};
  words.insert(words.end(), {"--url", url});
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_system_error("cannot start curl", errno);
  pid_t pid = 0;
  const int error = spawn(words, ends[1], part.fd(), !options.progress, pid);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    throw InputError("download", concat("the program ", options.curl), std::strerror(error),
                     "install curl, or download the files by hand and use --data-dir");
  }
  // curl knows --max-filesize only from what a server announces (before 8.4), which it need not.
  bool too_long = false;
  const std::string said = read_all(ends[0], [&] {
    if (part.size_bytes() <= options.max_bytes || too_long) return;
    too_long = true;
    ::kill(pid, SIGKILL);
  });
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  CurlResult result;
  const std::size_t blank = said.find(' ');
  result.http_code = said.substr(0, blank);
  if (blank != std::string::npos) result.message = said.substr(blank + 1);
  // From 8.4 curl stops by itself at that size.
  if (too_long || part.size_bytes() >= options.max_bytes) part.clear();
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (too_long || result.exit_code == kTooLong) {
    result.exit_code = kTooLong;
    result.message = concat("more than ", options.max_bytes, " bytes");
  }
  return result;
}

/// "" when the part holds the right bytes; else the reason why this host could not give them.
std::string fetch(const std::string& url, const Part& part, const std::string& md5,
                  const DownloadOptions& options) {
  std::string reason;
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    const bool continued = part.size_bytes() > 0;
    if (options.progress) std::fprintf(stderr, "%s%s\n", url.c_str(), continued ? " (continued)" : "");
    const CurlResult result = run_curl(url, part, options);
    if (result.exit_code == 0) {
      const std::string found = md5_file(part.path());
      if (found == md5) return "";
      part.clear();
      reason = concat("wrong bytes (expected md5 ", md5, ", found ", found, ")");
      if (!continued) return reason;
      continue;  // the part was another file's beginning
    }
    reason = result.reason();
    if (result.exit_code == kWriteError) {
      throw std::runtime_error(
          concat("cannot write ", part.path(), ": ", reason, "; hint: check free space"));
    }
    if (continued && (result.exit_code == kRangeError || result.http_code == "416")) {
      part.clear();
      continue;
    }
    if (!worth_another_try(result.exit_code)) return reason;
  }
  return reason;
}

/// True when the target is there and right.
bool already_there(const std::string& target, const std::string& md5) {
  std::error_code error;
  if (!fs::exists(target, error)) return false;
  const std::string found = md5_file(target);
  if (found == md5) return true;
  throw InputError(target, concat("md5 ", md5), concat("md5 ", found),
                   "move or delete the file to download it again");
}

}  // namespace

void download(const std::vector<std::string>& urls, const std::string& target, const std::string& md5,
              const DownloadOptions& options) {
  require(!urls.empty() && md5.size() == 32 && options.attempts > 0, "download",
          "a URL, an MD5 and at least one attempt are needed; got ", urls.size(), " URLs, md5 '", md5,
          "' and ", options.attempts, " attempts");
  if (already_there(target, md5)) return;
  std::error_code error;
  if (const fs::path folder = fs::path(target).parent_path(); !folder.empty())
    fs::create_directories(folder, error);
  if (error) throw_system_error(concat("cannot write ", target), error.value());

  Part part(concat(target, ".", md5, ".part"));
  if (already_there(target, md5)) return;  // by another process, while this one waited
  std::string reasons;
  for (const std::string& url : urls) {
    const std::string reason = fetch(url, part, md5, options);
    if (reason.empty()) {
      part.rename_to(target);
      return;
    }
    reasons += concat(reasons.empty() ? "" : ", ", url, ": ", reason);
  }
  const bool kept = part.size_bytes() > 0;
  throw InputError(target, "a host that offers it", reasons,
                   kept ? "run it again to continue where it stopped"
                        : "check the connection, or download the file by hand and use --data-dir");
}

}  // namespace cbnet::data
