#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "energy/host.h"
#include "energy/kind.h"
#include "energy/nvidia_smi.h"
#include "energy/nvml.h"
#include "energy/power_model.h"

// Energy over a window is E = P × Δt, P the average power and Δt the length of the same window
// (section IV-C).
namespace cbnet::energy {

// What samples of a sensor's power come to over the window of its energy counter.
struct SampledEnergy {
  std::optional<double> energy_j;
  double coverage = 0;  // fraction of the window under samples
  std::string source;
};

struct EnergyResult {
  std::optional<double> energy_j;  // empty when there is no model or the sensor failed, never 0
  std::optional<double> power_w;   // mean over the window
  double window_s = 0;
  std::int64_t start_ns = 0;  // CLOCK_MONOTONIC, as std::chrono::steady_clock
  std::int64_t stop_ns = 0;
  std::optional<double> utilisation;  // u of the power model, in [0,1]; models only
  std::optional<double> steal_frac;   // fraction of the window lost to other guests; models only
  // Fraction of the window under power samples, or counted without interpolation; sensors only.
  std::optional<double> coverage;
  std::optional<SampledEnergy> sampled;  // counters only: a second figure, to hold beside the first
  Kind kind = Kind::modelled;
  std::string source;   // the sensor, or the model with every constant
  std::string label;    // whose joules these are, e.g. "modelled (Raspberry Pi 4, Eq. 2)"
  std::string warning;  // why there is no energy, or what weakens it; joined by "; "
};

// A meter has one window at a time: start(), the work, stop().
class Meter {
 public:
  Meter() = default;
  virtual ~Meter() = default;
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  // Opens the window; a second start() opens it anew.
  virtual void start() = 0;
  // Closes the window. A failed sensor gives a result without energy, with the reason as warning.
  // Throws std::logic_error without a start().
  virtual EnergyResult stop() = 0;
  // Returns kind, label and every constant, on one line for the head of a report.
  virtual std::string describe() const = 0;
};

// Makes a meter of P(mean u) over the window, u from `proc_stat` at its two ends. No model: windows without
// energy. The host's CPU count says how fine u is in a window.
std::unique_ptr<Meter> make_model_meter(std::optional<PowerModel> model, const Host& host,
                                        std::string proc_stat = "/proc/stat");

// Makes a meter of the mean power of one GPU, or the sum over all of them, by nvidia-smi. stop() waits for
// the first sample after the window, up to three periods. Throws std::invalid_argument on wrong options and
// std::runtime_error when nvidia-smi is missing, hangs, ends, or a GPU has no power reading.
std::unique_ptr<Meter> make_nvidia_smi_meter(NvidiaSmiOptions options = {});

// Makes a meter of the energy counter of one GPU, or the sum over all of them, by NVML, and beside it of
// their power samples. The counter moves every 20 to 100 ms, so start() waits for a change, and opens the
// window at it: the beginning of the window is exact to about a millisecond. stop() closes the window at once
// and then waits for the next change; the energy between the last two changes is split in proportion to the
// time before and after the window's end. The result's coverage is 1 less the fraction of the window between
// its ends and the changes nearest to them, and below kMinCounterCoverage there is no energy. Throws as
// NvmlSampler, and std::runtime_error when a counter stands still.
std::unique_ptr<Meter> make_nvml_meter(NvmlOptions options = {});

}  // namespace cbnet::energy
