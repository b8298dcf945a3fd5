#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "energy/integrator.h"
#include "energy/nvidia_smi_row.h"
#include "tensor/process.h"

// GPU power comes from one long-running nvidia-smi, the tool of the paper (section IV-C).
namespace cbnet::energy {

struct NvidiaSmiOptions {
  std::string program = "nvidia-smi";  // looked up on PATH unless it has a '/'
  int period_ms = 100;                 // nvidia-smi has nothing newer more often than that
  // "power.draw" is an average over 1 s on most GPUs since Ampere; drivers after 530 also know
  // "power.draw.instant" and "power.draw.average".
  std::string power_field = "power.draw";
  std::string gpu;                  // index or UUID of the one GPU to watch; empty for all of them
  double first_row_timeout_s = 10;  // without persistence mode the driver loads first, for seconds
};

struct GpuSeries {
  int index = -1;
  std::string uuid;
  std::string name;
  std::string driver;
  std::vector<PowerSample> samples;  // ascending, stamped on arrival by CLOCK_MONOTONIC
  std::size_t missing_count = 0;     // rows without a usable reading
  std::string last_missing;          // what the last of them said, e.g. "[N/A]"
};

struct NvidiaSmiSnapshot {
  std::vector<GpuSeries> gpus;      // in order of appearance
  std::size_t malformed_count = 0;  // truncated rows and other text
  bool lost = false;                // nvidia-smi has ended; nothing more will come
  bool unusable = false;            // a wrong unit: no row can be trusted any more
  std::string fault;                // why it is lost, silent or unusable; empty while all is well
};

// Runs nvidia-smi from construction to destruction and collects its rows in a thread of its own.
class NvidiaSmiSampler {
 public:
  // Throws std::invalid_argument when period_ms is below 1 and std::runtime_error when the program
  // cannot be started.
  explicit NvidiaSmiSampler(NvidiaSmiOptions options = {});
  ~NvidiaSmiSampler();
  NvidiaSmiSampler(const NvidiaSmiSampler&) = delete;
  NvidiaSmiSampler& operator=(const NvidiaSmiSampler&) = delete;

  const NvidiaSmiOptions& options() const { return options_; }
  double period_s() const { return options_.period_ms * 1e-3; }
  pid_t pid() const { return pid_; }
  // Waits until every GPU seen so far has a sample at or after `t_ns`. False at the timeout, and early
  // when nvidia-smi is lost or unusable or a GPU turns out to have no reading at all.
  bool wait_for_samples(std::int64_t t_ns, double timeout_s);
  // Forgets samples that no window from `t_ns` on needs, and counts missing rows from here.
  void discard_before(std::int64_t t_ns);
  NvidiaSmiSnapshot snapshot() const;

 private:
  void run();
  void read_rows();
  void take_line(std::string_view line, std::int64_t t_ns);
  void take_row(const NvidiaSmiRow& row, std::int64_t t_ns);
  void lose(const std::string& got);
  bool is_watched(const NvidiaSmiRow& row) const;

  NvidiaSmiOptions options_;
  Pipe wake_;
  Process child_;  // used by thread_ alone while that runs
  pid_t pid_;
  std::int64_t started_ns_;
  mutable std::mutex mutex_;  // guards the members from here to changed_
  NvidiaSmiSnapshot state_;
  std::int64_t last_row_ns_;
  std::string last_text_;  // the last line that was no row: nvidia-smi's own words when it fails
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace cbnet::energy
