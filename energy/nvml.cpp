#include "energy/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include "energy/clock.h"
#include "energy/text.h"

namespace cbnet::energy {
namespace {

// From NVML's reference manual (https://docs.nvidia.com/deploy/nvml-api).
constexpr int kNotSupported = 3;
constexpr unsigned kPowerInstantField = 186;  // NVML_FI_DEV_POWER_INSTANT, mW
constexpr int kUnsignedInt = 1;               // of nvmlValueType_t
constexpr std::size_t kTextBytes = 96;        // NVML_DEVICE_NAME_V2_BUFFER_SIZE

struct FieldValue {
  unsigned field_id, scope_id;
  long long timestamp_us, latency_us;
  int value_type, code;
  union {
    double d;
    unsigned ui;
    unsigned long long ull;
  } value;
};
static_assert(sizeof(FieldValue) == 40);

const char* hint_for(int code) {
  switch (code) {
    case kNotSupported:
      return "the GPU or its driver lacks this (the energy counter came with Volta); --meter nvidia-smi "
             "samples "
             "power instead";
    case 4:
      return "no permission: ask whoever runs this machine, or run it outside the container";
    case 6:
      return "no such GPU; nvidia-smi -L lists them";
    case 9:
      return "the driver is not loaded; nvidia-smi says more";
    case 15:
      return "the GPU has fallen off the bus; the machine must start anew";
    case 18:
      return "library and driver are of different versions; load the driver anew";
    default:
      return "nvidia-smi, which asks the same library, may say more";
  }
}

double watts(unsigned milliwatts) { return milliwatts * 1e-3; }

}  // namespace

struct Nvml::Library {
  explicit Library(const std::string& name) : handle(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle == nullptr) {
      const char* const why = dlerror();
      throw std::runtime_error(fault("NVML, the library " + name, why == nullptr ? "none" : why,
                                     "it comes with NVIDIA's driver; --meter model needs none"));
    }
  }
  ~Library() { dlclose(handle); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  template <class Function>
  void find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
  }
  template <class Function>
  void require(Function& function, const char* name) {
    find(function, name);
    if (function != nullptr) return;
    throw std::runtime_error(fault(std::string("NVML with the function ") + name, "a library without it",
                                   "update the driver, or use --meter nvidia-smi"));
  }

  void* handle;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*get_count)(unsigned*) = nullptr;
  int (*get_by_index)(unsigned, NvmlDevice*) = nullptr;
  int (*get_name)(NvmlDevice, char*, unsigned) = nullptr;
  int (*get_energy)(NvmlDevice, unsigned long long*) = nullptr;
  int (*get_power)(NvmlDevice, unsigned*) = nullptr;
  // Older libraries lack these.
  int (*get_by_uuid)(const char*, NvmlDevice*) = nullptr;
  int (*get_fields)(NvmlDevice, int, FieldValue*) = nullptr;
  int (*get_driver)(char*, unsigned) = nullptr;
};

Nvml::Nvml(const std::string& library) : library_(std::make_unique<Library>(library)) {
  Library& lib = *library_;
  lib.require(lib.init, "nvmlInit_v2");
  lib.require(lib.shutdown, "nvmlShutdown");
  lib.require(lib.error_string, "nvmlErrorString");
  lib.require(lib.get_count, "nvmlDeviceGetCount_v2");
  lib.require(lib.get_by_index, "nvmlDeviceGetHandleByIndex_v2");
  lib.require(lib.get_name, "nvmlDeviceGetName");
  lib.require(lib.get_energy, "nvmlDeviceGetTotalEnergyConsumption");
  lib.require(lib.get_power, "nvmlDeviceGetPowerUsage");
  lib.find(lib.get_by_uuid, "nvmlDeviceGetHandleByUUID");
  lib.find(lib.get_fields, "nvmlDeviceGetFieldValues");
  lib.find(lib.get_driver, "nvmlSystemGetDriverVersion");
  check(lib.init(), "nvmlInit_v2");
}

Nvml::~Nvml() { library_->shutdown(); }

