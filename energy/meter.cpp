#include "energy/meter.h"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "energy/clock.h"
#include "energy/cpu_utilisation.h"
#include "energy/integrator.h"
#include "energy/text.h"

namespace cbnet::energy {
namespace {

std::int64_t started(const std::optional<std::int64_t>& start_ns) {
  if (!start_ns) {
    throw std::logic_error(fault("start() before stop()", "stop() alone", "one start() for each stop()"));
  }
  return *start_ns;
}

void set_window(EnergyResult& result, std::int64_t start_ns, std::int64_t stop_ns) {
  result.start_ns = start_ns;
  result.stop_ns = std::max(stop_ns, start_ns + 1);  // an empty window has no mean power
  result.window_s = static_cast<double>(result.stop_ns - start_ns) * 1e-9;
}

class ModelMeter final : public Meter {
 public:
  ModelMeter(std::optional<PowerModel> model, const Host& host, std::string proc_stat)
      : model_(std::move(model)), cpu_count_(std::max(host.cpu_count, 1)), proc_stat_(std::move(proc_stat)) {}

  void start() override {
    failure_.clear();
    if (model_) before_ = read();
    start_ns_ = monotonic_ns();
  }

  EnergyResult stop() override {
    const std::int64_t stop_ns = monotonic_ns();
    EnergyResult result;
    set_window(result, started(std::exchange(start_ns_, std::nullopt)), stop_ns);
    result.label = model_ ? model_->label() : "no energy model";
    result.source = model_ ? model_->describe() : "none";
    if (!model_) return result;
    const CpuTimes after = read();
    if (!failure_.empty()) {
      result.warning = failure_;
      return result;
    }
    apply_model(utilisation(before_, after), result);
    append_remark(result.warning, model_->note());
    return result;
  }

  std::string describe() const override {
    if (!model_) return "no energy model";
    return model_->label() + ": " + model_->describe() + "; u of all CPUs from " + proc_stat_ +
           " by psutil's formula";
  }

 private:
  CpuTimes read() {
    try {
      return read_cpu_times(proc_stat_);
    } catch (const std::runtime_error& error) {
      failure_ = error.what();
      return {};
    }
  }

  void apply_model(const CpuUtilisation& cpu, EnergyResult& result) const {
    constexpr double kNotableSteal = 0.01;
    if (!cpu.u) {
      result.warning = fault("CPU ticks in the window", "none in " + format_number(result.window_s) + " s",
                             "a longer window; some containers hide /proc/stat");
      return;
    }
    result.utilisation = cpu.u;
    result.steal_frac = cpu.steal_frac;
    result.power_w = model_->power_w(*cpu.u);
    result.energy_j = *result.power_w * result.window_s;
    warn_if_coarse(result);
    if (cpu.steal_frac.value_or(0) > kNotableSteal) {
      append_remark(result.warning, "the hypervisor stole " + format_fixed(100 * *cpu.steal_frac, 1) +
                                        " % of the CPU time, which counts as busy");
    }
  }

  // One tick on one CPU is the least change of u that /proc/stat can show.
  void warn_if_coarse(EnergyResult& result) const {
    constexpr double kFinestStep = 0.01;
    constexpr double kFewestTicks = 10;
    const auto ticks_per_s = static_cast<double>(sysconf(_SC_CLK_TCK));
    const double step = 1 / (ticks_per_s * cpu_count_ * result.window_s);
    const double needed_s = std::max(kFewestTicks, 1 / (kFinestStep * cpu_count_)) / ticks_per_s;
    if (result.window_s >= needed_s) return;
    append_remark(result.warning, "the window of " + format_fixed(result.window_s, 4) +
                                      " s is too short for /proc/stat: utilisation comes in steps of " +
                                      format_fixed(100 * step, 1) + " %; hint: at least " +
                                      format_fixed(needed_s, 2) + " s");
  }

