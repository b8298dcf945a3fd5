#include "tensor/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

constexpr int kInherit = ProcessOptions::kInherit, kOutput = ProcessOptions::kOutput,
              kPipe = ProcessOptions::kPipe;

bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

bool is_slow(std::chrono::steady_clock::time_point start) {
  return std::chrono::steady_clock::now() - start > std::chrono::seconds(30);
}

}  // namespace

TEST_CASE("a program that is not there throws its name and the hint") {
  CHECK_THROWS_SAYING(Process({"/nowhere/nvidia-smi"}), InputError,
                      "/nowhere/nvidia-smi: expected a program that starts; found No such file or directory; "
                      "hint: install it, or give its path");
  CHECK_THROWS_SAYING(Process({"no-such-program-on-path"}, {.hint = "build it"}), InputError,
                      "hint: build it");
  CHECK_THROWS_AS(Process({"/"}), InputError);
}

TEST_CASE("output, error and exit status arrive") {
  Process child({"sh", "-c", "echo out; echo err >&2; cat; exit 9"}, {.error = kOutput});  // cat: no input
  CHECK(child.read_all() == "out\nerr\n");
  CHECK(child.wait(30));
  CHECK(child.exit_code() == 9);
  CHECK(child.exit_text() == "exit status 9");
}

TEST_CASE("a descriptor of this process is a standard stream, and another is inherited on request") {
  const Pipe pipe = make_pipe();
  const std::string other = std::to_string(pipe.write.get());
  const std::string to_other = "echo kept 2>/dev/null >/dev/fd/" + other;
  Process with({"sh", "-c", "echo out; " + to_other},
               {.output = pipe.write.get(), .error = kInherit, .inherited = pipe.write.get()});
  with.wait();
  CHECK(with.exit_code() == 0);
  char text[9] = {};
  CHECK(::read(pipe.read.get(), text, sizeof text) == 9);
  CHECK(std::string(text, 9) == "out\nkept\n");
  Process without({"sh", "-c", to_other});
  without.wait();
  CHECK(without.exit_code() != 0);
}

TEST_CASE("a program answers line by line, with variables of its own, and its end is told") {
  Process echo({"cat"}, {.input = kPipe});
  echo.write_line("one");
  CHECK(echo.read_line() == "one");
  echo.write_line("two");
  CHECK(echo.read_line() == "two");
  ::setenv("CBNET_B", "this process's", 1);
  ::setenv("CBNET_BB", "3", 1);
  Process variable({"sh", "-c", "echo $CBNET_A-$CBNET_B-$CBNET_BB; echo rest; exit 4"},
                   {.input = kPipe, .environment = {{"CBNET_A", "1"}, {"CBNET_B", "2"}}});
  CHECK(variable.read_line() == "1-2-3");
  CHECK(variable.read_line() == "rest");
  CHECK_THROWS_SAYING(variable.read_line(), InputError,
                      "sh: expected an answer; found its end, exit status 4");
  variable.write_line("to nobody");
}

TEST_CASE("while a program is silent, its reader is asked") {
  Process child({"sh", "-c", "echo a; trap 'echo b; exit' TERM; while :; do sleep 0.05; done"});
  int asked = 0;
  CHECK(child.read_all([&] {
    if (++asked == 2) child.signal(SIGTERM);
  }) == "a\nb\n");
  CHECK(asked >= 2);
}

TEST_CASE("a signal is told from an exit status") {
  Process child({"sh", "-c", "kill -9 $$"});
  CHECK(child.wait(30));
  CHECK(child.exit_code() == -9);
  CHECK(child.exit_text() == "killed by signal 9");
}

TEST_CASE("the destructor ends and reaps a program that hangs") {
  pid_t pid = -1;
  const auto start = std::chrono::steady_clock::now();
  {
    Process child({"sleep", "60"});
    pid = child.pid();
    CHECK_FALSE(child.wait(0));
    CHECK(child.exit_text() == "still running");
  }
  CHECK(is_gone(pid));
  CHECK_FALSE(is_slow(start));
}

TEST_CASE("the destructor ends a program by the end of its input, and lets it finish") {
  const Pipe pipe = make_pipe();
  {
    Process child({"sh", "-c", "cat; sleep 0.4; echo finished"},
                  {.input = kPipe, .output = pipe.write.get()});
  }
  char text[9] = {};
  CHECK(::read(pipe.read.get(), text, sizeof text) == 9);
  CHECK(std::string(text, 9) == "finished\n");
}

TEST_CASE("the destructor ends a program that ignores SIGTERM") {
  pid_t pid = -1;
  {
    Process child({"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"});
    pid = child.pid();
    REQUIRE(child.read_line() == "ready");  // the trap is set
  }
  CHECK(is_gone(pid));
}

TEST_CASE("a program whose starter has SIGTERM blocked and SIGPIPE ignored has neither") {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  REQUIRE(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
  auto* const handler = std::signal(SIGPIPE, SIG_IGN);
  for (const int number : {SIGTERM, SIGPIPE}) {
    Process child({"sleep", "60"});
    child.signal(number);
    CHECK(child.wait(30));
    CHECK(child.exit_code() == -number);
  }
  std::signal(SIGPIPE, handler);
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
