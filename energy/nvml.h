#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "energy/integrator.h"

// GPU energy comes from NVML, the library under nvidia-smi, which is loaded when it is asked for: nothing of
// it is needed to build. A GPU counts the joules that its board used since the driver was loaded, and tells
// its power at the moment.
namespace cbnet::energy {

// A GPU, as the library knows it.
using NvmlDevice = struct NvmlDeviceHandle*;

// The library, loaded and initialised from construction to destruction. What fails throws std::runtime_error
// with the function's name, NVML's code and words, and a hint.
class Nvml {
 public:
  // `library` is looked up as dlopen does.
  explicit Nvml(const std::string& library);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  unsigned device_count() const;
  // NVML counts all GPUs of the machine: CUDA_VISIBLE_DEVICES says nothing here.
  NvmlDevice device(unsigned index) const;
  NvmlDevice device(const std::string& uuid) const;
  std::string name(NvmlDevice device) const;
  std::string driver() const;  // "" where the library does not say

  // Joules since the driver was loaded (nvmlDeviceGetTotalEnergyConsumption; Volta and later).
  double energy_j(NvmlDevice device) const;
  // Power at the moment (NVML_FI_DEV_POWER_INSTANT); empty where the driver or GPU does not have the field.
  std::optional<double> instant_power_w(NvmlDevice device) const;
  // nvmlDeviceGetPowerUsage: an average over 1 s on most GPUs since Ampere.
  double power_w(NvmlDevice device) const;

 private:
  struct Library;
  void check(int code, const char* function) const;

  std::unique_ptr<Library> library_;
};

struct NvmlOptions {
  std::string library = "libnvidia-ml.so.1";
  std::string gpu;              // index or UUID of the one GPU to watch; empty for all of them
  int period_ms = 20;           // between readings of counter and power, but for 1 ms next to a window's ends
  double change_timeout_s = 1;  // a counter that stands still for so long has stopped
};

// What was read of one GPU.
struct NvmlSeries {
  std::string gpu;  // "GPU 0 (NVIDIA H100 80GB HBM3)"
  std::vector<CounterChange> changes;
  std::vector<PowerSample> samples;
};

struct NvmlSnapshot {
  std::vector<NvmlSeries> gpus;
  std::string fault;  // why nothing more will come; empty while all is well
};

// Reads counter and power of one or all GPUs in a thread of its own, from construction to destruction. The
// time of a change is halfway between the two readings around it; where these are more than kMaxGapPeriods
// apart, the change has no known time and is passed over.
class NvmlSampler {
 public:
  // Throws std::invalid_argument when period_ms is below 1, and std::runtime_error where there is no NVML, no
  // such GPU, or a GPU without counter or power reading.
  explicit NvmlSampler(NvmlOptions options = {});
  ~NvmlSampler();
  NvmlSampler(const NvmlSampler&) = delete;
  NvmlSampler& operator=(const NvmlSampler&) = delete;

  const NvmlOptions& options() const { return options_; }
  double period_s() const { return options_.period_ms * 1e-3; }
  const std::string& driver() const { return driver_; }
  // "NVML_FI_DEV_POWER_INSTANT", or "nvmlDeviceGetPowerUsage" where a GPU lacks that.
  const char* power_source() const;
  // Waits until the counter of every GPU has changed after `t_ns`, reading every millisecond meanwhile. False
  // after change_timeout_s, and early when a reading failed.
  bool wait_for_changes(std::int64_t t_ns);
  // Forgets what no window from `t_ns` on needs.
  void discard_before(std::int64_t t_ns);
  NvmlSnapshot snapshot() const;

 private:
  struct Reading {
    std::int64_t t_ns = 0;
    double energy_j = 0, power_w = 0;
  };
  Reading read(NvmlDevice device) const;
  void take(std::size_t gpu, const Reading& reading);
  void run();

  NvmlOptions options_;
  Nvml nvml_;
  std::string driver_;
  bool instant_ = true;
  std::vector<NvmlDevice> devices_;
  mutable std::mutex mutex_;  // guards the members from here to changed_
  NvmlSnapshot state_;
  std::vector<Reading> last_;  // of each GPU
  bool stop_ = false, hurry_ = false;
  std::condition_variable wake_, changed_;
  std::thread thread_;
};

}  // namespace cbnet::energy
