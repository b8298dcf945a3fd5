#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace cbnet {

/// Returns one block of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011):
/// four words that depend on the counter and the key alone, so that any draw can be made without those before
/// it.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9U, key[1] + 0xBB67AE85U};
  }
  return counter;
}

/// A state says where a sequence of draws stands. Draw number `position` is one half of the block whose key
/// is the seed and whose counter is (position / 2, stream): every backend, and every thread, can make it on
/// its own.
struct RngState {
  std::uint64_t seed = 0, stream = 0, position = 0;
  bool operator==(const RngState&) const = default;

  /// Returns the 64 bits of the draw `ahead` of this position.
  constexpr std::uint64_t bits(std::uint64_t ahead = 0) const {
    const std::uint64_t draw = position + ahead, block = draw / 2;
    const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    const std::array<std::uint32_t, 4> words =
        philox4x32({low(block), high(block), low(stream), high(stream)}, {low(seed), high(seed)});
    const std::size_t half = draw % 2 * 2;
    return words[half] | std::uint64_t{words[half + 1]} << 32;
  }
  /// Returns a uniform number in [0, 1) with 53 bits.
  constexpr double uniform(std::uint64_t ahead = 0) const {
    return static_cast<double>(bits(ahead) >> 11) * 0x1.0p-53;
  }
  /// Returns a uniform number of [0, n), n > 0; moves on by the draws that it takes: it rejects some, so that
  /// every value is equally likely.
  constexpr std::int64_t below(std::int64_t n) {
    const auto bound = static_cast<std::uint64_t>(n);
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t value = bits();
    for (++position; value >= limit; ++position) value = bits();
    return static_cast<std::int64_t>(value % bound);
  }
  /// Returns a standard normal number (Box-Muller), of the draws `ahead` and `ahead` + 1.
  double normal(std::uint64_t ahead = 0) const;
};

/// This generator makes random numbers on the host, counter-based. The same seed and stream give the same
/// integers and uniform numbers with every compiler, thread count and device (normal() goes through their log
/// and cos).
class Rng {
 public:
  /// `stream` separates independent purposes: same seed and stream, same numbers.
  explicit Rng(std::uint64_t seed = 0, std::uint64_t stream = 0) : state_{seed, stream, 0} {}

  std::uint64_t next() { return state_.bits(skip(1)); }
  /// Returns a uniform number in [0, 1) with 53 bits.
  double uniform() { return state_.uniform(skip(1)); }
  /// Returns a standard normal number; takes two draws.
  double normal() { return state_.normal(skip(2)); }
  /// Returns a uniform integer in [0, n); n must be positive.
  std::int64_t below(std::int64_t n);

  /// Shuffles as Fisher and Yates did.
  template <class T>
  void shuffle(std::span<T> items) {
    for (auto i = static_cast<std::int64_t>(items.size()); i > 1; --i) {
      std::swap(items[static_cast<std::size_t>(i - 1)], items[static_cast<std::size_t>(below(i))]);
    }
  }

  /// Leaves out `draws` draws, which somebody makes from the state before.
  void discard(std::uint64_t draws) { state_.position += draws; }
  const RngState& state() const { return state_; }
  void set_state(const RngState& state) { state_ = state; }

 private:
  /// Moves on by `draws`; returns where they begin, relative to the position after them.
  std::uint64_t skip(std::uint64_t draws) {
    state_.position += draws;
    return ~draws + 1;
  }

  RngState state_;
};

/// Returns the calling thread's generator, which is used where none is given; `default_rng() = Rng(7);` seeds
/// it.
Rng& default_rng();

}  // namespace cbnet
