#include "tensor/cpu_limit.h"

#include <sched.h>

#include <fstream>
#include <string>
#include <thread>

#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

/// A root folder with the files of /proc and /sys that a test writes.
class Root {
 public:
  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = folder_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<double> quota() const { return cgroup_cpu_quota(folder_.path()); }

 private:
  TempFolder folder_;
};

constexpr const char* kVersion2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

}  // namespace

TEST_CASE("a system without control groups has no quota") {
  const Root root;
  CHECK_FALSE(root.quota());
  root.write("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n");
  root.write("proc/self/cgroup", "0::/\n");
  CHECK_FALSE(root.quota());
}

TEST_CASE("version 2: the smallest quota on the way up counts") {
  const Root root;
  root.write("proc/self/mountinfo", kVersion2);
  root.write("proc/self/cgroup", "0::/user.slice/job\n");
  root.write("sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
  CHECK_FALSE(root.quota());
  root.write("sys/fs/cgroup/user.slice/job/cpu.max", "250000 100000\n");
  CHECK(root.quota() == 2.5);
  root.write("sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n");
  CHECK(root.quota() == 0.5);
}

TEST_CASE("version 2: inside a container the mount point is the container's own group") {
  const Root root;
  root.write("proc/self/mountinfo", kVersion2);
  root.write("proc/self/cgroup", "0::/\n");
  root.write("sys/fs/cgroup/cpu.max", "150000 100000\n");
  CHECK(root.quota() == 1.5);
  root.write("proc/self/cgroup", "0::/../other\n");
  CHECK(root.quota() == 1.5);
}

TEST_CASE("version 1: the quota stands in two files, of the hierarchy that has the cpu controller") {
  const Root root;
  root.write("proc/self/mountinfo",
             "33 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
             "32 31 0:28 /docker/1 /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  root.write("proc/self/cgroup", "5:cpuset:/docker/1\n4:cpu,cpuacct:/docker/1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  CHECK_FALSE(root.quota());
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n");
  CHECK(root.quota() == 3.0);
}

TEST_CASE("files that say nothing sensible set no quota") {
  const Root root;
  root.write("proc/self/mountinfo", std::string(kVersion2) + "garbage\n- - -\n");
  root.write("proc/self/cgroup", "garbage\n0::/\n");
  for (const char* text : {"", "nonsense", "0 100000", "-5 100000", "100000 0", "100000"}) {
    root.write("sys/fs/cgroup/cpu.max", text);
    CHECK_MESSAGE(!root.quota(), text);
  }
}

TEST_CASE("a thread that may run on one CPU is allowed one") {
  int allowed = 0;
  std::thread([&allowed] {
    cpu_set_t all;
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    }
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    allowed = allowed_cpus();
  }).join();
  CHECK(allowed == 1);
  CHECK(allowed_cpus() >= 1);
}
