#include "energy/cpu_utilisation.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "energy/text.h"

namespace cbnet::energy {
namespace {

constexpr std::array<std::uint64_t CpuTimes::*, 10> kColumns{
    &CpuTimes::user, &CpuTimes::nice,    &CpuTimes::system, &CpuTimes::idle,  &CpuTimes::iowait,
    &CpuTimes::irq,  &CpuTimes::softirq, &CpuTimes::steal,  &CpuTimes::guest, &CpuTimes::guest_nice};
constexpr std::size_t kFewestColumns = 4;

[[noreturn]] void reject(std::string_view line) {
  throw std::invalid_argument(fault("\"cpu\" and at least 4 tick counts", '"' + std::string(line) + '"',
                                    "the first line of /proc/stat sums all CPUs"));
}

}  // namespace

CpuTimes parse_cpu_times(std::string_view line) {
  if (line.size() < 4 || line.substr(0, 3) != "cpu" || (line[3] != ' ' && line[3] != '\t')) reject(line);
  CpuTimes times;
  std::size_t columns = 0;
  std::string_view rest = trim(line.substr(3));
  while (!rest.empty() && columns < kColumns.size()) {
    const char* const end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(rest.data(), end, times.*kColumns[columns]);
    if (error != std::errc{} || (stop != end && *stop != ' ' && *stop != '\t')) reject(line);
    ++columns;
    rest = trim(rest.substr(static_cast<std::size_t>(stop - rest.data())));
  }
  if (columns < kFewestColumns) reject(line);
  return times;
}

CpuTimes read_cpu_times(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) {
    const std::string why = errno != 0 ? std::strerror(errno) : "an empty file";
    throw std::runtime_error(
        fault("a readable " + path, why, "CPU utilisation needs the Linux proc file system"));
  }
  try {
    return parse_cpu_times(line);
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error(std::string(error.what()) + " (file " + path + ")");
  }
}

CpuUtilisation utilisation(const CpuTimes& before, const CpuTimes& after) {
  // Tick counts stay far below 2^53, where doubles stop counting exactly. iowait and steal can go
  // backwards on real kernels.
  const auto delta = [&](std::uint64_t CpuTimes::*column) {
    return after.*column > before.*column ? static_cast<double>(after.*column - before.*column) : 0.0;
  };
  // Neither guest column is added: the kernel counts their time inside user and nice already.
  const double total = delta(&CpuTimes::user) + delta(&CpuTimes::nice) + delta(&CpuTimes::system) +
                       delta(&CpuTimes::idle) + delta(&CpuTimes::iowait) + delta(&CpuTimes::irq) +
                       delta(&CpuTimes::softirq) + delta(&CpuTimes::steal);
  const double busy = total - delta(&CpuTimes::idle) - delta(&CpuTimes::iowait);
  CpuUtilisation result;
  if (total == 0) return result;
  result.u = busy / total;
  // Python's round() rounds the exact binary value, half to even; so does format_fixed.
  result.psutil_percent = parse_number(format_fixed(busy / total * 100, 1));
  result.steal_frac = delta(&CpuTimes::steal) / total;
  return result;
}

}  // namespace cbnet::energy
