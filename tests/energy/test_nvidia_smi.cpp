#include "energy/nvidia_smi.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>

#include "energy/clock.h"
#include "tests/energy/smi_stand_in.h"

using namespace cbnet::energy;
using namespace cbnet::energy::testing;

namespace {

// Waits until the sampler's state fulfils `holds`, and gives that state.
template <class Predicate>
NvidiaSmiSnapshot wait_until(NvidiaSmiSampler& sampler, Predicate holds) {
  const std::int64_t deadline_ns = monotonic_ns() + static_cast<std::int64_t>(kWaitS * 1e9);
  NvidiaSmiSnapshot snapshot = sampler.snapshot();
  while (!holds(snapshot) && monotonic_ns() < deadline_ns) {
    sleep_ms(2);
    snapshot = sampler.snapshot();
  }
  return snapshot;
}

bool is_lost(const NvidiaSmiSnapshot& snapshot) { return snapshot.lost; }

}  // namespace

TEST_CASE("a missing program and a wrong period throw") {
  CHECK_THROWS_AS(NvidiaSmiSampler(options_for("/nowhere/nvidia-smi")), std::runtime_error);
  NvidiaSmiOptions options = options_for("true");
  options.period_ms = 0;
  CHECK_THROWS_AS(NvidiaSmiSampler{options}, std::invalid_argument);
}

TEST_CASE("nvidia-smi is asked once, in watts, at the period") {
  const TempDir dir;
  NvidiaSmiOptions options = options_for(dir.write_program("smi", forever(echo(row(1, "50.5")))));
  options.gpu = "1";
  options.power_field = "power.draw.instant";
  NvidiaSmiSampler sampler(options);
  REQUIRE(sampler.wait_for_samples(0, kWaitS));
  CHECK(dir.read("arguments") ==
        "-i 1 --query-gpu=index,uuid,name,driver_version,power.draw.instant "
        "--format=csv,noheader,nounits -lms 20\n");
}

TEST_CASE("each GPU has its own series") {
  const TempDir dir;
  const std::int64_t start_ns = monotonic_ns();
  NvidiaSmiSampler sampler(options_for(
      dir.write_program("smi", forever(echo(row(0, "50.5")) + echo(row(1, "70.25")))), kPatientPeriodMs));
  const NvidiaSmiSnapshot snapshot = wait_until(sampler, [](const NvidiaSmiSnapshot& state) {
    return state.gpus.size() == 2 && state.gpus[1].samples.size() >= 2;
  });
  const std::int64_t stop_ns = monotonic_ns();
  REQUIRE(snapshot.gpus.size() == 2);
  CHECK(snapshot.fault.empty());
  CHECK_FALSE(snapshot.lost);
  for (int i = 0; i < 2; ++i) {
    const GpuSeries& gpu = snapshot.gpus[static_cast<std::size_t>(i)];
    CHECK(gpu.index == i);
    CHECK(gpu.uuid == (i == 0 ? "GPU-0000" : "GPU-1111"));
    CHECK(gpu.driver == "550.54");
    REQUIRE(gpu.samples.size() >= 2);
    CHECK(gpu.samples.front().t_ns >= start_ns);
    CHECK(gpu.samples.back().t_ns <= stop_ns);
    for (const PowerSample& sample : gpu.samples) CHECK(sample.power_w == (i == 0 ? 50.5 : 70.25));
    CHECK(gpu.missing_count == 0);
  }
}

TEST_CASE("one GPU can be chosen by index or UUID, even if the program prints all") {
  const TempDir dir;
  const std::string program =
      dir.write_program("smi", forever(echo(row(0, "78660 mW")) + echo(row(1, "70.25"))));
  for (const char* gpu : {"1", "GPU-1111"}) {
    CAPTURE(gpu);
    NvidiaSmiOptions options = options_for(program);
    options.gpu = gpu;
    NvidiaSmiSampler sampler(options);
    REQUIRE(sampler.wait_for_samples(0, kWaitS));
    const NvidiaSmiSnapshot snapshot = sampler.snapshot();
    REQUIRE(snapshot.gpus.size() == 1);
    CHECK(snapshot.gpus[0].index == 1);
    CHECK(snapshot.fault.empty());
  }
}

TEST_CASE("[N/A] is counted as missing, never sampled as 0 W") {
  const TempDir dir;
  NvidiaSmiSampler sampler(options_for(dir.write_program(
      "smi",
      forever(echo(row(0, "[N/A]")) + echo(row(0, "ERR!")) + echo(row(0, "0.00")) + echo(row(1, "70"))))));
  CHECK_FALSE(sampler.wait_for_samples(0, kWaitS));  // GPU 0 never has one
  const NvidiaSmiSnapshot snapshot = sampler.snapshot();
  REQUIRE(snapshot.gpus.size() == 2);
  CHECK(snapshot.gpus[0].samples.empty());
  CHECK(snapshot.gpus[0].missing_count >= 3);
  CHECK_FALSE(snapshot.gpus[1].samples.empty());
}