void Nvml::check(int code, const char* function) const {
  if (code == 0) return;
  const char* const words = library_->error_string(code);
  throw std::runtime_error(
      fault(std::string("NVML's ") + function + " to succeed",
            "code " + std::to_string(code) + " (" + (words == nullptr ? "" : words) + ")", hint_for(code)));
}

unsigned Nvml::device_count() const {
  unsigned count = 0;
  check(library_->get_count(&count), "nvmlDeviceGetCount_v2");
  return count;
}

NvmlDevice Nvml::device(unsigned index) const {
  NvmlDevice out = nullptr;
  check(library_->get_by_index(index, &out), "nvmlDeviceGetHandleByIndex_v2");
  return out;
}

NvmlDevice Nvml::device(const std::string& uuid) const {
  NvmlDevice out = nullptr;
  const int code =
      library_->get_by_uuid == nullptr ? kNotSupported : library_->get_by_uuid(uuid.c_str(), &out);
  check(code, "nvmlDeviceGetHandleByUUID");
  return out;
}

std::string Nvml::name(NvmlDevice device) const {
  std::array<char, kTextBytes> text{};
  check(library_->get_name(device, text.data(), kTextBytes - 1), "nvmlDeviceGetName");
  return text.data();
}

std::string Nvml::driver() const {
  std::array<char, kTextBytes> text{};
  if (library_->get_driver == nullptr || library_->get_driver(text.data(), kTextBytes - 1) != 0) return {};
  return text.data();
}

double Nvml::energy_j(NvmlDevice device) const {
  unsigned long long millijoules = 0;
  check(library_->get_energy(device, &millijoules), "nvmlDeviceGetTotalEnergyConsumption");
  return static_cast<double>(millijoules) * 1e-3;
}

std::optional<double> Nvml::instant_power_w(NvmlDevice device) const {
  if (library_->get_fields == nullptr) return std::nullopt;
  FieldValue field{};
  field.field_id = kPowerInstantField;
  const int code = library_->get_fields(device, 1, &field);
  if (code == kNotSupported || (code == 0 && field.code == kNotSupported)) return std::nullopt;
  check(code != 0 ? code : field.code, "nvmlDeviceGetFieldValues");
  if (field.value_type != kUnsignedInt) return std::nullopt;
  return watts(field.value.ui);
}

double Nvml::power_w(NvmlDevice device) const {
  unsigned milliwatts = 0;
  check(library_->get_power(device, &milliwatts), "nvmlDeviceGetPowerUsage");
  return watts(milliwatts);
}

namespace {

constexpr std::size_t kMaxReadings = std::size_t{1} << 20;  // 5 h at 50 Hz

NvmlOptions checked(NvmlOptions options) {
  if (options.period_ms >= 1) return options;
  throw std::invalid_argument(fault("a sampling period of at least 1 ms",
                                    std::to_string(options.period_ms) + " ms",
                                    "the counter changes every 20 to 100 ms"));
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
}

template <class Reading>
void push(std::vector<Reading>& to, const Reading& reading) {
  if (to.size() == kMaxReadings) to.erase(to.begin(), to.begin() + kMaxReadings / 2);
  to.push_back(reading);
}

// The last one before the window carries the interpolation at its edge.
template <class Reading>
void forget_before(std::vector<Reading>& readings, std::int64_t t_ns) {
  const auto next = std::partition_point(readings.begin(), readings.end(),
                                         [&](const Reading& reading) { return reading.t_ns <= t_ns; });
  if (next - readings.begin() > 1) readings.erase(readings.begin(), next - 1);
}

}  // namespace

