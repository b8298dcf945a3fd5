#include "energy/nvml.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <cmath>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "energy/clock.h"
#include "energy/meter.h"
#include "tests/energy/support.h"

// tests/support/fake_nvml.cpp stands in for the library.

using namespace cbnet::energy;
using namespace cbnet::energy::testing;

namespace {

using Variable = std::pair<const char*, std::string>;

// The script of the library, for as long as it lives.
class Script {
 public:
  Script(std::initializer_list<Variable> variables) : variables_(variables) {
    for (const auto& [name, value] : variables_) setenv(name_of(name).c_str(), value.c_str(), 1);
  }
  ~Script() {
    for (const auto& [name, value] : variables_) unsetenv(name_of(name).c_str());
  }
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

 private:
  static std::string name_of(const char* name) { return std::string("FAKE_NVML_") + name; }

  std::vector<Variable> variables_;
};

NvmlOptions options_for(const std::string& gpu = "") {
  NvmlOptions options;
  options.library = CBNET_FAKE_NVML;
  options.gpu = gpu;
  return options;
}

std::string refusal(std::initializer_list<Variable> variables, const NvmlOptions& options = options_for()) {
  const Script script(variables);
  return message_of<std::runtime_error>([&] { make_nvml_meter(options); });
}

EnergyResult measure(Meter& meter, int ms) {
  meter.start();
  sleep_ms(ms);
  return meter.stop();
}

// A busy machine can keep the thread that reads from its turn, so that times next to the window's ends are
// less well known; then the window is tried anew.
EnergyResult measure_undisturbed(Meter& meter, double power_w) {
  constexpr int kWindowMs = 400;
  const auto disturbed = [&](const EnergyResult& result) {
    return !result.power_w || std::abs(*result.power_w - power_w) > 0.02 * power_w ||
           result.sampled->coverage < 1;
  };
  EnergyResult result = measure(meter, kWindowMs);
  for (int i = 0; i < 20 && disturbed(result); ++i) result = measure(meter, kWindowMs);
  return result;
}

// Opens a window, lets the counter do what `fault` says in the middle of it, and closes it.
EnergyResult measure_fault(const std::string& fault) {
  const TempDir dir;
  const Script script{{"FAULT", (dir.path() / "fault").string()}};
  NvmlOptions options = options_for();
  options.change_timeout_s = 0.3;
  const auto meter = make_nvml_meter(options);
  meter->start();
  sleep_ms(100);
  dir.write("fault", fault);
  sleep_ms(100);
  EnergyResult result = meter->stop();
  CHECK_FALSE(result.energy_j);
  CHECK_FALSE(result.power_w);
  CHECK(result.kind == Kind::counter);
  CHECK(result.window_s > 0.2);
  return result;
}

}  // namespace

TEST_CASE("a missing library and one without NVML's functions are named") {
  NvmlOptions options;
  options.library = "libnvidia-ml-nowhere.so.1";
  CHECK(contains(refusal({}, options), "expected NVML, the library libnvidia-ml-nowhere.so.1; got"));
  CHECK(contains(refusal({}, options), "hint: it comes with NVIDIA's driver"));
  options.library = "libc.so.6";
  CHECK(contains(refusal({}, options),
                 "expected NVML with the function nvmlInit_v2; got a library without it"));
}

TEST_CASE("an error of the library is named by its function, code and words, with a hint") {
  CHECK(refusal({{"FAIL", "nvmlInit_v2=9"}}) ==
        "[energy] expected NVML's nvmlInit_v2 to succeed; got code 9 (An error of the test); hint: the "
        "driver is "
        "not loaded; nvidia-smi says more");
  const std::string old = refusal({{"FAIL", "nvmlDeviceGetTotalEnergyConsumption=3"}});
  CHECK(contains(old, "nvmlDeviceGetTotalEnergyConsumption"));
  CHECK(contains(old, "code 3 (Not Supported)"));
  CHECK(contains(old, "came with Volta"));
  CHECK(contains(refusal({{"FAIL", "nvmlDeviceGetCount_v2=4"}}), "hint: no permission"));
  CHECK(contains(refusal({{"FAIL", "nvmlDeviceGetName=15"}}), "nvmlDeviceGetName"));
  CHECK(contains(refusal({{"FAIL", "power_instant=999"}}), "nvmlDeviceGetFieldValues"));
  CHECK(
      contains(refusal({{"FAIL", "power_instant=3,nvmlDeviceGetPowerUsage=3"}}), "nvmlDeviceGetPowerUsage"));
  CHECK(contains(refusal({{"COUNT", "0"}}), "expected at least one GPU"));
  CHECK(contains(refusal({{"COUNT", "2"}}, options_for("2")), "code 6"));
  CHECK(contains(refusal({{"COUNT", "2"}}, options_for("GPU-9999")), "nvmlDeviceGetHandleByUUID"));
}

