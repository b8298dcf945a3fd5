#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

// This header is about programs that this one starts, and the file descriptors that go with them.

namespace cbnet {

/// Owns one file descriptor.
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

/// Both ends are closed on exec, so that no program inherits them by accident.
struct Pipe {
  Fd read, write;
};

/// Throws std::runtime_error when the process has no descriptors left.
Pipe make_pipe();

/// A program has these besides its arguments.
struct ProcessOptions {
  static constexpr int kNull = -1;     // /dev/null
  static constexpr int kPipe = -2;     // a pipe to this process; not for the error
  static constexpr int kInherit = -3;  // this process's own stream
  static constexpr int kOutput = -4;   // the error goes where the output goes
  /// A standard stream is a descriptor of this process or one of these.
  int input = kNull, output = kPipe, error = kInherit;
  /// They are set on top of this process's environment.
  std::vector<std::pair<std::string, std::string>> environment = {};
  /// The program inherits this descriptor; -1 is none.
  int inherited = -1;
  /// The error has this hint where the program cannot be started.
  std::string hint = "install it, or give its path";
};

/// A program that runs beside this one, with default handlers and no blocked signal. One thread at a time may
/// use an object.
class Process {
 public:
  /// `command` is a program, looked up on PATH unless it has a '/', and its arguments. Throws InputError when
  /// it cannot be started.
  explicit Process(std::vector<std::string> command, ProcessOptions options = {});
  /// Ends the program: by the end of its input if that is a pipe, else by SIGTERM, at last by SIGKILL.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  /// Returns the pipe at which its output arrives; -1 without one.
  int output_fd() const { return output_.get(); }

  void write_line(const std::string& line);
  /// Returns a line of the output, without its end. Throws InputError when the program has ended instead.
  std::string read_line();
  /// Returns the rest of the output; calls `watch` a few times a second while the program has nothing to say.
  std::string read_all(const std::function<void()>& watch = {});

  void signal(int number);
  /// Waits for the program to end; false when it has not within `timeout_s`.
  bool wait(double timeout_s);
  void wait();
  /// Returns the exit status of a program that has ended, or -N when signal N ended it.
  int exit_code() const;
  /// Says "exit status 9", "killed by signal 15" or "still running".
  std::string exit_text() const;

 private:
  /// Appends what has arrived to unread_; false at the end of the output.
  bool receive();

  std::string program_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
  Fd input_, output_;
  std::string unread_;
};

}  // namespace cbnet