NvmlSampler::NvmlSampler(NvmlOptions options)
    : options_(checked(std::move(options))), nvml_(options_.library), driver_(nvml_.driver()) {
  const auto watch = [&](NvmlDevice device, const std::string& which) {
    devices_.push_back(device);
    state_.gpus.push_back({"GPU " + which + " (" + nvml_.name(device) + ")", {}, {}});
  };
  const unsigned count = nvml_.device_count();
  if (count == 0) {
    throw std::runtime_error(fault("at least one GPU that NVML knows", "none",
                                   "nvidia-smi -L lists them; --meter model needs none"));
  }
  if (is_number(options_.gpu)) {
    watch(nvml_.device(static_cast<unsigned>(std::stoul(options_.gpu))), options_.gpu);
  } else if (!options_.gpu.empty()) {
    watch(nvml_.device(options_.gpu), options_.gpu);
  } else {
    for (unsigned i = 0; i < count; ++i) watch(nvml_.device(i), std::to_string(i));
  }
  for (const NvmlDevice device : devices_) instant_ = instant_ && nvml_.instant_power_w(device).has_value();
  for (const NvmlDevice device : devices_) last_.push_back(read(device));
  thread_ = std::thread([this] { run(); });
}

NvmlSampler::~NvmlSampler() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

const char* NvmlSampler::power_source() const {
  return instant_ ? "NVML_FI_DEV_POWER_INSTANT" : "nvmlDeviceGetPowerUsage";
}

NvmlSampler::Reading NvmlSampler::read(NvmlDevice device) const {
  const std::int64_t before_ns = monotonic_ns();
  const double energy_j = nvml_.energy_j(device);
  const std::int64_t t_ns = before_ns + (monotonic_ns() - before_ns) / 2;
  if (!instant_) return {t_ns, energy_j, nvml_.power_w(device)};
  const std::optional<double> power_w = nvml_.instant_power_w(device);
  if (!power_w) {
    throw std::runtime_error(
        fault("NVML_FI_DEV_POWER_INSTANT, which this GPU had", "none any more", "nvidia-smi may say more"));
  }
  return {t_ns, energy_j, *power_w};
}

void NvmlSampler::take(std::size_t gpu, const Reading& reading) {
  const Reading before = std::exchange(last_[gpu], reading);
  NvmlSeries& series = state_.gpus[gpu];
  push(series.samples, {reading.t_ns, reading.power_w});
  const std::int64_t gap_ns = reading.t_ns - before.t_ns;
  const bool known_time = static_cast<double>(gap_ns) <= kMaxGapPeriods * period_s() * 1e9;
  // A counter that ran back is told whenever it did.
  if (reading.energy_j < before.energy_j || (reading.energy_j > before.energy_j && known_time)) {
    push(series.changes, {reading.t_ns - gap_ns / 2, reading.energy_j});
  }
}

void NvmlSampler::run() {
  constexpr auto kHurry = std::chrono::milliseconds(1);
  std::vector<Reading> readings(devices_.size());
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    std::string failure;
    try {
      std::transform(devices_.begin(), devices_.end(), readings.begin(),
                     [this](NvmlDevice device) { return read(device); });
    } catch (const std::exception& error) {
      failure = error.what();
    }
    lock.lock();
    if (failure.empty()) {
      for (std::size_t i = 0; i < readings.size(); ++i) take(i, readings[i]);
    } else {
      state_.fault = failure;
    }
    changed_.notify_all();
    if (!failure.empty()) return;
    const bool hurry = hurry_;
    wake_.wait_for(lock, hurry ? kHurry : std::chrono::milliseconds(options_.period_ms),
                   [&] { return stop_ || hurry_ != hurry; });
  }
}

bool NvmlSampler::wait_for_changes(std::int64_t t_ns) {
  std::unique_lock lock(mutex_);
  hurry_ = true;
  wake_.notify_all();
  const auto has_changed = [&](const NvmlSeries& gpu) {
    return !gpu.changes.empty() && gpu.changes.back().t_ns > t_ns;
  };
  const auto all_changed = [&] { return std::all_of(state_.gpus.begin(), state_.gpus.end(), has_changed); };
  changed_.wait_for(lock, std::chrono::duration<double>(options_.change_timeout_s),
                    [&] { return !state_.fault.empty() || all_changed(); });
  hurry_ = false;
  return all_changed();
}

void NvmlSampler::discard_before(std::int64_t t_ns) {
  const std::lock_guard lock(mutex_);
  for (NvmlSeries& gpu : state_.gpus) {
    forget_before(gpu.changes, t_ns);
    forget_before(gpu.samples, t_ns);
  }
}

NvmlSnapshot NvmlSampler::snapshot() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace cbnet::energy
