#include "energy/meter.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>

#include "energy/clock.h"
#include "tests/energy/smi_stand_in.h"

using namespace cbnet::energy;
using namespace cbnet::energy::testing;

namespace {

const Host kHost{.platform = Platform::other, .model = {}, .cpu = {}, .cpu_count = 2};

constexpr const char* kBefore = "cpu  100 0 50 800 50 0 0 0 0 0\n";
constexpr const char* kAfter = "cpu  150 10 70 880 60 5 5 20 30 5\n";  // u = 0.55, steal 0.1

EnergyResult measure(Meter& meter, int ms) {
  meter.start();
  sleep_ms(ms);
  return meter.stop();
}

void check_no_energy(const EnergyResult& result) {
  CHECK_FALSE(result.energy_j);
  CHECK_FALSE(result.power_w);
  CHECK_FALSE(result.warning.empty());
  CHECK(result.window_s > 0);
}

// Opens a window, lets the stand-in fail (see failing_program), and closes it with half of it failed.
EnergyResult measure_failure(Meter& meter, const TempDir& dir) {
  meter.start();
  const std::int64_t start_ns = monotonic_ns();
  const auto elapsed_ms = [&] { return static_cast<int>((monotonic_ns() - start_ns) / 1'000'000); };
  dir.write("fail", "");
  while (!std::filesystem::exists(dir.path() / "failed") && elapsed_ms() < 1000 * kWaitS) sleep_ms(2);
  sleep_ms(300 + elapsed_ms());
  return meter.stop();
}

// Runs `healthy` over and over until measure_failure, then `broken`.
std::string failing_program(const TempDir& dir, const std::string& healthy, const std::string& broken) {
  return dir.write_program("smi", until((dir.path() / "fail").string(), healthy) + ": > '" +
                                      (dir.path() / "failed").string() + "'\n" + broken);
}

// A busy machine can be slow to let the stand-in print, so the reason may come a window later.
bool comes_to_say(Meter& meter, std::string warning, std::string_view reason) {
  for (int i = 0; i < 200 && !contains(warning, reason); ++i) warning = measure(meter, 20).warning;
  return contains(warning, reason);
}

std::ptrdiff_t count_open_fds() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return std::distance(begin(fds), end(fds));
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

}  // namespace

TEST_CASE("stop() without start() throws") {
  const TempDir dir;
  const auto model = make_model_meter(choose_model(kHost), kHost);
  CHECK_THROWS_AS(model->stop(), std::logic_error);
  measure(*model, 1);
  CHECK_THROWS_AS(model->stop(), std::logic_error);
  const auto none = make_model_meter(std::nullopt, kHost);
  CHECK_THROWS_AS(none->stop(), std::logic_error);
  const auto smi = make_nvidia_smi_meter(options_for(dir.write_program("smi", forever(echo(row(0, "50"))))));
  CHECK_THROWS_AS(smi->stop(), std::logic_error);
}

TEST_CASE("a model meter gives P(u) times the window") {
  const TempDir dir;
  const std::string stat = dir.write("stat", kBefore);
  const auto meter = make_model_meter(choose_model(kHost), kHost, stat);
  const std::int64_t before_ns = monotonic_ns();
  meter->start();
  sleep_ms(120);
  dir.write("stat", kAfter);
  const EnergyResult result = meter->stop();
  const std::int64_t after_ns = monotonic_ns();
  CHECK(result.utilisation.value() == doctest::Approx(0.55));
  CHECK(result.power_w.value() == doctest::Approx(2.0 / 18 * (40 + 140 * std::pow(0.55, 0.75))));
  CHECK(result.energy_j.value() == doctest::Approx(*result.power_w * result.window_s));
  CHECK(result.start_ns >= before_ns);
  CHECK(result.stop_ns <= after_ns);
  CHECK(result.window_s == doctest::Approx(static_cast<double>(result.stop_ns - result.start_ns) * 1e-9));
  CHECK(result.window_s >= 0.12);
  CHECK(result.steal_frac.value() == doctest::Approx(0.1));
  CHECK(contains(result.warning, "stole 10.0 %"));
  CHECK_FALSE(result.coverage);
  CHECK(to_string(result.kind) == "modelled");
  CHECK(result.label == "modelled (the paper's server, not this machine)");
  CHECK(result.source == "gci: Eq. 1, n=2, N=18, p_idle_w=40, p_peak_w=180, beta=0.75");
  CHECK(contains(meter->describe(), result.label));
  CHECK(contains(meter->describe(), result.source));
  CHECK(contains(meter->describe(), stat));
}

TEST_CASE("a second start() opens the window anew") {
  const TempDir dir;
  const auto meter = make_model_meter(choose_model(kHost), kHost, dir.write("stat", "cpu 0 0 0 0\n"));
  meter->start();
  sleep_ms(50);
  const std::int64_t again_ns = monotonic_ns();
  dir.write("stat", kBefore);
  meter->start();
  dir.write("stat", kAfter);
  const EnergyResult result = meter->stop();
  CHECK(result.start_ns >= again_ns);
  CHECK(result.utilisation.value() == doctest::Approx(0.55));
}

