#include "energy/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "energy/clock.h"
#include "energy/text.h"

namespace cbnet::energy {
namespace {

// What the child gets: /dev/null, the pipe twice, no blocked signal and default handlers, whatever
// this process has set for itself.
class SpawnSetup {
 public:
  explicit SpawnSetup(int output_fd) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) sigaddset(&signals, signal);
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
};

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
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error(fault("a pipe", std::strerror(errno), "look at ulimit -n"));
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

ChildProcess::ChildProcess(const std::string& program, const std::vector<std::string>& arguments) {
  Pipe pipe = make_pipe();
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const SpawnSetup setup(pipe.write.get());
  const int error =
      posix_spawnp(&pid_, program.c_str(), &setup.actions, &setup.attributes, argv.data(), environ);
  if (error != 0) {
    throw std::runtime_error(
        fault("to start the program " + program, std::strerror(error), "install it, or give its path"));
  }
  output_ = std::move(pipe.read);
}

ChildProcess::~ChildProcess() {
  constexpr double kGraceS = 0.2;
  constexpr double kKillS = 2;
  // Only while it is not reaped does the pid surely belong to this child.
  if (reap(0)) return;
  ::kill(pid_, SIGTERM);
  if (reap(kGraceS)) return;
  ::kill(pid_, SIGKILL);
  // Bounded: a child stuck in a driver does not die even of SIGKILL, and must not hold this process.
  reap(kKillS);
}

bool ChildProcess::reap(double timeout_s) {
  const std::int64_t deadline_ns = monotonic_ns() + static_cast<std::int64_t>(timeout_s * 1e9);
  while (!reaped_) {
    const pid_t ended = ::waitpid(pid_, &status_, WNOHANG);
    // ECHILD: this process ignores SIGCHLD, so that the kernel has reaped the child.
    reaped_ = ended == pid_ || (ended < 0 && errno == ECHILD);
    if (reaped_ || monotonic_ns() >= deadline_ns) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return reaped_;
}

std::string ChildProcess::exit_text() const {
  if (!reaped_) return "still running";
  if (WIFSIGNALED(status_)) return "killed by signal " + std::to_string(WTERMSIG(status_));
  return "exit status " + std::to_string(WEXITSTATUS(status_));
}

}  // namespace cbnet::energy
