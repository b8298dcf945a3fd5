#include "tensor/parallel.h"

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "tensor/cpu_limit.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr int kMaxThreads = 1024;

/// Reads the first number of a variable such as OMP_NUM_THREADS, which holds one for each level of nesting.
std::optional<int> threads_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return std::nullopt;
  const std::string value(text);
  const std::string first = value.substr(0, value.find(','));
  int threads = 0;
  const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), threads);
  if (error != std::errc() || end != first.data() + first.size() || threads < 1) {
    throw InputError(variable, concat("a number of threads from 1 to ", kMaxThreads), concat("'", value, "'"),
                     "unset it");
  }
  return std::min(threads, kMaxThreads);
}

std::atomic<int>& thread_setting() {
  static std::atomic<int> threads = detail::threads_from_environment();
  return threads;
}

}  // namespace

int num_threads() { return thread_setting(); }

void set_num_threads(int n) {
  require(n >= 1 && n <= kMaxThreads, "threads", "expected 1 to ", kMaxThreads, "; got ", n);
  thread_setting() = n;
}

std::string wait_policy() {
  const detail::Waiting waiting = detail::waiting_from_environment();
  if (waiting.limit_ns >= 0) return "default";
  if (waiting.rounds < 0) return "active";
  return waiting.rounds == 0 ? "passive" : concat("spincount ", waiting.rounds);
}

int detail::threads_from_environment() {
  return std::min(threads_in("OMP_NUM_THREADS").value_or(allowed_cpus()),
                  threads_in("OMP_THREAD_LIMIT").value_or(kMaxThreads));
}

}  // namespace cbnet
