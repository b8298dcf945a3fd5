#include "data/download.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "data/checksum.h"
#include "tensor/error.h"
#include "tensor/process.h"

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

/// This is the part of a download, open and locked. The lock is on the part itself: nothing is left to clean
/// up, and curl inherits it, so that an orphaned curl keeps others out as well. Its name holds the checksum
/// of what is requested: no other program's file has it, and what it holds is a beginning of the same
/// content.
class Part {
 public:
  explicit Part(std::string path) : path_(std::move(path)) {
    // This repeats until the path and the locked file are the same: whoever held it may have renamed it.
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
      // A file system may have no locks: the checksum still guards the final name.
      if (errno != EINTR) return true;
    }
    struct stat mine {};
    struct stat named {};
    return ::fstat(fd_, &mine) == 0 && ::stat(path_.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
  }

  /// Checks what curl would write to: a file of this user under this name alone.
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

/// Continues the part from where it ends; an empty one from the start.
CurlResult run_curl(const std::string& url, const Part& part, const DownloadOptions& options) {
  // -q must stand first: a user's .curlrc could send the file elsewhere.
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
  Process curl(words, {.error = options.progress ? ProcessOptions::kInherit : ProcessOptions::kNull,
                       .inherited = part.fd(),
                       .hint = "install curl, or download the files by hand and use --data-dir"});
  // curl knows --max-filesize only from what a server announces (before 8.4), which it need not.
  bool too_long = false;
  const std::string answer = curl.read_all([&] {
    if (part.size_bytes() <= options.max_bytes || too_long) return;
    too_long = true;
    curl.signal(SIGKILL);
  });
  curl.wait();
  CurlResult result;
  const std::size_t blank = answer.find(' ');
  result.http_code = answer.substr(0, blank);
  if (blank != std::string::npos) result.message = answer.substr(blank + 1);
  // From 8.4 curl stops by itself at that size.
  if (too_long || part.size_bytes() >= options.max_bytes) part.clear();
  result.exit_code = curl.exit_code();
  if (too_long || result.exit_code == kTooLong) {
    result.exit_code = kTooLong;
    result.message = concat("more than ", options.max_bytes, " bytes");
  }
  return result;
}

/// Returns "" when the part holds the right bytes; else the reason why this host could not give them.
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

/// Tells whether the target is there and right.
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
