#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace cbnet {

/// xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. The same seed gives the same
/// integers and uniform numbers with every compiler and standard library (normal() goes through its log and
/// cos), and the state is four words that a checkpoint holds.
class Rng {
 public:
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(std::uint64_t seed = 0);

  /// A generator for an independent purpose: same seed and stream, same numbers.
  Rng(std::uint64_t seed, std::uint64_t stream);

  std::uint64_t next();
  /// Uniform in [0, 1) with 53 bits.
  double uniform();
  /// Standard normal (Box-Muller).
  double normal();
  /// Uniform integer in [0, n); n must be positive.
  std::int64_t below(std::int64_t n);

  /// Fisher-Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (auto i = static_cast<std::int64_t>(items.size()); i > 1; --i) {
      std::swap(items[static_cast<std::size_t>(i - 1)], items[static_cast<std::size_t>(below(i))]);
    }
  }

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  State state_{};
};

}  // namespace cbnet
