#include "tensor/thread_team.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tensor/cpu_limit.h"
#include "tensor/error.h"
#include "tensor/flush_subnormals.h"

namespace cbnet::detail {
namespace {

/// Gaps between the loops of a training step are mostly shorter than this.
constexpr std::int64_t kLookingNs = 250'000;

void pause_processor() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

std::int64_t now_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

/// Nobody looks until then, since somebody lost its core while it did: other programs want the cores, and a
/// thread that sleeps gets one back sooner than a thread that used its up by looking.
std::atomic<std::int64_t> crowded_until_ns{0};

/// One thread waits here for a condition that other threads make true.
class Gate {
 public:
  /// Returns once ready() holds.
  template <class Ready>
  void wait(const Waiting& how, Ready ready) {
    if (how.limit_ns < 0 ? look(how.rounds, ready) : look_politely(how.limit_ns, ready)) return;
    std::unique_lock lock(mutex_);
    asleep_ = true;  // Whoever makes the condition true from here on sees this, or is seen by ready().
    woken_.wait(lock, ready);
    asleep_ = false;
  }

  /// Is called after the condition was made true.
  void notify() {
    if (!asleep_) return;
    const std::lock_guard lock(mutex_);
    woken_.notify_one();
  }

 private:
  /// Looks so many times, or for ever; returns true as soon as ready() holds.
  template <class Ready>
  static bool look(std::int64_t rounds, Ready ready) {
    for (std::int64_t round = 0; rounds < 0 || round < rounds; ++round) {
      if (ready()) return true;
      pause_processor();
    }
    return false;
  }

  /// Looks for so long, between times offering the core to whoever wants it.
  template <class Ready>
  static bool look_politely(std::int64_t limit_ns, Ready ready) {
    constexpr std::int64_t kRounds = 32, kLostNs = 200'000, kCrowdedNs = 50'000'000;
    const std::int64_t begin = now_ns();
    const std::int64_t end = begin < crowded_until_ns ? begin : begin + limit_ns;
    for (std::int64_t now = begin;;) {
      if (look(kRounds, ready)) return true;
      const std::int64_t before = std::exchange(now, now_ns());
      if (now - before > kLostNs) crowded_until_ns = now + kCrowdedNs;
      if (now >= end || now < crowded_until_ns) return false;
      std::this_thread::yield();
    }
  }

  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::condition_variable woken_;
};

/// This counts the threads of all teams, callers included. More of them than CPUs gain nothing from looking.
std::atomic<int> all_threads{0};
/// Counts the forks that led to this process: a team made before the last of them has lost its threads.
std::atomic<std::uint64_t> generation{0};
thread_local bool in_chunk = false;

void after_fork_in_child() {
  ++generation;
  all_threads = 0;
}

class Team {
 public:
  /// Throws InputError for an environment that says how to wait in words that are unknown.
  Team() { ++all_threads; }
  ~Team() {
    for (auto& worker : workers_) {
      worker->stop = true;
      worker->gate.notify();
      worker->thread.join();
    }
    all_threads -= 1 + static_cast<int>(workers_.size());
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  bool is_of_this_process() const { return generation_ == generation; }

  void run(int chunks, void (*body)(void*, int), void* context) {
    grow(static_cast<std::size_t>(chunks) - 1);
    body_ = body;
    context_ = context;
    float_control_ = float_control();
    first_ = nullptr;
    pending_ = chunks - 1;
    for (int w = 0; w < chunks - 1; ++w) {
      Worker& worker = *workers_[static_cast<std::size_t>(w)];
      worker.has_work = true;
      worker.gate.notify();
    }
    in_chunk = true;
    run_chunk(0);
    in_chunk = false;
    gate_.wait(waiting(), [this] { return pending_ == 0; });
    if (first_) std::rethrow_exception(std::exchange(first_, nullptr));
  }

 private:
  struct Worker {
    std::atomic<bool> has_work{false}, stop{false};
    Gate gate;
    std::thread thread;
  };

  void grow(std::size_t workers) {
    while (workers_.size() < workers) {
      const int chunk = static_cast<int>(workers_.size()) + 1;
      workers_.push_back(std::make_unique<Worker>());
      Worker& worker = *workers_.back();
      try {
        worker.thread = std::thread([this, &worker, chunk] { work(worker, chunk); });
      } catch (const std::system_error& error) {
        workers_.pop_back();
        throw std::runtime_error(concat("cannot start thread ", chunk + 1, " of ", workers + 1, ": ",
                                        error.code().message(),
                                        "; hint: allow more processes, or ask for fewer threads"));
      } catch (...) {
        workers_.pop_back();
        throw;
      }
      ++all_threads;
    }
  }

  void work(Worker& worker, int chunk) {
    in_chunk = true;
    for (;;) {
      worker.gate.wait(waiting(), [&worker] { return worker.has_work || worker.stop; });
      if (!worker.has_work) return;
      set_float_control(float_control_);  // or the bits would depend on which thread computes what
      run_chunk(chunk);
      worker.has_work = false;
      if (--pending_ == 0) gate_.notify();
    }
  }

  void run_chunk(int chunk) {
    try {
      body_(context_, chunk);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!first_) first_ = std::current_exception();
    }
  }

