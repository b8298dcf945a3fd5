// A program of its own, since it counts every allocation: a plan that has run makes none.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "tensor/parallel.h"
#include "tests/models/planned.h"
#include "tests/support/kinds.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CBNET_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CBNET_SANITIZED 1
#endif

namespace {
std::atomic<std::size_t> allocations{0};
}

#ifdef CBNET_SANITIZED
// The sanitizers have a malloc of their own; GCC ships no header that declares this.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
namespace {
void count(const volatile void*, std::size_t) { ++allocations; }
void ignore(const volatile void*) {}
[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(count, ignore);
}  // namespace
#else
// In the place of the C library's, which operator new calls too.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** made, std::size_t alignment, std::size_t size) {
  ++allocations;
  *made = __libc_memalign(alignment, size);
  return *made == nullptr ? ENOMEM : 0;
}
}
#endif

using namespace cbnet;
using namespace cbnet::testing;
using runtime::Plan;
using runtime::Workspace;

namespace {

/// Allocations, in any thread, of ten calls for each number of images, bytes and floats in turn.
std::size_t allocations_of(const Plan& plan, Workspace& workspace, const std::vector<std::uint8_t>& bytes,
                           const std::vector<float>& floats, std::initializer_list<std::int64_t> sizes) {
  const std::size_t before = allocations;
  for (const std::int64_t n : sizes) {
    for (int call = 0; call < 5; ++call) {
      static_cast<void>(plan.run(bytes.data(), n, workspace));
      static_cast<void>(plan.run(floats.data(), n, workspace));
    }
  }
  return allocations - before;
}

void check_no_allocations(const Planned& planned) {
  constexpr std::int64_t kImages = 64;
  const std::vector<std::uint8_t> bytes = random_bytes(kImages, planned.graph.input);
  const std::vector<float> floats = as_floats(bytes);
  const int before = num_threads();
  for (const Isa isa : available_isas()) {
    const Plan plan(planned.graph, isa);
    for (const int threads : {1, 2}) {
      set_num_threads(threads);
      Workspace workspace(plan);
      CHECK_MESSAGE(allocations_of(plan, workspace, bytes, floats, {1}) == 0,
                    planned.name << ", first calls");
      CHECK(allocations_of(plan, workspace, bytes, floats, {kImages}) >
            0);  // it has become larger, and is counted
      const std::size_t made = allocations_of(plan, workspace, bytes, floats, {1, kImages, 7, kImages, 1});
      CHECK_MESSAGE(made == 0,
                    planned.name << ", " << to_string(isa) << ", " << threads << " threads: " << made);
    }
  }
  set_num_threads(before);
}

}  // namespace

TEST_CASE("allocations are counted") {
  const std::size_t before = allocations;
  void* volatile bytes = std::malloc(8);  // volatile: or the compiler does without
  std::free(bytes);
  int* volatile one = new int(1);
  delete one;
  CHECK(allocations - before >= 2);
#if !defined(__SANITIZE_THREAD__)  // whose hooks do not see this one
  void* volatile line = std::aligned_alloc(64, 64);
  std::free(line);
  CHECK(allocations - before >= 3);
#endif
}

TEST_CASE("plan: no allocation behind the first call of a size, by any of the paper's models") {
  for (const Planned& planned : paper_models(as_floats(random_bytes(64, {1, 28, 28}))))
    check_no_allocations(planned);
}

TEST_CASE("plan: nor by layers without kernels of their own") {
  const NetworkSpec strided = {"strided",
                               {3, 40, 40},
                               {kinds::Conv2d{.out = 32, .kernel_size = 3, .stride = 2, .padding = 1},
                                kinds::Relu{}, kinds::MaxPool2d{.kernel_size = 3, .stride = 2},
                                kinds::Conv2d{.out = 32, .kernel_size = 3, .padding = 2, .dilation = 2},
                                kinds::Conv2d{.out = 32, .kernel_size = 3, .padding = 1, .groups = 4},
                                kinds::AvgPool2d{.kernel_size = 3, .stride = 2}, kinds::Softmax{},
                                kinds::Flatten{}, kinds::Linear{.out = 10}},
                               {},
                               Init::he_normal};
  check_no_allocations(planned_classifier(trained(strided, 3), {}, "strided"));
}
