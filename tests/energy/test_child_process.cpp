#include "energy/child_process.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>

#include "energy/clock.h"
#include "tests/energy/support.h"

using namespace cbnet::energy;
using cbnet::energy::testing::contains;
using cbnet::energy::testing::message_of;

namespace {

std::string read_all(int fd) {
  std::string text;
  std::array<char, 256> chunk{};
  for (ssize_t count = 0; (count = ::read(fd, chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
  return text;
}

bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

}  // namespace

TEST_CASE("a program that is not there throws its name") {
  const std::string message = message_of<std::runtime_error>([] { ChildProcess("/nowhere/nvidia-smi", {}); });
  CHECK(contains(message, "[energy] expected to start the program /nowhere/nvidia-smi; got No such file"));
  CHECK_THROWS_AS(ChildProcess("no-such-program-on-path", {}), std::runtime_error);
  CHECK_THROWS_AS(ChildProcess("/", {}), std::runtime_error);
}

TEST_CASE("output, error and exit status arrive") {
  ChildProcess child("sh", {"-c", "echo out; echo err >&2; cat; exit 9"});  // cat: the input is empty
  CHECK(read_all(child.output_fd()) == "out\nerr\n");
  CHECK(child.reap(30));
  CHECK(child.exit_text() == "exit status 9");
}

TEST_CASE("a signal is told from an exit status") {
  ChildProcess child("sh", {"-c", "kill -9 $$"});
  CHECK(child.reap(30));
  CHECK(child.exit_text() == "killed by signal 9");
}

TEST_CASE("the destructor ends and reaps a child that hangs") {
  pid_t pid = -1;
  const std::int64_t start_ns = monotonic_ns();
  {
    ChildProcess child("sleep", {"60"});
    pid = child.pid();
    CHECK_FALSE(child.reap(0));
    CHECK(child.exit_text() == "still running");
  }
  CHECK(is_gone(pid));
  CHECK(monotonic_ns() - start_ns < 30'000'000'000);
}

TEST_CASE("the destructor ends a child that ignores SIGTERM") {
  pid_t pid = -1;
  {
    ChildProcess child("sh", {"-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"});
    pid = child.pid();
    std::array<char, 6> ready{};
    REQUIRE(::read(child.output_fd(), ready.data(), ready.size()) > 0);  // the trap is set
  }
  CHECK(is_gone(pid));
}

TEST_CASE("a child that inherited a blocked SIGTERM still ends by it") {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  REQUIRE(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
  {
    ChildProcess child("sleep", {"60"});
    ::kill(child.pid(), SIGTERM);
    CHECK(child.reap(30));
    CHECK(child.exit_text() == "killed by signal 15");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a moved descriptor is closed once") {
  Pipe pipe = make_pipe();
  const int fd = pipe.read.get();
  Fd moved = std::move(pipe.read);
  CHECK(moved.get() == fd);
  moved = std::move(pipe.write);
  CHECK(::close(fd) != 0);  // the first one is closed already
  CHECK(moved.get() >= 0);
}
