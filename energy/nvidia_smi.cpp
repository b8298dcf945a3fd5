#include "energy/nvidia_smi.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>

#include "energy/clock.h"
#include "energy/text.h"

namespace cbnet::energy {
namespace {

// These bound what a runaway program can make this process keep.
constexpr std::size_t kMaxLineBytes = 64 * 1024;
constexpr std::size_t kMaxQuotedBytes = 160;
constexpr std::size_t kMaxGpus = 64;
// A GPU that has reported this often that it has no reading, and nothing else, is not waited for.
constexpr std::size_t kNoSensorRows = 5;
constexpr std::size_t kMaxSamples = std::size_t{1} << 20;  // 29 h at 10 Hz

NvidiaSmiOptions checked(NvidiaSmiOptions options) {
  if (options.period_ms < 1) {
    throw std::invalid_argument(fault("a sampling period of at least 1 ms",
                                      std::to_string(options.period_ms) + " ms",
                                      "nvidia-smi renews its reading every 100 ms"));
  }
  return options;
}

std::vector<std::string> command(const NvidiaSmiOptions& options) {
  std::vector<std::string> words = {options.program};
  if (!options.gpu.empty()) words.insert(words.end(), {"-i", options.gpu});
  words.push_back("--query-gpu=" + std::string(kNvidiaSmiColumns) + "," + options.power_field);
  words.insert(words.end(), {"--format=csv,noheader,nounits", "-lms", std::to_string(options.period_ms)});
  return words;
}

std::string quote(std::string_view text) { return '"' + std::string(text.substr(0, kMaxQuotedBytes)) + '"'; }

}  // namespace

NvidiaSmiSampler::NvidiaSmiSampler(NvidiaSmiOptions options)
    : options_(checked(std::move(options))),
      wake_(make_pipe()),
      child_(command(options_), {.error = ProcessOptions::kOutput}),
      pid_(child_.pid()),
      started_ns_(monotonic_ns()),
      last_row_ns_(started_ns_),
      thread_([this] { run(); }) {}

NvidiaSmiSampler::~NvidiaSmiSampler() {
  // Closing the write end wakes poll(): end of file there means stop.
  wake_.write.reset();
  thread_.join();
}

bool NvidiaSmiSampler::wait_for_samples(std::int64_t t_ns, double timeout_s) {
  std::unique_lock lock(mutex_);
  const auto has_sample = [&](const GpuSeries& gpu) {
    return !gpu.samples.empty() && gpu.samples.back().t_ns >= t_ns;
  };
  const auto is_settled = [&](const GpuSeries& gpu) {
    return has_sample(gpu) || (gpu.samples.empty() && gpu.missing_count >= kNoSensorRows);
  };
  const std::vector<GpuSeries>& gpus = state_.gpus;
  changed_.wait_for(lock, std::chrono::duration<double>(timeout_s), [&] {
    return state_.lost || state_.unusable ||
           (!gpus.empty() && std::all_of(gpus.begin(), gpus.end(), is_settled));
  });
  return !state_.unusable && !gpus.empty() && std::all_of(gpus.begin(), gpus.end(), has_sample);
}

void NvidiaSmiSampler::discard_before(std::int64_t t_ns) {
  const std::lock_guard lock(mutex_);
  for (GpuSeries& gpu : state_.gpus) {
    const auto next = std::partition_point(gpu.samples.begin(), gpu.samples.end(),
                                           [&](const PowerSample& sample) { return sample.t_ns <= t_ns; });
    // The last sample before the window carries the interpolation at its edge.
    if (next - gpu.samples.begin() > 1) gpu.samples.erase(gpu.samples.begin(), next - 1);
    gpu.missing_count = 0;
  }
}

NvidiaSmiSnapshot NvidiaSmiSampler::snapshot() const {
  const std::lock_guard lock(mutex_);
  NvidiaSmiSnapshot copy = state_;
  const double silent_s = static_cast<double>(monotonic_ns() - last_row_ns_) * 1e-9;
  if (copy.fault.empty() && silent_s > kMaxGapPeriods * period_s()) {
    const std::string got = "none for " + format_fixed(silent_s, 2) + " s";
    copy.fault = fault("a row from " + options_.program + " every " + format_number(period_s()) + " s",
                       last_text_.empty() ? got : got + ", last " + quote(last_text_),
                       "it hangs, or has no such GPU; run it by hand");
  }
  return copy;
}

bool NvidiaSmiSampler::is_watched(const NvidiaSmiRow& row) const {
  return options_.gpu.empty() || options_.gpu == row.uuid || options_.gpu == std::to_string(row.index);
}

void NvidiaSmiSampler::run() {
  try {
    read_rows();
  } catch (const std::exception& error) {
    lose(error.what());
  }
}

void NvidiaSmiSampler::read_rows() {
  constexpr double kExitS = 0.1;
  std::string pending;
  std::array<char, 4096> chunk{};
  for (;;) {
    std::array<pollfd, 2> fds{{{child_.output_fd(), POLLIN, 0}, {wake_.read.get(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return lose(std::strerror(errno));
    }
    if (fds[1].revents != 0) return;
    const ssize_t count = ::read(child_.output_fd(), chunk.data(), chunk.size());
    const std::int64_t t_ns = monotonic_ns();
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      // A last line without its end may be a cut-off number, so it is dropped.
      child_.wait(kExitS);
      return lose("its end, " + child_.exit_text());
    }
    pending.append(chunk.data(), static_cast<std::size_t>(count));
    std::size_t from = 0;
    for (std::size_t end = 0; (end = pending.find('\n', from)) != std::string::npos; from = end + 1) {
      take_line(std::string_view(pending).substr(from, end - from), t_ns);
    }
    pending.erase(0, from);
    if (pending.size() > kMaxLineBytes) {
      take_line(pending, t_ns);
      pending.clear();
    }
  }
}

void NvidiaSmiSampler::lose(const std::string& got) {
  {
    const std::lock_guard lock(mutex_);
    state_.lost = true;
    if (state_.fault.empty()) {
      const double age_s = static_cast<double>(monotonic_ns() - started_ns_) * 1e-9;
      state_.fault = fault("rows from " + options_.program + " without end",
                           got + " after " + format_fixed(age_s, 2) + " s" +
                               (last_text_.empty() ? "" : ", last " + quote(last_text_)),
                           "run it by hand; is the driver loaded?");
    }
  }
  changed_.notify_all();
}

void NvidiaSmiSampler::take_line(std::string_view line, std::int64_t t_ns) {
  if (trim(line).empty()) return;
  const NvidiaSmiRow row = parse_row(line);
  {
    const std::lock_guard lock(mutex_);
    if (row.status == RowStatus::malformed) {
      ++state_.malformed_count;
      last_text_ = row.text.substr(0, kMaxQuotedBytes);
    } else if (is_watched(row)) {
      last_row_ns_ = t_ns;
      take_row(row, t_ns);
    }
  }
  changed_.notify_all();
}

void NvidiaSmiSampler::take_row(const NvidiaSmiRow& row, std::int64_t t_ns) {
  auto gpu = std::find_if(state_.gpus.begin(), state_.gpus.end(),
                          [&](const GpuSeries& series) { return series.uuid == row.uuid; });
  if (gpu == state_.gpus.end()) {
    if (state_.gpus.size() == kMaxGpus) return;
    gpu = state_.gpus.insert(gpu, GpuSeries{row.index, row.uuid, row.name, row.driver, {}, 0, {}});
  }
  if (row.status == RowStatus::ok) {
    if (gpu->samples.size() == kMaxSamples) {
      gpu->samples.erase(gpu->samples.begin(), gpu->samples.begin() + kMaxSamples / 2);
    }
    gpu->samples.push_back({t_ns, *row.power_w});
    return;
  }
  ++gpu->missing_count;
  gpu->last_missing = row.text.substr(0, kMaxQuotedBytes);
  if (row.status == RowStatus::wrong_unit && !state_.unusable) {
    state_.unusable = true;
    state_.fault = fault("GPU power in W",
                         quote(row.text) + " from GPU " + std::to_string(row.index) + " (" + row.uuid + ")",
                         "this room reads --format=csv,noheader,nounits in watts only");
  }
}

}  // namespace cbnet::energy