  std::optional<PowerModel> model_;
  int cpu_count_;
  std::string proc_stat_;
  CpuTimes before_;
  std::optional<std::int64_t> start_ns_;
  std::string failure_;
};

std::string name_gpu(const GpuSeries& gpu) {
  return "GPU " + std::to_string(gpu.index) + " (" + gpu.uuid + ")";
}

std::string missing_text(const GpuSeries& gpu) {
  if (gpu.missing_count == 0) return {};
  return std::to_string(gpu.missing_count) + " rows of " + name_gpu(gpu) +
         " had no reading, the last said \"" + gpu.last_missing + '"';
}

class NvidiaSmiMeter final : public Meter {
 public:
  explicit NvidiaSmiMeter(NvidiaSmiOptions options) : sampler_(std::move(options)) {
    const double patience_s = sampler_.options().first_row_timeout_s;
    // The rows of several GPUs can arrive apart: one more round shows them all.
    const bool ready =
        sampler_.wait_for_samples(0, patience_s) && sampler_.wait_for_samples(monotonic_ns(), patience_s);
    if (!ready) throw std::runtime_error(why_not_ready());
    label_ = make_label(sampler_.snapshot());
  }

  void start() override {
    start_ns_ = monotonic_ns();
    sampler_.discard_before(*start_ns_);
  }

  EnergyResult stop() override {
    const std::int64_t stop_ns = monotonic_ns();
    EnergyResult result;
    set_window(result, started(std::exchange(start_ns_, std::nullopt)), stop_ns);
    result.kind = Kind::measured;
    result.source = source();
    result.label = label_;
    sampler_.wait_for_samples(stop_ns, kMaxGapPeriods * sampler_.period_s());
    integrate(sampler_.snapshot(), result);
    warn_if_short(result);
    return result;
  }

  std::string describe() const override {
    return label_ + ": " + source() + " every " + std::to_string(sampler_.options().period_ms) +
           " ms, trapezoids over the window";
  }

 private:
  std::string source() const { return "nvidia-smi " + sampler_.options().power_field; }

  std::string why_not_ready() const {
    const NvidiaSmiSnapshot snapshot = sampler_.snapshot();
    if (!snapshot.fault.empty()) return snapshot.fault;
    std::string got;
    for (const GpuSeries& gpu : snapshot.gpus) append_remark(got, missing_text(gpu));
    return fault("power readings of every GPU", got.empty() ? "none in time" : got,
                 "choose one GPU that has a reading");
  }

  std::string make_label(const NvidiaSmiSnapshot& snapshot) const {
    std::string text = "measured (" + source();
    if (snapshot.gpus.size() > 1) text += ", sum of " + std::to_string(snapshot.gpus.size()) + " GPUs";
    for (const GpuSeries& gpu : snapshot.gpus) text += ", " + gpu.name;
    return text + ", driver " + snapshot.gpus.front().driver + ")";
  }

  // A sum over some of the GPUs would pass for the whole, so one GPU without a result leaves none.
  void integrate(const NvidiaSmiSnapshot& snapshot, EnergyResult& result) const {
    double power_w = 0;
    bool complete = true;
    for (const GpuSeries& gpu : snapshot.gpus) {
      const PowerIntegral integral =
          integrate_power(gpu.samples, result.start_ns, result.stop_ns, sampler_.period_s());
      result.coverage = std::min(result.coverage.value_or(1), integral.coverage);
      append_remark(result.warning, missing_text(gpu));
      if (integral.mean_power_w) {
        power_w += *integral.mean_power_w;
      } else {
        complete = false;
        append_remark(result.warning, name_gpu(gpu) + ": " + integral.reason);
      }
    }
    append_remark(result.warning, snapshot.fault);
    // One wrong unit makes every number of this program doubtful.
    if (!complete || snapshot.unusable) return;
    result.power_w = power_w;
    result.energy_j = power_w * result.window_s;
    if (*result.coverage < 1) {
      append_remark(result.warning, "power samples cover " + format_fixed(100 * *result.coverage, 1) +
                                        " % of the window, their mean stands for the rest");
    }
  }

  void warn_if_short(EnergyResult& result) const {
    constexpr double kFewestPeriods = 10;
    const double needed_s = kFewestPeriods * sampler_.period_s();
    if (result.window_s >= needed_s) return;
    append_remark(result.warning, "the window of " + format_fixed(result.window_s, 4) +
                                      " s is too short for samples every " +
                                      format_number(sampler_.period_s()) + " s; hint: at least " +
                                      format_fixed(needed_s, 2) + " s");
  }

