#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <string>

namespace cbnet::testing {

/// What `call` throws in a child process that is not root, to whom permissions mean nothing; "" when nothing.
template <class F>
std::string message_without_root(F&& call) {
  constexpr uid_t kNobody = 65534;
  int ends[2] = {-1, -1};
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string message;
    try {
      if (::geteuid() == 0 && ::setuid(kNobody) != 0) message = "still root";
      if (message.empty()) call();
    } catch (const std::exception& error) {
      message = error.what();
    }
    const ssize_t written = ::write(ends[1], message.data(), message.size());
    ::_exit(written == static_cast<ssize_t>(message.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string message;
  char buffer[256];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    message.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return message;
}

}  // namespace cbnet::testing
