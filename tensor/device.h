#pragma once

#include <cstdint>
#include <string>

namespace cbnet {

/// A device is where a tensor's memory lies and what computes on it. `reference` is the CPU again, with the
/// plain loops that define every function (tensor/reference).
enum class Device : std::uint8_t { cpu, reference, cuda };

inline const char* to_string(Device device) {
  constexpr const char* kNames[] = {"cpu", "reference", "cuda"};
  return kNames[static_cast<int>(device)];
}

/// Reads "cpu", "reference" or "cuda"; throws std::invalid_argument for another name, and for "cuda" when
/// this build has no CUDA module or the machine has no usable GPU. It never falls back to the CPU.
Device parse_device(const std::string& name);

/// Tells whether the host may read and write the device's memory.
inline bool is_host_readable(Device device) { return device != Device::cuda; }

/// Tensors are made here when nobody says where: the CPU, until set_default_device().
Device default_device();
void set_default_device(Device device);

/// Networks are put here, and so compute, when nobody says where: the CPU, until set_compute_device(), which
/// a program calls for its --device. What is read from files and written to them stays in the host's memory.
Device compute_device();
void set_compute_device(Device device);

}  // namespace cbnet
