#pragma once

// This project reports trouble so:
//
//   std::invalid_argument  a function was called wrongly: "[op] rule; got ..."
//   cbnet::InputError      a file or its content is not what it should be: file, expected, found, hint
//   std::runtime_error     the machine failed (disk full, a sensor lost)
//
// The programs map the first two to exit code 2 and everything else to 1.

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace cbnet {

namespace detail {

/// put() writes one part of a message: a function is called for it, a shape or a tensor is described,
/// anything else is streamed. So a check costs nothing but its condition while it holds.
template <class T>
void put(std::ostream& out, const T& part) {
  if constexpr (std::is_invocable_v<const T&>) {
    put(out, part());
  } else if constexpr (requires { describe(part); }) {
    out << describe(part);
  } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
    out << '(';
    for (std::size_t i = 0; i < part.size(); ++i) out << (i > 0 ? "," : "") << part[i];
    out << ')';
  } else {
    out << part;
  }
}

}  // namespace detail

/// Joins every argument into one string; shapes, tensors and functions as detail::put has them.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (detail::put(out, args), ...);
  return out.str();
}

/// This is thrown for a missing, truncated, corrupt or hostile input.
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
