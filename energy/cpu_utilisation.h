#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// CPU utilisation of the whole machine follows psutil's formula, the tool of the paper (section IV-C).
namespace cbnet::energy {

// These are the numbers in the first line of /proc/stat: ticks of 1/sysconf(_SC_CLK_TCK) s, summed over CPUs.
// Columns that an older kernel or container does not print are 0. In a container the numbers are usually the
// host's.
struct CpuTimes {
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0;
  std::uint64_t irq = 0, softirq = 0, steal = 0, guest = 0, guest_nice = 0;
};

struct CpuUtilisation {
  std::optional<double> u;               // in [0,1], not rounded; for the power models
  std::optional<double> psutil_percent;  // as psutil.cpu_percent() prints it, rounded to 0.1
  // The hypervisor in this fraction of the interval ran another guest. psutil counts it as busy, so a
  // large fraction makes u overstate the work of this machine.
  std::optional<double> steal_frac;
};

// Reads "cpu  100 0 50 800 50 0 0 0 0 0". Throws std::invalid_argument unless "cpu" and at least the
// four columns of the oldest kernels are there, all of them counts.
CpuTimes parse_cpu_times(std::string_view line);

// Reads the first line of the file. Throws std::runtime_error that names the file.
CpuTimes read_cpu_times(const std::string& path = "/proc/stat");

// Returns the utilisation between two readings, `before` first. A column that went backwards counts as 0, as
// in psutil. When no tick passed every field is empty: psutil says 0.0 there, which a power model would turn
// into idle power.
CpuUtilisation utilisation(const CpuTimes& before, const CpuTimes& after);

}  // namespace cbnet::energy
