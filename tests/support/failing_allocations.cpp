#include "tests/support/failing_allocations.h"

#include <dlfcn.h>

#include <cstddef>
#include <cstdlib>

// Clang links its sanitizers into the program, where what follows here hides their aligned_alloc.
extern "C" [[gnu::weak]] void* __interceptor_aligned_alloc(std::size_t alignment, std::size_t size);

namespace {

// Plain thread-locals, which need no memory of their own.
thread_local bool armed = false;
thread_local bool lasting = false;
thread_local std::int64_t left = 0;
thread_local std::int64_t failures = 0;

bool must_fail() {
  if (!armed || left-- > 0) return false;
  if (!lasting && failures > 0) return false;
  ++failures;
  return true;
}

using AlignedAlloc = void* (*)(std::size_t, std::size_t);

/// The C library's or, in sanitized programs, the sanitizer's.
AlignedAlloc next_aligned_alloc() {
  static const auto next = __interceptor_aligned_alloc != nullptr
                               ? &__interceptor_aligned_alloc
                               : reinterpret_cast<AlignedAlloc>(::dlsym(RTLD_NEXT, "aligned_alloc"));
  return next;
}

}  // namespace

namespace cbnet::testing {

FailAllocations::FailAllocations(std::int64_t first, Shortage shortage) {
  static_cast<void>(next_aligned_alloc());
  armed = true;
  lasting = shortage == Shortage::lasting;
  left = first;
  failures = 0;
}

FailAllocations::~FailAllocations() { armed = false; }

std::int64_t FailAllocations::failed() const { return failures; }

}  // namespace cbnet::testing

// operator new[] calls these. Sanitizers have a nothrow form that does not.
void* operator new(std::size_t size) {
  void* made = must_fail() ? nullptr : std::malloc(size > 0 ? size : 1);
  if (made == nullptr) throw std::bad_alloc();
  return made;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return must_fail() ? nullptr : std::malloc(size > 0 ? size : 1);
}
void operator delete(void* made, const std::nothrow_t&) noexcept { std::free(made); }
void operator delete(void* made) noexcept { std::free(made); }
void operator delete(void* made, std::size_t) noexcept { std::free(made); }

extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return must_fail() ? nullptr : next_aligned_alloc()(alignment, size);
}
