#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cbnet {

/// The text with a blank for each control character: what a file or the user put into a message must not look
/// like several lines.
std::string one_line(std::string text);

/// Runs a program and turns what it throws into one line on stderr and an exit code: 0 done, 2 wrong usage or
/// input (std::invalid_argument, InputError), 1 anything else, a standard output that cannot be written
/// included.
int run_main(const std::string& program, const std::function<int()>& body);

}  // namespace cbnet
