#pragma once

#include <doctest/doctest.h>

#include <exception>
#include <stdexcept>
#include <string>

namespace cbnet::testing {

/// The message of the exception that `call` throws; "" (and a failed check) when it throws none.
template <class Exception, class F>
std::string message_of(F&& call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  FAIL_CHECK("nothing was thrown");
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace cbnet::testing

/// `expression` throws `Exception` and its message contains `part`.
#define CHECK_THROWS_SAYING(expression, Exception, part)                                                     \
  do {                                                                                                       \
    const std::string said_ = cbnet::testing::message_of<Exception>([&] { static_cast<void>(expression); }); \
    CHECK_MESSAGE(cbnet::testing::contains(said_, part), "message was: " << said_);                          \
  } while (false)
