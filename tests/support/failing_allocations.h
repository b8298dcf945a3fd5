#pragma once

#include <cstdint>
#include <new>

// Memory that runs out on request. A program that links failing_allocations.cpp has its operator new and its
// aligned_alloc, where the library's memory comes from; C libraries' own malloc is left alone.

namespace cbnet::testing {

enum class Shortage {
  one,      // a single allocation fails
  lasting,  // and every one behind it, until the end of the scope
};

/// While it lives, this thread's allocations fail from the `first` one on (0 is the next), with
/// std::bad_alloc.
class FailAllocations {
 public:
  FailAllocations(std::int64_t first, Shortage shortage);
  ~FailAllocations();
  FailAllocations(const FailAllocations&) = delete;
  FailAllocations& operator=(const FailAllocations&) = delete;

  /// How many have failed so far.
  std::int64_t failed() const;
};

/// Calls prepare(), then attempt() with its first allocation failing, recover() when that threw
/// std::bad_alloc, and all of it again with the second, the third, …, until attempt() makes fewer allocations
/// than that. Returns how many of the attempts threw. A failure that attempt() copes with is fine.
template <class Prepare, class Attempt, class Recover>
std::int64_t fail_each_allocation(Shortage shortage, Prepare&& prepare, Attempt&& attempt,
                                  Recover&& recover) {
  std::int64_t thrown = 0;
  for (std::int64_t first = 0;; ++first) {
    prepare();
    std::int64_t failed = 0;
    bool threw = false;
    {
      const FailAllocations scope(first, shortage);
      try {
        attempt();
      } catch (const std::bad_alloc&) {
        threw = true;
      }
      failed = scope.failed();
    }
    if (threw) {
      ++thrown;
      recover();
    }
    if (failed == 0) return thrown;
  }
}

}  // namespace cbnet::testing