TEST_CASE("truncated rows and garbage are dropped, good rows stay") {
  const TempDir dir;
  NvidiaSmiSampler sampler(options_for(dir.write_program(
      "smi", forever(echo("0, GPU-0000, NVIDIA Te") + echo(row(0, "50.5")) +
                     "printf '\\001\\377\\000garbage\\n'\n" + echo("0, GPU-0000, NVIDIA Test 0, 550.54")))));
  const NvidiaSmiSnapshot snapshot = wait_until(sampler, [](const NvidiaSmiSnapshot& state) {
    return state.malformed_count >= 6 && !state.gpus.empty();
  });
  REQUIRE(snapshot.gpus.size() == 1);
  CHECK(snapshot.malformed_count >= 6);
  CHECK(snapshot.gpus[0].name == "NVIDIA Test 0");
  for (const PowerSample& sample : snapshot.gpus[0].samples) CHECK(sample.power_w == 50.5);
}

TEST_CASE("a line without an end does not fill the memory, and rows go on after it") {
  const TempDir dir;
  NvidiaSmiSampler sampler(options_for(dir.write_program(
      "smi", "head -c 300000 /dev/zero | tr '\\000' x\necho\n" + forever(echo(row(0, "50.5"))))));
  CHECK(sampler.wait_for_samples(0, kWaitS));
  CHECK(sampler.snapshot().malformed_count >= 1);
}

TEST_CASE("another unit makes the source unusable, and says why") {
  const TempDir dir;
  NvidiaSmiSampler sampler(options_for(dir.write_program("smi", forever(echo(row(0, "78660 mW"))))));
  CHECK_FALSE(sampler.wait_for_samples(0, kWaitS));
  const NvidiaSmiSnapshot snapshot = sampler.snapshot();
  CHECK(snapshot.unusable);
  CHECK(contains(snapshot.fault, "[energy] expected GPU power in W; got \"78660 mW\" from GPU 0 (GPU-0000)"));
  REQUIRE(snapshot.gpus.size() == 1);
  CHECK(snapshot.gpus[0].samples.empty());
}

TEST_CASE("a program that dies midway is lost, with its last words") {
  const TempDir dir;
  NvidiaSmiSampler sampler(
      options_for(dir.write_program("smi", repeat(3, echo(row(0, "50.5"))) + echo("GPU is lost") +
                                               "printf '0, GPU-0000, NVIDIA Test 0, 550.54, 5'\nexit 15\n")));
  const NvidiaSmiSnapshot snapshot = wait_until(sampler, is_lost);
  REQUIRE(snapshot.lost);
  CHECK(contains(snapshot.fault, "exit status 15"));
  CHECK(contains(snapshot.fault, "GPU is lost"));
  REQUIRE(snapshot.gpus.size() == 1);
  // The cut-off "5" at the end is not a sample of 5 W.
  CHECK(snapshot.gpus[0].samples.size() == 3);
  const std::int64_t start_ns = monotonic_ns();
  CHECK_FALSE(sampler.wait_for_samples(start_ns, kWaitS));
  CHECK(monotonic_ns() - start_ns < 10'000'000'000);  // a lost source is not waited for
}

TEST_CASE("a program killed from outside is lost") {
  const TempDir dir;
  NvidiaSmiSampler sampler(options_for(dir.write_program("smi", echo(row(0, "50.5")) + kHang)));
  REQUIRE(sampler.wait_for_samples(0, kWaitS));
  ::kill(sampler.pid(), SIGKILL);
  CHECK(contains(wait_until(sampler, is_lost).fault, "killed by signal 9"));
}

TEST_CASE("a program that hangs is noticed") {
  const TempDir dir;
  NvidiaSmiSampler sampler(options_for(dir.write_program("smi", echo(row(0, "50.5")) + kHang)));
  REQUIRE(sampler.wait_for_samples(0, kWaitS));
  sleep_ms(4 * kPeriodMs);
  const NvidiaSmiSnapshot snapshot = sampler.snapshot();
  CHECK_FALSE(snapshot.lost);
  CHECK(contains(snapshot.fault, "hint: it hangs"));
  CHECK(snapshot.gpus[0].samples.size() == 1);
}

TEST_CASE("forgetting keeps the sample at the edge of the window") {
  const TempDir dir;
  NvidiaSmiSampler sampler(
      options_for(dir.write_program("smi", repeat(5, echo(row(0, "50.5")) + echo(row(0, "[N/A]"))) + kHang)));
  const NvidiaSmiSnapshot snapshot = wait_until(sampler, [](const NvidiaSmiSnapshot& state) {
    return !state.gpus.empty() && state.gpus[0].missing_count == 5;
  });
  const auto samples = snapshot.gpus.at(0).samples;
  REQUIRE(samples.size() == 5);
  sampler.discard_before(samples[2].t_ns + 1);
  const GpuSeries kept = sampler.snapshot().gpus.at(0);
  REQUIRE(kept.samples.size() == 3);
  CHECK(kept.samples.front().t_ns == samples[2].t_ns);
  CHECK(kept.missing_count == 0);
  sampler.discard_before(monotonic_ns());
  CHECK(sampler.snapshot().gpus.at(0).samples.size() == 1);
  sampler.discard_before(0);
  CHECK(sampler.snapshot().gpus.at(0).samples.size() == 1);
}

TEST_CASE("the child is gone with its sampler") {
  const TempDir dir;
  pid_t pid = -1;
  {
    NvidiaSmiSampler sampler(options_for(dir.write_program("smi", kHang)));
    pid = sampler.pid();
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) != 0);
  CHECK(errno == ESRCH);
}
