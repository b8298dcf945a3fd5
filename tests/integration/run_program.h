#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace cbnet::test {

struct ProgramOptions {
  /// A program, looked up in PATH, with arguments, that runs it: valgrind.
  std::vector<std::string> under;
  /// The working folder; the current one when empty.
  std::filesystem::path folder;
  /// Set on top of the inherited environment.
  std::vector<std::pair<std::string, std::string>> environment;
  /// RLIMIT_AS; 0 is no limit.
  std::size_t address_space_bytes = 0;
  /// SIGKILL after so many seconds; negative is never.
  double kill_after_s = -1.0;
  /// Then the test has hung: SIGKILL, and timed_out.
  double timeout_s = 240.0;
};

struct ProgramResult {
  int exit_code = -1;  // -N when signal N ended it
  bool timed_out = false;
  double seconds = 0.0;
  std::string out, err;
};

/// Runs a program of this build ("cbnet", "cbnet_bench") and waits for its end.
/// Throws std::runtime_error when it cannot be started.
ProgramResult run_program(const std::string& name, const std::vector<std::string>& arguments,
                          const ProgramOptions& options = {});

}  // namespace cbnet::test
