#pragma once

// How this project reports trouble.
//
//   std::invalid_argument  a function was called wrongly: "[op] rule; got ..."
//   cbnet::InputError      a file or its content is not what it should be: file, expected, found, hint
//   std::runtime_error     the machine failed (disk full, a sensor lost)
//
// The programs map the first two to exit code 2 and everything else to 1.

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace cbnet {

/// Streams every argument into one string.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// A missing, truncated, corrupt or hostile input.
class InputError : public std::runtime_error {
 public:
  explicit InputError(const std::string& message) : std::runtime_error(message) {}

  InputError(const std::string& source, const std::string& expected, const std::string& found,
             const std::string& hint = "")
      : std::runtime_error(concat(source, ": expected ", expected, "; found ", found,
                                  hint.empty() ? std::string() : concat("; hint: ", hint))) {}
};

/// Throws std::invalid_argument("[where] ...") unless `ok`. The message is only built on failure.
template <class... Args>
void require(bool ok, const char* where, const Args&... message) {
  if (!ok) throw std::invalid_argument(concat("[", where, "] ", message...));
}

}  // namespace cbnet
