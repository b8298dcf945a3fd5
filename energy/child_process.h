#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

// One child program read through a pipe, and the file descriptors that go with it.
namespace cbnet::energy {

// Owns one file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  void reset();

 private:
  int fd_ = -1;
};

// Both ends are closed on exec, so that no child inherits them by accident.
struct Pipe {
  Fd read;
  Fd write;
};

// Throws std::runtime_error when the process has no descriptors left.
Pipe make_pipe();

// Starts `program` (looked up on PATH unless it has a '/') with an empty standard input; its standard
// output and error arrive at output_fd(). The destructor ends it by its own pid and reaps it. Not
// thread-safe: one thread at a time may call it.
class ChildProcess {
 public:
  // Throws std::runtime_error when the program cannot be started.
  ChildProcess(const std::string& program, const std::vector<std::string>& arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  int output_fd() const { return output_.get(); }
  // Waits up to `timeout_s` for the child to end and reaps it; true once that is done.
  bool reap(double timeout_s);
  // "exit status 9", "killed by signal 15" or "still running".
  std::string exit_text() const;

 private:
  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  Fd output_;
};

}  // namespace cbnet::energy
