#include "tensor/parallel.h"

#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>

#include "tensor/error.h"

// The thread sanitizer does not see into the OpenMP library. It is told the two orders that a parallel region
// gives, start before every chunk and every chunk before the end, and nothing else.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CBNET_TSAN
#endif
#endif
#if defined(CBNET_TSAN) || defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define CBNET_ORDER_BEFORE(address) __tsan_release(address)
#define CBNET_ORDER_AFTER(address) __tsan_acquire(address)
#define CBNET_UNSEEN __attribute__((no_sanitize("thread")))
#else
#define CBNET_ORDER_BEFORE(address)
#define CBNET_ORDER_AFTER(address)
#define CBNET_UNSEEN
#endif

namespace cbnet {
namespace {
std::atomic<int>& thread_setting() {
  static std::atomic<int> threads = std::max(1, omp_get_max_threads());
  return threads;
}
}  // namespace

int num_threads() { return thread_setting(); }

void set_num_threads(int n) {
  require(n >= 1 && n <= 1024, "threads", "expected 1 to 1024; got ", n);
  thread_setting() = n;
}

std::string wait_policy() {
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  return policy != nullptr ? policy : "default";
}

namespace detail {

CBNET_UNSEEN void run_chunks(int chunks, void (*body)(void*, int), void* context) {
  if (chunks <= 1 || omp_in_parallel() != 0) {
    for (int chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
    return;
  }
  std::exception_ptr first;
  std::mutex mutex;
  [[maybe_unused]] char start = 0, end = 0;  // two: by one alone, chunks would be in order with each other
  CBNET_ORDER_BEFORE(&start);
#pragma omp parallel for num_threads(chunks) schedule(static, 1)
  for (int chunk = 0; chunk < chunks; ++chunk) {
    CBNET_ORDER_AFTER(&start);
    try {
      body(context, chunk);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
    }
    CBNET_ORDER_BEFORE(&end);
  }
  CBNET_ORDER_AFTER(&end);
  if (first) std::rethrow_exception(first);
}

}  // namespace detail
}  // namespace cbnet
