#include "tensor/cpu_limit.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace cbnet {
namespace {

namespace fs = std::filesystem;

/// This is a hierarchy of control groups in which this process has a place.
struct Hierarchy {
  fs::path mount_point;
  fs::path mount_root;  // the group that the mount point shows
  bool version2 = false;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) out.push_back(part);
  return out;
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Reads the hierarchies that limit CPU time from a line each of mountinfo (proc_pid_mountinfo(5)):
/// id parent device root mount-point options [optional fields] - type source super-options.
std::vector<Hierarchy> cpu_hierarchies(const fs::path& root) {
  std::vector<Hierarchy> out;
  std::ifstream mounts(root / "proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<std::string> words = split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 5 || words.end() - dash < 4) continue;
    const std::string& type = *(dash + 1);
    const bool version2 = type == "cgroup2";
    if (!version2 && !(type == "cgroup" && contains(split(*(dash + 3), ','), "cpu"))) continue;
    out.push_back({root / fs::path(words[4]).relative_path(), words[3], version2});
  }
  return out;
}

/// Finds the group of this process in a hierarchy by a line each of cgroup (cgroups(7)):
/// number:controllers:path, where version 2 has the number 0 and no controllers.
std::optional<fs::path> group_path(const fs::path& root, bool version2) {
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool found = version2 ? controllers.empty() : contains(split(controllers, ','), "cpu");
    if (found) return fs::path(line.substr(second + 1));
  }
  return std::nullopt;
}

/// Returns quota over period of one group, in CPUs.
std::optional<double> quota_of(const fs::path& folder, bool version2) {
  double quota = 0.0, period = 0.0;
  if (version2) {
    std::ifstream(folder / "cpu.max") >> quota >> period;  // "max 100000" where there is no limit
  } else {
    std::ifstream(folder / "cpu.cfs_quota_us") >> quota;  // -1 where there is no limit
    std::ifstream(folder / "cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0.0) || !(period > 0.0)) return std::nullopt;
  return quota / period;
}

int affinity_cpus() {
#if defined(__linux__)
  // A mask too small for the machine's CPUs is refused, so it grows until it is taken.
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

std::optional<double> cgroup_cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for (const Hierarchy& hierarchy : cpu_hierarchies(root)) {
    const std::optional<fs::path> group = group_path(root, hierarchy.version2);
    if (!group) continue;
    // A group outside what is mounted ("/..", as a container without a namespace of its own sees it) has its
    // limit at the mount point.
    fs::path below = group->lexically_relative(hierarchy.mount_root);
    if (below.empty() || *below.begin() == "..") below = ".";
    fs::path folder = hierarchy.mount_point;
    const auto look = [&] {
      const std::optional<double> quota = quota_of(folder, hierarchy.version2);
      if (quota && (!least || *quota < *least)) least = quota;
    };
    look();
    for (const fs::path& name : below) {
      if (name == ".") continue;
      folder /= name;
      look();
    }
  }
  return least;
}

int allowed_cpus() {
  const int cpus = affinity_cpus();
  const std::optional<double> quota = cgroup_cpu_quota();
  if (!quota || *quota >= cpus) return cpus;
  return std::max(1, static_cast<int>(std::ceil(*quota)));
}

}  // namespace cbnet
