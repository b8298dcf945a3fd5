// Preloaded into a program: makes one system call fail, as a full disk, a read-only folder or a missing
// permission would, or ends the program there.
//
//   CBNET_FAULT=write|fsync|open|rename   which call
//   CBNET_FAULT_WITH=<errno>|kill         what comes of it
//   CBNET_FAULT_PATH=<text>               only for files with this in their path; open: only to write
//   CBNET_FAULT_AFTER=<n>                 the first n such calls succeed

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

bool is_due(const char* call, const char* path) {
  const char* fault = std::getenv("CBNET_FAULT");
  const char* part = std::getenv("CBNET_FAULT_PATH");
  if (fault == nullptr || part == nullptr || std::strcmp(fault, call) != 0) return false;
  if (std::strstr(path, part) == nullptr) return false;
  const char* after = std::getenv("CBNET_FAULT_AFTER");
  static int calls = 0;
  return calls++ >= (after != nullptr ? std::atoi(after) : 0);
}

/// errno is set, or the program has ended.
int fail() {
  const char* with = std::getenv("CBNET_FAULT_WITH");
  if (with == nullptr || std::strcmp(with, "kill") == 0) ::kill(::getpid(), SIGKILL);
  errno = std::atoi(with);
  return -1;
}

bool is_due(const char* call, int file) {
  char link[64], path[4096];
  char* digits = link + sizeof link;  // no allocation here: this may stand inside one
  *--digits = '\0';
  for (int rest = file; rest > 0 || *digits == '\0'; rest /= 10)
    *--digits = static_cast<char>('0' + rest % 10);
  constexpr char kFolder[] = "/proc/self/fd/";
  digits -= sizeof kFolder - 1;
  std::memcpy(digits, kFolder, sizeof kFolder - 1);
  const ssize_t size = ::readlink(digits, path, sizeof path - 1);
  if (size < 0) return false;
  path[size] = '\0';
  return is_due(call, path);
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, size_t size) {
  if (is_due("write", file)) return fail();
  return next<ssize_t (*)(int, const void*, size_t)>("write")(file, bytes, size);
}

int fsync(int file) { return is_due("fsync", file) ? fail() : next<int (*)(int)>("fsync")(file); }

int rename(const char* from, const char* to) noexcept {
  if (is_due("rename", to)) return fail();
  return next<int (*)(const char*, const char*)>("rename")(from, to);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : mode_t{0};
  va_end(rest);
  if ((flags & O_ACCMODE) != O_RDONLY && is_due("open", path)) return fail();
  return next<int (*)(const char*, int, ...)>("open")(path, flags, mode);
}
}
