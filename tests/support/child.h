#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <string>

namespace cbnet::testing {

/// Runs `body` in the child of a fork. "" when it returned true there; else what became of the child, which
/// an alarm ends after `seconds`.
template <class F>
std::string outcome_in_child(F&& body, unsigned seconds = 60) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(seconds);
    bool fine = false;
    try {
      fine = body();
    } catch (const std::exception& error) {
      std::cerr << error.what() << std::endl;
    }
    ::_exit(fine ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return "no child";
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGALRM ? "hung" : "killed by a signal";
  return WEXITSTATUS(status) == 0 ? "" : "failed";
}

}  // namespace cbnet::testing
