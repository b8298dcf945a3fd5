#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace cbnet {

/// Returns the text with a blank for each control character: what a file or the user put into a message must
/// not look like several lines.
std::string one_line(std::string text);

/// Runs a program and turns what it throws into one line on stderr and an exit code: 0 done, 2 wrong usage or
/// input (std::invalid_argument, InputError), 1 anything else, a standard output that cannot be written
/// included.
int run_main(const std::string& program, const std::function<int()>& body);

/// This is one of the commands of a program, which takes the words after its name.
struct Command {
  const char* name;
  int (*run)(const std::vector<std::string>& words);
};

/// Runs the command that the first word names; prints `help` without one or for --help, the version for
/// --version. Throws UsageError for another word.
int run_command(const std::string& program, const char* help, std::span<const Command> commands,
                const std::vector<std::string>& words);

}  // namespace cbnet
