#pragma once

#include <cstdint>

namespace cbnet::kernels {

/// Returns the smallest multiple of `to` that is not below n.
[[gnu::always_inline]] constexpr std::int64_t round_up(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

/// A split cuts `total` into the fewest blocks of at most `max`, as equal as can be: the first `larger`
/// blocks hold size + 1, the others size (10 by 4 is | 4 | 3 | 3 |). One long block and a stub would leave
/// the stub waiting on latency. What packs for a kernel cuts by this as the kernel does.
struct Split {
  std::int64_t blocks, size, larger;

  // always_inline: an out-of-line copy made by a file with ISA flags could be linked into baseline code.
  [[gnu::always_inline]] constexpr Split(std::int64_t total, std::int64_t max)
      : blocks((total + max - 1) / max), size(blocks ? total / blocks : 0), larger(total - blocks * size) {}
  [[gnu::always_inline]] constexpr std::int64_t operator[](std::int64_t block) const {
    return size + (block < larger ? 1 : 0);
  }
  [[gnu::always_inline]] constexpr std::int64_t first(std::int64_t block) const {
    return block * size + (block < larger ? block : larger);
  }
};

}  // namespace cbnet::kernels
