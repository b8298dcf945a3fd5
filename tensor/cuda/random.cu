#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

/// Is the transform of Box and Muller, as RngState::normal().
__device__ double normal(const RngState& state, std::uint64_t ahead) {
  constexpr double kTwoPi = 6.283185307179586476925286766559;
  return std::sqrt(-2.0 * std::log(1.0 - state.uniform(ahead))) * std::cos(kTwoPi * state.uniform(ahead + 1));
}

template <class T>
__global__ void random_kernel(RandomKind kind, RngState state, double a, double b, std::int64_t count, T* y) {
  for_each_element(count, [&](std::int64_t i) {
    const auto draw = static_cast<std::uint64_t>(i);
    if (kind == RandomKind::uniform) {
      y[i] = static_cast<T>(a + (b - a) * state.uniform(draw));
    } else if (kind == RandomKind::normal) {
      y[i] = static_cast<T>(a + b * normal(state, 2 * draw));
    } else {
      const std::uint64_t half = state.bits(draw / 2) >> draw % 2 * 32 & UINT32_MAX;
      y[i] = static_cast<T>(static_cast<double>(half) < a * 0x1.0p32 ? 0.0 : b);
    }
  });
}

template <class T>
void random_of(const RandomCall& call) {
  launch("random", random_kernel<T>, elements_grid(call.count), call.kind, call.state, call.a, call.b,
         call.count, static_cast<T*>(call.y));
}

}  // namespace

CBNET_BY_DTYPE(random, RandomCall)

}  // namespace cbnet::cuda
