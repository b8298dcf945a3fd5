#include "tensor/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "tensor/error.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not every libc's unistd.h has it

namespace cbnet {
namespace {

using Clock = std::chrono::steady_clock;

/// Holds streams, signals and descriptors as posix_spawn takes them.
class SpawnSetup {
 public:
  SpawnSetup(int input, int output, int error, int inherited) {
    posix_spawn_file_actions_init(&actions);
    direct(input, STDIN_FILENO);
    direct(output, STDOUT_FILENO);
    direct(error == ProcessOptions::kOutput ? STDOUT_FILENO : error, STDERR_FILENO);
    // A duplicate onto itself clears close-on-exec.
    if (inherited >= 0) direct(inherited, inherited);
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) sigaddset(&signals, number);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};

 private:
  void direct(int from, int to) {
    if (from == ProcessOptions::kNull) posix_spawn_file_actions_addopen(&actions, to, "/dev/null", O_RDWR, 0);
    if (from >= 0) posix_spawn_file_actions_adddup2(&actions, from, to);
  }
};

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> out;
  for (const auto& [name, value] : more) out.push_back(concat(name, "=", value));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto is_same = [&](const auto& one) { return text.starts_with(one.first + "="); };
    if (std::none_of(more.begin(), more.end(), is_same)) out.push_back(text);
  }
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out(words.size() + 1, nullptr);
  std::transform(words.begin(), words.end(), out.begin(), [](std::string& word) { return word.data(); });
  return out;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error(
        concat("cannot make a pipe: ", std::strerror(errno), "; hint: look at ulimit -n"));
  return {Fd(ends[0]), Fd(ends[1])};
}

Process::Process(std::vector<std::string> command, ProcessOptions options) : program_(command.at(0)) {
  Pipe to, from;
  if (options.input == ProcessOptions::kPipe) {
    // A program that has ended is an error to report, and no reason to end with it.
    std::signal(SIGPIPE, SIG_IGN);
    to = make_pipe();
    options.input = to.read.get();
  }
  if (options.output == ProcessOptions::kPipe) {
    from = make_pipe();
    options.output = from.write.get();
  }
  const SpawnSetup setup(options.input, options.output, options.error, options.inherited);
  std::vector<std::string> variables = environment_with(options.environment);
  const int error = ::posix_spawnp(&pid_, program_.c_str(), &setup.actions, &setup.attributes,
                                   pointers(command).data(), pointers(variables).data());
  if (error != 0) throw InputError(program_, "a program that starts", std::strerror(error), options.hint);
  input_ = std::move(to.write);
  output_ = std::move(from.read);
}

Process::~Process() {
  constexpr double kOwnEndS = 10, kTermS = 0.2, kKillS = 2;
  // The pid surely belongs to this program until it is waited for, and no longer.
  if (wait(0)) return;
  if (input_.get() >= 0) {
    input_.reset();
    if (wait(kOwnEndS)) return;
  }
  signal(SIGTERM);
  if (wait(kTermS)) return;
  signal(SIGKILL);
  // The wait is bounded: a program stuck in a driver does not die even of SIGKILL, and must not hold this
  // process.
  wait(kKillS);
}

void Process::write_line(const std::string& line) {
  const std::string bytes = line + "\n";
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::write(input_.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;  // it has ended, which the next read_line() says
    done += static_cast<std::size_t>(count);
  }
}

bool Process::receive() {
  std::array<char, 4096> chunk{};
  ssize_t count = 0;
  do {
    count = ::read(output_.get(), chunk.data(), chunk.size());
  } while (count < 0 && errno == EINTR);
  if (count > 0) unread_.append(chunk.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::string Process::read_line() {
  constexpr double kExitS = 1;
  std::size_t end = 0;
  while ((end = unread_.find('\n')) == std::string::npos) {
    if (receive()) continue;
    wait(kExitS);
    throw InputError(program_, "an answer", "its end, " + exit_text(), "its last words are above");
  }
  const std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

std::string Process::read_all(const std::function<void()>& watch) {
  constexpr int kWatchMs = 100;
  for (;;) {
    pollfd waiting{output_.get(), POLLIN, 0};
    if (watch && ::poll(&waiting, 1, kWatchMs) == 0)
      watch();
    else if (!receive())
      return std::exchange(unread_, {});
  }
}

void Process::signal(int number) {
  if (!ended_) ::kill(pid_, number);
}

bool Process::wait(double timeout_s) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(timeout_s);
  while (!ended_) {
    const pid_t pid = ::waitpid(pid_, &status_, WNOHANG);
    // ECHILD says that this process ignores SIGCHLD, so that the kernel has reaped the program.
    ended_ = pid == pid_ || (pid < 0 && errno == ECHILD);
    if (ended_ || Clock::now() >= deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ended_;
}

void Process::wait() {
  while (!ended_) ended_ = ::waitpid(pid_, &status_, 0) == pid_ || errno != EINTR;
}

int Process::exit_code() const { return WIFSIGNALED(status_) ? -WTERMSIG(status_) : WEXITSTATUS(status_); }

std::string Process::exit_text() const {
  if (!ended_) return "still running";
  if (exit_code() < 0) return concat("killed by signal ", -exit_code());
  return concat("exit status ", exit_code());
}

}  // namespace cbnet
