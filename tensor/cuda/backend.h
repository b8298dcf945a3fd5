#pragma once

#include <string>
#include <vector>

// The seam of the optional CUDA backend module. CMake compiles either the module's sources or
// no_cuda.cpp, which defines the same symbols for a build without it; nothing else in the project asks
// which one it got.

namespace cbnet {

enum class Device { cpu, cuda };

/// "cpu" or "cuda"; throws std::invalid_argument for another name, and for "cuda" when this build has no
/// CUDA module or the machine has no usable GPU. It never falls back to the CPU.
Device parse_device(const std::string& name);

namespace cuda {

/// Throws std::invalid_argument, saying what is missing and what to do, unless CUDA can be used here.
void require_available();

/// One line a GPU ("NVIDIA X, 24 GiB, compute capability 8.9"); empty in a build without the module.
std::vector<std::string> device_descriptions();

/// "not built in" or the runtime's version.
std::string module_description();

}  // namespace cuda
}  // namespace cbnet
