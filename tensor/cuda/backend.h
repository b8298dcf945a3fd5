#pragma once

#include <string>
#include <vector>

#include "tensor/backend.h"

// The seam of the optional CUDA backend module. CMake compiles either the module's sources or
// no_cuda.cpp, which defines the same symbols for a build without it; nothing else in the project asks
// which one it got.

namespace cbnet::cuda {

/// Throws std::invalid_argument, saying what is missing and what to do, unless CUDA can be used here.
void require_available();

/// Throws as require_available() does.
const Backend& backend();

/// Returns a line for each GPU ("NVIDIA X, 24 GiB, compute capability 8.9"); empty in a build without the
/// module.
std::vector<std::string> device_descriptions();

/// Returns "not built in" or the runtime's version.
std::string module_description();

}  // namespace cbnet::cuda
