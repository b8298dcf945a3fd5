#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "energy/power_model.h"

// These find out which machine this is, and which of the paper's power models is of it (section IV-C).
namespace cbnet::energy {

enum class Platform { raspberry_pi_4, other_raspberry_pi, google_compute_engine, other };

struct Host {
  Platform platform = Platform::other;
  std::string model;  // e.g. "Raspberry Pi 4 Model B Rev 1.2"; empty where the machine does not say
  std::string cpu;    // e.g. "Intel(R) Xeon(R) CPU @ 2.30GHz"; empty where the kernel does not say
  int cpu_count = 1;  // CPUs that the kernel accounts for

  // e.g. "Google Compute Engine, Intel(R) Xeon(R) CPU @ 2.30GHz, 2 CPUs"
  std::string describe() const;
};

// Reads the device tree, /proc/cpuinfo, the DMI product name and /proc/stat below `root`; a missing
// file only leaves its field unset. Never throws for what it finds there.
Host recognise_host(const std::filesystem::path& root = "/");

// Returns the model for `which`: "auto" (Eq. 2 on a Raspberry Pi, Eq. 1 elsewhere), "pi4", "gci", or "none",
// which gives no model and hence no energy. The label says when the model is of another machine.
// `constants` as in parse_constants. Throws std::invalid_argument on any other word, on constants
// that the model does not have, and on constants for "none".
std::optional<PowerModel> choose_model(const Host& host, std::string_view which = "auto",
                                       std::string_view constants = {});

}  // namespace cbnet::energy