TEST_CASE("a counter that stands still is refused") {
  NvmlOptions options = options_for();
  options.change_timeout_s = 0.1;
  CHECK(contains(refusal({{"UPDATE_MS", "1e9"}}, options), "got one that stood still for 0.1 s"));
}

TEST_CASE("a wrong period and stop() without start() throw") {
  NvmlOptions options = options_for();
  options.period_ms = 0;
  CHECK_THROWS_AS(NvmlSampler{options}, std::invalid_argument);
  CHECK_THROWS_AS(make_nvml_meter(options_for())->stop(), std::logic_error);
}

TEST_CASE("the library tells names, driver, energy and power") {
  const Script script{{"COUNT", "2"}, {"POWER_W", "50.5"}};
  const Nvml nvml(CBNET_FAKE_NVML);
  CHECK(nvml.device_count() == 2);
  CHECK(nvml.name(nvml.device(1)) == "NVIDIA Test 1");
  CHECK(nvml.device("GPU-1111") == nvml.device(1));
  CHECK(nvml.driver() == "570.1");
  CHECK(nvml.energy_j(nvml.device(0)) >= 5e6);
  CHECK(nvml.energy_j(nvml.device(0)) < 6e6);
  CHECK(nvml.power_w(nvml.device(0)) == doctest::Approx(50.5));
  CHECK(nvml.instant_power_w(nvml.device(1)).value() == doctest::Approx(101));
}

TEST_CASE("changes of the counter are those that it made, in order, each once") {
  const Script script{{"UPDATE_MS", "30"}};
  const std::int64_t start_ns = monotonic_ns();
  NvmlSampler sampler(options_for());
  std::int64_t seen_ns = start_ns;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(sampler.wait_for_changes(seen_ns));
    seen_ns = sampler.snapshot().gpus[0].changes.back().t_ns;
  }
  const NvmlSeries gpu = sampler.snapshot().gpus.at(0);
  CHECK(gpu.gpu == "GPU 0 (NVIDIA Test 0)");
  REQUIRE(gpu.changes.size() >= 5);
  for (std::size_t i = 1; i < gpu.changes.size(); ++i) {
    CHECK(gpu.changes[i].t_ns > gpu.changes[i - 1].t_ns);
    // 100 W for 30 ms are 3 J; a busy machine lets one pass unread.
    const double steps = (gpu.changes[i].energy_j - gpu.changes[i - 1].energy_j) / 3;
    CHECK(steps >= 1 - 1e-6);
    CHECK(steps == doctest::Approx(std::round(steps)).epsilon(1e-6));
  }
  for (const PowerSample& sample : gpu.samples) CHECK(sample.power_w == doctest::Approx(100));
  sampler.discard_before(gpu.changes[2].t_ns);
  CHECK(sampler.snapshot().gpus[0].changes.front().t_ns == gpu.changes[2].t_ns);
  CHECK(sampler.snapshot().gpus[0].samples.size() < gpu.samples.size());
}

