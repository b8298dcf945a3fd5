// The emulation catches what it is there to catch: faults that were planted on purpose, each beside the
// kernel without it.
#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "tensor/cuda/context.h"
#include "tensor/cuda/elements.cuh"
#include "tests/support/throws.h"

using namespace cbnet;
using emulation::Order;

namespace {

constexpr Order kOrders[] = {Order::forwards, Order::backwards, Order::shuffled};

/// What a kernel of one block of 64 threads leaves in 64 numbers.
std::vector<float> run(void (*kernel)(float*), Order order, std::size_t shared_bytes = 64 * sizeof(float)) {
  emulation::set_order(order, 7);
  std::vector<float> out(64, -1.0F);
  try {
    cuda::launch("planted", kernel, {dim3(1), dim3(64), shared_bytes}, out.data());
  } catch (...) {
    emulation::set_order(Order::forwards);
    throw;
  }
  emulation::set_order(Order::forwards);
  return out;
}

/// The different outcomes, bit by bit, since a NaN equals nothing.
std::set<std::vector<std::uint32_t>> in_every_order(void (*kernel)(float*)) {
  std::set<std::vector<std::uint32_t>> out;
  for (const Order order : kOrders) {
    const std::vector<float> found = run(kernel, order);
    std::vector<std::uint32_t> bits(found.size());
    std::memcpy(bits.data(), found.data(), found.size() * sizeof(float));
    out.insert(bits);
  }
  return out;
}

/// Turns 64 numbers around by way of shared memory.
template <bool kBarrier>
void reverse(float* out) {
  auto* shared = cuda::shared_memory<float>();
  shared[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (kBarrier) __syncthreads();
  out[threadIdx.x] = shared[63 - threadIdx.x];
}

/// Adds up in shared memory, by halves or all at once.
template <bool kRace>
void add_up(float* out) {
  auto* shared = cuda::shared_memory<float>();
  if (kRace) {
    if (threadIdx.x == 0) shared[0] = 0.0F;
    __syncthreads();
    const float before = shared[0];
    __syncwarp();
    shared[0] = before + static_cast<float>(threadIdx.x * threadIdx.x);
    __syncthreads();
    out[threadIdx.x] = shared[0];
  } else {
    out[threadIdx.x] = cuda::block_sum(static_cast<float>(threadIdx.x * threadIdx.x), shared);
  }
}

void sum_of_half_a_warp(float* out) {
  const unsigned lane = threadIdx.x % 32;
  if (lane >= 16) return;
  out[threadIdx.x] = cuda::warp_reduce(static_cast<float>(lane), [](float a, float b) { return a + b; });
}
void without_itself(float* out) { out[threadIdx.x] = __shfl_sync(0xFFFFU, 1.0F, 0); }
void different_masks(float* out) {
  const unsigned mask = threadIdx.x % 2 == 0 ? 0xFFFFFFFFU : 0xFFFFU | 1U << threadIdx.x % 32;
  out[threadIdx.x] = __shfl_sync(mask, 1.0F, 0);
}
void barrier_of_some(float* out) {
  if (threadIdx.x < 32) __syncthreads();
  out[threadIdx.x] = 1.0F;
}
void fine_warp_sum(float* out) {
  out[threadIdx.x] =
      cuda::warp_reduce(static_cast<float>(threadIdx.x % 32), [](float a, float b) { return a + b; });
}
void beyond_shared(float* out) {
  auto* shared = cuda::shared_memory<float>();
  shared[threadIdx.x + 1] = 1.0F;
  out[threadIdx.x] = 1.0F;
}

/// Each of two blocks of a cluster reads what the other wrote: numbers (2, 2, 32), written and read.
template <bool kBarrier>
void swap_blocks(float* numbers) {
  numbers[blockIdx.x * 32 + threadIdx.x] = static_cast<float>(blockIdx.x * 32 + threadIdx.x);
  if (kBarrier) cuda::team_barrier(2);
  numbers[64 + blockIdx.x * 32 + threadIdx.x] = numbers[(1 - blockIdx.x) * 32 + threadIdx.x];
}

std::vector<float> swapped(void (*kernel)(float*), Order order) {
  emulation::set_order(order, 7);
  std::vector<float> numbers(128, -1.0F);
  cuda::launch("planted", kernel, {dim3(2), dim3(32), 0, 2}, numbers.data());
  emulation::set_order(Order::forwards);
  return numbers;
}

}  // namespace

TEST_CASE("a missing barrier changes the numbers with the order of the threads") {
  CHECK(in_every_order(reverse<true>).size() == 1);
  CHECK(in_every_order(reverse<false>).size() > 1);
}

TEST_CASE("a missing barrier between the blocks of a cluster changes the numbers with their order") {
  CHECK(swapped(swap_blocks<true>, Order::forwards) == swapped(swap_blocks<true>, Order::backwards));
  CHECK(swapped(swap_blocks<true>, Order::forwards) == swapped(swap_blocks<true>, Order::shuffled));
  CHECK(swapped(swap_blocks<false>, Order::forwards) != swapped(swap_blocks<false>, Order::backwards));
}

TEST_CASE("a race in shared memory changes the numbers with the order of the threads") {
  CHECK(in_every_order(add_up<false>).size() == 1);
  CHECK(in_every_order(add_up<true>).size() > 1);
}

TEST_CASE("wrong warp masks and barriers that only some reach are named") {
  for (const Order order : kOrders) {
    CHECK(run(fine_warp_sum, order) == std::vector<float>(64, 496.0F));
    CHECK_THROWS_SAYING(run(sum_of_half_a_warp, order), std::logic_error, "[planted]");
    CHECK_THROWS_SAYING(run(without_itself, order), std::logic_error, "a warp mask without itself");
    CHECK_THROWS_SAYING(run(different_masks, order), std::logic_error, "different masks");
    CHECK_THROWS_SAYING(run(barrier_of_some, order), std::logic_error, "barrier");
  }
}

TEST_CASE("shared memory that nobody wrote to is not zero") {
  const auto unwritten = [](float* out) { out[threadIdx.x] = cuda::shared_memory<float>()[threadIdx.x]; };
  const std::vector<float> found = run(unwritten, Order::forwards);
  for (const float value : found) CHECK(value != value);
}

// The address sanitizer ends the program here; without it there is nothing to see.
#if defined(__SANITIZE_ADDRESS__)
TEST_CASE("an index one too far in shared memory is caught" * doctest::skip()) {
  static_cast<void>(run(beyond_shared, Order::forwards));
}
TEST_CASE("an index one too far in the device's memory is caught" * doctest::skip()) {
  const cuda::Scratch scratch(64 * sizeof(float));
  cuda::launch("planted", beyond_shared, {dim3(1), dim3(64), 65 * sizeof(float)}, scratch.as<float>() + 1);
}
#else
TEST_CASE("an index one too far is inside a block with room for it") {
  CHECK(run(beyond_shared, Order::forwards, 65 * sizeof(float)) == std::vector<float>(64, 1.0F));
}
#endif

TEST_CASE("running out of the device's memory says how much was asked for") {
  emulation::set_memory_limit(std::size_t{1} << 20);
  CHECK_THROWS_SAYING(cuda::Scratch(std::size_t{2} << 20), std::runtime_error,
                      "out of memory: 2097152 bytes were asked for; ");
  emulation::set_memory_limit(std::size_t{8} << 30);
}

TEST_CASE("grids that no device runs are refused") {
  const auto nothing = [](float*) {};
  CHECK_THROWS_SAYING(cuda::launch("planted", +nothing, {dim3(1), dim3(2048)}, nullptr),
                      std::invalid_argument, "no device runs blocks of 2048x1x1 threads");
  CHECK_THROWS_SAYING(cuda::launch("planted", +nothing, {dim3(1), dim3(1), std::size_t{1} << 20}, nullptr),
                      std::invalid_argument, "shared memory");
}
