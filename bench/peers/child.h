#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace cbnet::peers {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// A program that answers lines on its standard output to lines on its standard input. It ends with this
/// object.
class Child {
 public:
  /// `environment` is set on top of this process's. Throws std::runtime_error when it cannot be started.
  Child(std::string program, const std::vector<std::string>& arguments, const Environment& environment);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void write_line(const std::string& line);
  /// Throws std::runtime_error when the program has ended instead.
  std::string read_line();

 private:
  void reap();

  std::string program_;
  pid_t pid_ = -1;
  std::FILE *in_ = nullptr, *out_ = nullptr;
};

}  // namespace cbnet::peers
