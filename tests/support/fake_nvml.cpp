#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

// A library with NVML's functions and no GPU, for programs that load it. At nvmlInit_v2 it reads the
// environment:
//   FAKE_NVML_COUNT      GPUs (1)
//   FAKE_NVML_POWER_W    their power (100), which the counter's joules follow
//   FAKE_NVML_UPDATE_MS  between changes of the counter (20)
//   FAKE_NVML_FAIL       "nvmlDeviceGetName=15,…": codes that functions return; "power_instant=3" is that of
//   the
//                        field
//   FAKE_NVML_FAULT      a file: once it is there, the counter does what it says: "back" (starts anew),
//   "stuck",
//                        "jump" (counts in nJ), or "lost" (every call returns 15)

namespace {

struct Script {
  unsigned count = 1;
  double power_w = 100;
  double update_ms = 20;
  std::string fail, fault_file;
  std::int64_t start_ns = 0;
};
Script script;

constexpr double kStartMj = 5e9;  // the driver has been loaded for long
constexpr unsigned kInstantField = 186;

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

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

const char* variable(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

std::string fault() {
  if (script.fault_file.empty()) return {};
  std::ifstream file(script.fault_file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int code_of(const char* function) {
  if (fault() == "lost") return 15;
  const std::size_t at = ("," + script.fail).find("," + std::string(function) + "=");
  return at == std::string::npos ? 0 : std::atoi(script.fail.c_str() + at + std::strlen(function) + 1);
}

/// A pointer to its place in here stands for a GPU.
char places[64];
unsigned number_of(void* device) { return static_cast<unsigned>(static_cast<char*>(device) - places); }

}  // namespace

extern "C" {

int nvmlInit_v2() {
  script = {};
  script.count = static_cast<unsigned>(std::atoi(variable("FAKE_NVML_COUNT", "1")));
  script.power_w = std::atof(variable("FAKE_NVML_POWER_W", "100"));
  script.update_ms = std::atof(variable("FAKE_NVML_UPDATE_MS", "20"));
  script.fail = variable("FAKE_NVML_FAIL", "");
  script.fault_file = variable("FAKE_NVML_FAULT", "");
  script.start_ns = now_ns();
  return code_of("nvmlInit_v2");
}

int nvmlShutdown() { return 0; }

const char* nvmlErrorString(int code) { return code == 3 ? "Not Supported" : "An error of the test"; }

int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  std::snprintf(text, size, "570.1");
  return 0;
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = script.count;
  return code_of("nvmlDeviceGetCount_v2");
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= script.count) return 6;
  *device = places + index;
  return code_of("nvmlDeviceGetHandleByIndex_v2");
}

int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  if (std::strcmp(uuid, "GPU-1111") != 0) return 6;
  return nvmlDeviceGetHandleByIndex_v2(1, device);
}

int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  std::snprintf(text, size, "NVIDIA Test %u", number_of(device));
  return code_of("nvmlDeviceGetName");
}

int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  static unsigned long long last_mj = 0;
  const std::string wrong = fault();
  const auto updates =
      static_cast<std::int64_t>(static_cast<double>(now_ns() - script.start_ns) * 1e-6 / script.update_ms);
  // GPU i uses i + 1 times the power of GPU 0.
  const double power_w = script.power_w * (number_of(device) + 1);
  const double used_mj = power_w * script.update_ms * static_cast<double>(updates);
  if (wrong == "back")
    last_mj = static_cast<unsigned long long>(used_mj);
  else if (wrong != "stuck")
    last_mj = static_cast<unsigned long long>(kStartMj + (wrong == "jump" ? 1e6 * used_mj : used_mj));
  *millijoules = last_mj;
  return code_of("nvmlDeviceGetTotalEnergyConsumption");
}

int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
  *milliwatts = static_cast<unsigned>(1e3 * script.power_w * (number_of(device) + 1));
  return code_of("nvmlDeviceGetPowerUsage");
}

int nvmlDeviceGetFieldValues(void* device, int count, FieldValue* fields) {
  for (int i = 0; i < count; ++i) {
    fields[i].code = fields[i].field_id == kInstantField ? code_of("power_instant") : 3;
    fields[i].value_type = 1;
    fields[i].value.ui = static_cast<unsigned>(1e3 * script.power_w * (number_of(device) + 1));
  }
  return code_of("nvmlDeviceGetFieldValues");
}

}  // extern "C"