  Waiting waiting() const {
    const bool crowded = waiting_.limit_ns >= 0 && all_threads > cpus_;
    return crowded ? Waiting{0, 0} : waiting_;
  }

  const std::uint64_t generation_ = generation;
  const Waiting waiting_ = waiting_from_environment();
  const int cpus_ = allowed_cpus();
  std::vector<std::unique_ptr<Worker>> workers_;
  void (*body_)(void*, int) = nullptr;
  void* context_ = nullptr;
  FloatControl float_control_ = 0;  // the caller's
  std::atomic<int> pending_{0};     // chunks that workers have not ended
  Gate gate_;                       // where the caller waits for them
  std::mutex mutex_;                // of first_
  std::exception_ptr first_;
};

/// This is the team of one calling thread.
class TeamOfThread {
 public:
  TeamOfThread() = default;
  ~TeamOfThread() { forget_after_fork(); }
  TeamOfThread(const TeamOfThread&) = delete;
  TeamOfThread& operator=(const TeamOfThread&) = delete;

  Team& get() {
    forget_after_fork();
    if (team_ == nullptr) team_ = std::make_unique<Team>();
    return *team_;
  }

 private:
  /// A team whose threads stayed in the parent can be neither used nor joined, only left behind.
  void forget_after_fork() {
    if (team_ != nullptr && !team_->is_of_this_process()) static_cast<void>(team_.release());
  }

  std::unique_ptr<Team> team_;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

Waiting waiting_from_environment() {
  const char* count = std::getenv("GOMP_SPINCOUNT");
  if (count != nullptr && *count != '\0') {
    const std::string text = lower(count);
    if (text == "infinite" || text == "infinity") return {-1, -1};
    std::int64_t rounds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rounds);
    const std::string unit(end, text.data() + text.size());
    const std::int64_t factor = unit.empty()  ? 1
                                : unit == "k" ? 1'000
                                : unit == "m" ? 1'000'000
                                : unit == "g" ? 1'000'000'000
                                              : 0;
    if (error != std::errc() || rounds < 0 || factor == 0 || rounds > INT64_MAX / factor) {
      throw InputError("GOMP_SPINCOUNT", "a number, with k, M or G behind it, or infinite",
                       concat("'", count, "'"), "unset it");
    }
    return {rounds * factor, -1};
  }
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  if (policy == nullptr || *policy == '\0') return {-1, kLookingNs};
  const std::string text = lower(policy);
  if (text == "active") return {-1, -1};
  if (text == "passive") return {0, -1};
  throw InputError("OMP_WAIT_POLICY", "active or passive", concat("'", policy, "'"), "unset it");
}

void run_in_team(int chunks, void (*body)(void*, int), void* context) {
  if (chunks <= 1 || in_chunk) {
    for (int chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
    return;
  }
  static const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);
  static_cast<void>(registered);
  thread_local TeamOfThread team;
  team.get().run(chunks, body, context);
}

}  // namespace cbnet::detail
