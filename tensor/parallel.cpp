#include "tensor/parallel.h"

#include <omp.h>

#include <cstdlib>
#include <exception>
#include <mutex>

#include "tensor/error.h"

namespace cbnet {
namespace {
int& thread_setting() {
  static int threads = std::max(1, omp_get_max_threads());
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

void run_chunks(int chunks, void (*body)(void*, int), void* context) {
  if (chunks <= 1 || omp_in_parallel() != 0) {
    for (int chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
    return;
  }
  std::exception_ptr first;
  std::mutex mutex;
#pragma omp parallel for num_threads(chunks) schedule(static, 1)
  for (int chunk = 0; chunk < chunks; ++chunk) {
    try {
      body(context, chunk);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace detail
}  // namespace cbnet