  NvidiaSmiSampler sampler_;
  std::string label_;
  std::optional<std::int64_t> start_ns_;
};

class NvmlMeter final : public Meter {
 public:
  explicit NvmlMeter(NvmlOptions options) : sampler_(std::move(options)) {
    if (!sampler_.wait_for_changes(0)) throw std::runtime_error(why_no_change(sampler_.snapshot()));
    const NvmlSnapshot snapshot = sampler_.snapshot();
    label_ = "measured (NVML energy counter";
    if (snapshot.gpus.size() > 1) label_ += ", sum of " + std::to_string(snapshot.gpus.size()) + " GPUs";
    for (const NvmlSeries& gpu : snapshot.gpus) label_ += ", " + gpu.gpu;
    label_ += sampler_.driver().empty() ? ")" : ", driver " + sampler_.driver() + ")";
  }

  void start() override {
    sampler_.wait_for_changes(monotonic_ns());
    start_ns_ = monotonic_ns();
    sampler_.discard_before(*start_ns_);
  }

  EnergyResult stop() override {
    const std::int64_t stop_ns = monotonic_ns();
    EnergyResult result;
    set_window(result, started(std::exchange(start_ns_, std::nullopt)), stop_ns);
    result.kind = Kind::counter;
    result.source = source();
    result.label = label_;
    const bool changed = sampler_.wait_for_changes(result.stop_ns);
    const NvmlSnapshot snapshot = sampler_.snapshot();
    if (!changed) append_remark(result.warning, why_no_change(snapshot));
    integrate(snapshot, result);
    return result;
  }

  std::string describe() const override {
    return label_ + ": " + source() + ", the whole boards and nothing else, read every " +
           std::to_string(sampler_.options().period_ms) + " ms from one of its changes on; beside it " +
           sampler_.power_source() + ", trapezoids over the same window";
  }

 private:
  static std::string source() { return "nvmlDeviceGetTotalEnergyConsumption"; }

  std::string why_no_change(const NvmlSnapshot& snapshot) const {
    if (!snapshot.fault.empty()) return snapshot.fault;
    return fault("energy counters that change",
                 "one that stood still for " + format_number(sampler_.options().change_timeout_s) + " s",
                 "--meter nvidia-smi samples power instead");
  }

  // One GPU without a result leaves no sum, as with power samples.
  void integrate(const NvmlSnapshot& snapshot, EnergyResult& result) const {
    std::optional<double> counted_j = 0;
    SampledEnergy sampled{0.0, 1, sampler_.power_source()};
    const auto add = [](std::optional<double>& sum, std::optional<double> more) {
      sum = sum && more ? std::optional(*sum + *more) : std::nullopt;
    };
    for (const NvmlSeries& gpu : snapshot.gpus) {
      const CounterIntegral counter = integrate_counter(gpu.changes, result.start_ns, result.stop_ns);
      result.coverage = std::min(result.coverage.value_or(1), counter.coverage);
      if (!counter.reason.empty()) append_remark(result.warning, gpu.gpu + ": " + counter.reason);
      add(counted_j, counter.energy_j);
      const PowerIntegral power =
          integrate_power(gpu.samples, result.start_ns, result.stop_ns, sampler_.period_s());
      sampled.coverage = std::min(sampled.coverage, power.coverage);
      add(sampled.energy_j,
          power.mean_power_w ? std::optional(*power.mean_power_w * result.window_s) : std::nullopt);
    }
    result.sampled = sampled;
    if (!counted_j) return;
    const double power_w = *counted_j / result.window_s;
    if (!(power_w < kMaxPlausiblePowerW * static_cast<double>(snapshot.gpus.size()))) {
      return append_remark(result.warning,
                           fault("below 10 kW a GPU", format_number(power_w) + " W by the counter",
                                 "its unit is mJ; compare with nvidia-smi"));
    }
    result.power_w = power_w;
    result.energy_j = counted_j;
  }

  NvmlSampler sampler_;
  std::string label_;
  std::optional<std::int64_t> start_ns_;
};

}  // namespace

std::unique_ptr<Meter> make_model_meter(std::optional<PowerModel> model, const Host& host,
                                        std::string proc_stat) {
  return std::make_unique<ModelMeter>(std::move(model), host, std::move(proc_stat));
}

std::unique_ptr<Meter> make_nvidia_smi_meter(NvidiaSmiOptions options) {
  return std::make_unique<NvidiaSmiMeter>(std::move(options));
}

std::unique_ptr<Meter> make_nvml_meter(NvmlOptions options) {
  return std::make_unique<NvmlMeter>(std::move(options));
}

}  // namespace cbnet::energy
