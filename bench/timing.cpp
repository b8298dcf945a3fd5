#include "bench/timing.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "bench/statistics.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

constexpr double kPassSeconds = 40e-6;
constexpr int kTries = 3;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Returns how many calls make a pass. It is the warm-up too.
int calls_a_pass(const std::function<void()>& call) {
  double fastest = kPassSeconds;
  for (int i = 0; i < 3; ++i) {
    const Clock::time_point start = Clock::now();
    call();
    fastest = std::min(fastest, seconds_since(start));
  }
  return std::max(1, static_cast<int>(std::ceil(kPassSeconds / std::max(fastest, 1e-9))));
}

/// Returns the try in which others took least of the core.
TimedBlock try_block(const Task& task, double block_s) {
  TimedBlock best;
  for (int i = 0; i < kTries && best.busy < kMinBusy; ++i) {
    TimedBlock now = time_block(task.call, block_s);
    if (now.busy > best.busy) best = std::move(now);
  }
  return best;
}

}  // namespace

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

TimedBlock time_block(const std::function<void()>& call, double block_s) {
  const int calls = calls_a_pass(call);
  TimedBlock out;
  const double cpu_start = thread_seconds();
  const Clock::time_point start = Clock::now();
  double now = 0.0;
  do {
    const double before = now;
    for (int i = 0; i < calls; ++i) call();
    now = seconds_since(start);
    out.us.push_back(1e6 * (now - before) / calls);
  } while (now < block_s);
  const double cpu_s = thread_seconds() - cpu_start;
  out.busy = cpu_s / now;
  out.cpu_us = 1e6 * cpu_s / (static_cast<double>(out.us.size()) * calls);
  return out;
}

std::vector<Timing> time_in_turns(const std::vector<Task>& tasks, const TimingOptions& options) {
  require(options.rounds >= 1 && options.block_s > 0, "timing",
          "expected at least one round of blocks of some length; ", "got ", options.rounds, " of ",
          options.block_s, " s");
  std::vector<Timing> out(tasks.size());
  std::vector<std::vector<double>> blocks(tasks.size());
  const int all = options.rounds * static_cast<int>(tasks.size());
  for (int round = 0, done = 0; round < options.rounds; ++round) {
    for (std::size_t turn = 0; turn < tasks.size(); ++turn, ++done) {
      const std::size_t t = round % 2 == 0 ? turn : tasks.size() - 1 - turn;
      if (options.progress) options.progress(tasks[t].name, done, all);
      const TimedBlock block = try_block(tasks[t], options.block_s);
      const bool by_cpu = block.busy < kMinBusy && num_threads() == 1;
      blocks[t].push_back(by_cpu ? block.cpu_us : median(block.us));
      out[t].busy = std::min(out[t].busy, block.busy);
    }
  }
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const auto [low, high] = std::minmax_element(blocks[t].begin(), blocks[t].end());
    out[t].us = median(blocks[t]);
    out[t].low = *low;
    out[t].high = *high;
  }
  return out;
}

}  // namespace cbnet::bench