TEST_CASE("a window that /proc/stat cannot resolve is flagged") {
  const TempDir dir;
  const auto warning = [&](int ms, int cpu_count) {
    Host host = kHost;
    host.cpu_count = cpu_count;
    dir.write("stat", "cpu  0 0 0 0\n");
    const auto meter = make_model_meter(choose_model(host), host, (dir.path() / "stat").string());
    meter->start();
    sleep_ms(ms);
    dir.write("stat", "cpu  1 0 0 1\n");
    return meter->stop().warning;
  };
  CHECK(contains(warning(0, 4), "too short for /proc/stat"));
  CHECK(contains(warning(0, 1000), "too short for /proc/stat"));
  CHECK(contains(warning(110, 1), "hint: at least 1.00 s"));
  CHECK(warning(110, 64).empty());
}

TEST_CASE("a failed /proc/stat is no energy, not 0 W and not idle power") {
  const TempDir dir;
  const std::string stat = (dir.path() / "stat").string();
  const auto meter = make_model_meter(choose_model(kHost), kHost, stat);
  check_no_energy(measure(*meter, 1));  // absent
  dir.write("stat", "garbage\n");
  check_no_energy(measure(*meter, 1));
  dir.write("stat", kBefore);
  const EnergyResult frozen = measure(*meter, 1);  // no tick passed
  check_no_energy(frozen);
  CHECK_FALSE(frozen.utilisation);
  CHECK_FALSE(frozen.steal_frac);
  meter->start();
  std::filesystem::remove(stat);
  check_no_energy(meter->stop());  // gone midway
  dir.write("stat", kBefore);
  meter->start();
  dir.write("stat", kAfter);
  CHECK(meter->stop().energy_j);  // and it recovers
}

TEST_CASE("no model gives a window without energy") {
  const auto meter = make_model_meter(choose_model(kHost, "none"), kHost);
  const EnergyResult result = measure(*meter, 2);
  CHECK_FALSE(result.energy_j);
  CHECK_FALSE(result.power_w);
  CHECK_FALSE(result.utilisation);
  CHECK(result.window_s >= 0.002);
  CHECK(result.label == "no energy model");
  CHECK(result.warning.empty());
  CHECK(meter->describe() == "no energy model");
}

TEST_CASE("the model's note is passed on") {
  const TempDir dir;
  Host gce{.platform = Platform::google_compute_engine, .model = {}, .cpu = {}, .cpu_count = 8};
  const auto meter = make_model_meter(choose_model(gce), gce, dir.write("stat", kBefore));
  meter->start();
  dir.write("stat", kAfter);
  CHECK(contains(meter->stop().warning, "this instance has 8"));
}

TEST_CASE("this machine's utilisation is modelled over a busy window") {
  const auto meter = make_model_meter(choose_model(kHost), kHost);
  meter->start();
  volatile double sink = 0;
  for (const std::int64_t end = monotonic_ns() + 100'000'000; monotonic_ns() < end;) sink = sink + 1;
  const EnergyResult result = meter->stop();
  REQUIRE(result.utilisation);
  CHECK(*result.utilisation > 0);
  CHECK(*result.power_w > 4.4);
  CHECK(*result.power_w <= 20);
}

TEST_CASE("an nvidia-smi that cannot measure is refused at once") {
  const TempDir dir;
  const auto refusal = [&](const std::string& body, double timeout_s = kWaitS) {
    NvidiaSmiOptions options = options_for(dir.write_program("smi", body));
    options.first_row_timeout_s = timeout_s;
    return message_of<std::runtime_error>([&] { make_nvidia_smi_meter(options); });
  };
  CHECK(contains(message_of<std::runtime_error>([] { make_nvidia_smi_meter(options_for("/nowhere/smi")); }),
                 "/nowhere/smi"));
  CHECK(contains(refusal(kHang, 0.2), "hint: it hangs"));
  CHECK(contains(refusal(forever(echo("garbage")), 0.2), "hint: it hangs"));
  const std::string dead = refusal(echo("NVIDIA-SMI has failed") + "exit 9\n");
  CHECK(contains(dead, "exit status 9"));
  CHECK(contains(dead, "NVIDIA-SMI has failed"));
  CHECK(contains(refusal(forever(echo(row(0, "78660 mW")))), "78660 mW"));
  CHECK(contains(refusal(forever(echo(row(0, "[N/A]")))), "[N/A]"));
  CHECK(contains(refusal(forever(echo(row(0, "0.00")))), "0.00"));
  CHECK(contains(refusal(forever(echo(row(0, "50")) + echo(row(1, "[N/A]")))), "GPU 1 (GPU-1111)"));
}

