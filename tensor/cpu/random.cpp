// `random` in tensor/reference/random.cpp defines what this file computes.
#include <cmath>

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

/// Draw i needs nothing of those before it, so any thread can make any range.
template <class T>
void random_of(const RandomCall& call) {
  constexpr std::int64_t kGrain = 1 << 12;
  T* y = as<T>(call.y);
  const auto word = [](std::int64_t i) { return static_cast<std::uint64_t>(i); };
  const double limit = std::ldexp(call.a, 32);
  parallel_for((call.count + 1) / 2, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 2 * begin; i < std::min(2 * end, call.count); ++i) {
      switch (call.kind) {
        case RandomKind::uniform:
          y[i] = static_cast<T>(call.a + (call.b - call.a) * call.state.uniform(word(i)));
          break;
        case RandomKind::normal:
          y[i] = static_cast<T>(call.a + call.b * call.state.normal(2 * word(i)));
          break;
        case RandomKind::mask: {
          // One draw decides for two elements.
          const std::uint64_t bits = call.state.bits(word(i) / 2);
          y[i] = static_cast<double>(bits & UINT32_MAX) < limit ? T(0) : static_cast<T>(call.b);
          if (++i < call.count)
            y[i] = static_cast<double>(bits >> 32) < limit ? T(0) : static_cast<T>(call.b);
          break;
        }
      }
    }
  });
}

}  // namespace

CBNET_BY_DTYPE(random, RandomCall)

}  // namespace cbnet::cpu