TEST_CASE("a meter counts the joules of its window, and holds power samples beside them") {
  const Script script{{"POWER_W", "250"}};
  const auto meter = make_nvml_meter(options_for());
  const EnergyResult result = measure_undisturbed(*meter, 250);
  CAPTURE(result.warning);
  REQUIRE(result.energy_j);
  // The times of the changes at both ends are known to some milliseconds.
  CHECK(*result.energy_j == doctest::Approx(250 * result.window_s).epsilon(0.02));
  CHECK(*result.power_w == doctest::Approx(*result.energy_j / result.window_s));
  CHECK(result.window_s >= 0.4);
  CHECK(result.coverage.value() > 0.95);
  CHECK(result.coverage.value() <= 1);
  CHECK(to_string(result.kind) == "measured (counter)");
  CHECK(result.source == "nvmlDeviceGetTotalEnergyConsumption");
  CHECK(result.label == "measured (NVML energy counter, GPU 0 (NVIDIA Test 0), driver 570.1)");
  REQUIRE(result.sampled);
  CHECK(result.sampled->energy_j.value() == doctest::Approx(250 * result.window_s));
  CHECK(result.sampled->coverage == 1.0);
  CHECK(result.sampled->source == "NVML_FI_DEV_POWER_INSTANT");
  CHECK_FALSE(result.utilisation);
  CHECK(contains(meter->describe(), result.label));
  CHECK(contains(meter->describe(), "NVML_FI_DEV_POWER_INSTANT"));
}

TEST_CASE("a window opens at a change of the counter") {
  const Script script{{"UPDATE_MS", "200"}};
  const auto meter = make_nvml_meter(options_for());
  const std::int64_t first_ns = (meter->start(), meter->stop()).start_ns;
  int at_a_change = 0;
  constexpr int kWindows = 6;
  for (int i = 0; i < kWindows; ++i) {
    sleep_ms(30 + 20 * i);
    const EnergyResult result = measure(*meter, 50);
    const double updates = static_cast<double>(result.start_ns - first_ns) * 1e-9 / 0.2;
    at_a_change += std::abs(updates - std::round(updates)) < 0.05 ? 1 : 0;
    // Too short a window for this counter.
    CHECK_FALSE(result.energy_j);
    CHECK(contains(result.warning, "at least 90 % are needed"));
  }
  // A busy machine may be late.
  CHECK(at_a_change >= kWindows - 2);
}

TEST_CASE("an older GPU without the field for power at the moment has the average, by its name") {
  const Script script{{"FAIL", "power_instant=3"}};
  const auto meter = make_nvml_meter(options_for());
  const EnergyResult result = measure_undisturbed(*meter, 100);
  CHECK(result.energy_j);
  CHECK(result.sampled.value().source == "nvmlDeviceGetPowerUsage");
  CHECK(result.sampled->energy_j.value() == doctest::Approx(100 * result.window_s));
}

TEST_CASE("one GPU is chosen by index or UUID; several are summed") {
  const Script script{{"COUNT", "2"}};
  for (const char* gpu : {"1", "GPU-1111"}) {
    const auto meter = make_nvml_meter(options_for(gpu));
    CHECK(measure_undisturbed(*meter, 200).power_w.value() == doctest::Approx(200).epsilon(0.02));
  }
  const auto meter = make_nvml_meter(options_for());
  const EnergyResult result = measure_undisturbed(*meter, 300);
  CHECK(result.power_w.value() == doctest::Approx(300).epsilon(0.02));
  CHECK(result.sampled->energy_j.value() == doctest::Approx(300 * result.window_s));
  CHECK(contains(result.label, "sum of 2 GPUs, GPU 0 (NVIDIA Test 0), GPU 1 (NVIDIA Test 1)"));
}

TEST_CASE("a counter that fails inside the window is no energy, not 0 W") {
  CHECK(contains(measure_fault("back").warning, "ran back from"));
  CHECK(contains(measure_fault("stuck").warning, "stood still for 0.3 s"));
  CHECK(contains(measure_fault("jump").warning, "below 10 kW a GPU"));
  const EnergyResult lost = measure_fault("lost");
  CHECK(contains(lost.warning, "nvmlDeviceGetTotalEnergyConsumption to succeed; got code 15"));
  CHECK(contains(lost.warning, "fallen off the bus"));
  CHECK_FALSE(lost.sampled.value().energy_j);
}

TEST_CASE("100 meters start and stop, and none keeps its library or thread") {
  const Script script{{"UPDATE_MS", "1"}};
  for (int i = 0; i < 100; ++i) {
    const auto meter = make_nvml_meter(options_for());
    meter->start();
    meter->stop();
  }
  // The library starts anew for each.
  CHECK(Nvml(CBNET_FAKE_NVML).device_count() == 1);
}