TEST_CASE("an nvidia-smi meter measures the mean power of its window") {
  const TempDir dir;
  const auto meter = make_nvidia_smi_meter(
      options_for(dir.write_program("smi", forever(echo(row(0, "50.5")))), kPatientPeriodMs));
  const EnergyResult result = measure(*meter, 100);
  REQUIRE(result.energy_j);
  CHECK(*result.power_w == doctest::Approx(50.5));
  CHECK(*result.energy_j == doctest::Approx(50.5 * result.window_s));
  CHECK(result.coverage == 1.0);
  CHECK(result.window_s >= 0.1);
  CHECK(to_string(result.kind) == "measured");
  CHECK(result.source == "nvidia-smi power.draw");
  CHECK(result.label == "measured (nvidia-smi power.draw, NVIDIA Test 0, driver 550.54)");
  CHECK(contains(result.warning, "too short for samples every 1 s; hint: at least 10.00 s"));
  CHECK_FALSE(result.utilisation);
  CHECK_FALSE(result.steal_frac);
  CHECK(contains(meter->describe(), result.label));
  CHECK(contains(meter->describe(), "every 1000 ms"));
}

TEST_CASE("a window of ten periods has no warning") {
  const TempDir dir;
  const auto meter =
      make_nvidia_smi_meter(options_for(dir.write_program("smi", forever(echo(row(0, "50.5")))), 50));
  EnergyResult result = measure(*meter, 510);
  // A busy machine can make gaps of its own.
  for (int i = 0; i < 10 && !result.warning.empty(); ++i) result = measure(*meter, 510);
  CHECK(result.warning == "");
}

TEST_CASE("samples outside the window do not count") {
  const TempDir dir;
  const auto meter = make_nvidia_smi_meter(
      options_for(failing_program(dir, echo(row(0, "50")), forever(echo(row(0, "300")))), kPatientPeriodMs));
  CHECK(measure(*meter, 20).power_w.value() == doctest::Approx(50));
  const double mixed_w = measure_failure(*meter, dir).power_w.value();
  CHECK(mixed_w > 50);
  CHECK(mixed_w < 300);
  CHECK(measure(*meter, 20).power_w.value() == doctest::Approx(300));
}

TEST_CASE("several GPUs are summed") {
  const TempDir dir;
  const auto meter = make_nvidia_smi_meter(options_for(
      dir.write_program("smi", forever(echo(row(0, "50.5")) + echo(row(1, "70.25")))), kPatientPeriodMs));
  const EnergyResult result = measure(*meter, 100);
  CAPTURE(result.warning);
  REQUIRE(result.power_w);
  CHECK(*result.power_w == doctest::Approx(120.75));
  CHECK(contains(result.label, "sum of 2 GPUs, NVIDIA Test 0, NVIDIA Test 1"));
}

TEST_CASE("a GPU that stops reading takes the sum with it") {
  const TempDir dir;
  const auto meter = make_nvidia_smi_meter(options_for(failing_program(
      dir, echo(row(0, "50")) + echo(row(1, "70")), forever(echo(row(0, "50")) + echo(row(1, "[N/A]"))))));
  const EnergyResult result = measure_failure(*meter, dir);
  check_no_energy(result);
  CHECK(result.kind == Kind::measured);
  CHECK(contains(result.warning, "GPU 1 (GPU-1111)"));
  CHECK(comes_to_say(*meter, result.warning, "[N/A]"));
  CHECK(result.coverage.value() < 0.95);
}

TEST_CASE("an nvidia-smi that fails inside the window is no energy, not 0 W") {
  const auto check_failure = [](const std::string& broken, const std::string& reason) {
    CAPTURE(reason);
    const TempDir dir;
    const auto meter = make_nvidia_smi_meter(options_for(failing_program(dir, echo(row(0, "50")), broken)));
    const EnergyResult result = measure_failure(*meter, dir);
    check_no_energy(result);
    CHECK(comes_to_say(*meter, result.warning, reason));
    check_no_energy(measure(*meter, 20));  // and it stays so
  };
  check_failure(kHang, "hint: it hangs");
  check_failure("exit 15\n", "exit status 15");
  check_failure(forever(echo(row(0, "50000 mW"))), "50000 mW");
  check_failure(forever(echo(row(0, "[GPU requires reset]"))), "[GPU requires reset]");
  check_failure(forever(echo("0, GPU-0000")), "last \"0, GPU-0000\"");
}

TEST_CASE("200 start and stop cycles leak no descriptor and no child") {
  const TempDir dir;
  const std::string line = echo(row(0, "50"));
  NvidiaSmiOptions options =
      options_for(dir.write_program("smi", "while :; do\n" + line + "sleep 0.002\ndone\n"));
  options.period_ms = 5;
  const auto model = make_model_meter(choose_model(kHost), kHost);
  make_nvidia_smi_meter(options);
  const std::ptrdiff_t open_fds = count_open_fds();
  REQUIRE_FALSE(has_children());
  for (int i = 0; i < 200; ++i) {
    const auto smi = make_nvidia_smi_meter(options);
    model->start();
    smi->start();
    smi->stop();
    model->stop();
  }
  CHECK(count_open_fds() == open_fds);
  CHECK_FALSE(has_children());
}
