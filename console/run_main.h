#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cbnet {

/// Runs a program and turns what it throws into one line on stderr and an exit code: 0 done, 2 wrong usage or
/// input (std::invalid_argument, InputError), 1 anything else, a standard output that cannot be written
/// included.
int run_main(const std::string& program, const std::function<int()>& body);

}  // namespace cbnet
