#pragma once

#include <filesystem>
#include <optional>

namespace cbnet {

/// Returns how many CPUs this process may keep busy: those of its affinity mask, or the CPU quota of its
/// control groups, rounded up, where that is less. At least 1.
int allowed_cpus();

/// Returns the smallest CPU quota, in CPUs, of this process's control group and of those above it, versions 1
/// and 2; nothing where there is none. `root` stands for "/", so that tests can lay out the files of /proc
/// and /sys.
std::optional<double> cgroup_cpu_quota(const std::filesystem::path& root = "/");

}  // namespace cbnet
