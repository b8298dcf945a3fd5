#include "tensor/rng.h"

#include <array>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("below() throws without a positive bound") {
  Rng rng(1);
  CHECK_THROWS_SAYING(rng.below(0), std::invalid_argument, "positive bound");
}

TEST_CASE("each thread has its own default generator, which an assignment seeds") {
  default_rng() = Rng(7);
  std::uint64_t elsewhere = 0;
  std::thread([&] { elsewhere = default_rng().next(); }).join();
  CHECK(elsewhere == Rng().next());
  CHECK(default_rng().next() == Rng(7).next());
}

TEST_CASE("Philox4x32-10 gives the published words") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox4x32({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("two draws are the two halves of a block, whose counter is the position and the stream") {
  Rng zero(0);
  CHECK(zero.next() == 0xe169c58d6627e8d5U);
  CHECK(zero.next() == 0x9b00dbd8bc57ac4cU);
  RngState far{0x299f31d0a4093822U, 0x0370734413198a2eU, 0};
  far.position = 2 * 0x05a308d3243f6a88U;
  CHECK(far.bits(1) == [&] {
    const auto words = philox4x32({0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
    return words[2] | std::uint64_t{words[3]} << 32;
  }());
}

TEST_CASE("a draw can be made without those before it") {
  Rng rng(11, 3);
  const RngState start = rng.state();
  for (std::uint64_t draw = 0; draw < 9; draw += 3) {
    CHECK(rng.uniform() == start.uniform(draw));
    CHECK(rng.normal() == start.normal(draw + 1));
  }
  Rng later(11, 3);
  later.discard(9);
  CHECK(later.state() == rng.state());
}

TEST_CASE("same seed, same numbers; other seed or stream, other numbers; the state resumes") {
  Rng a(7);
  Rng b(7);
  Rng c(8);
  Rng d(7, 1);
  const std::uint64_t first = a.next();
  CHECK(first == b.next());
  CHECK(first != c.next());
  CHECK(first != d.next());
  const RngState saved = a.state();
  const double next = a.uniform();
  Rng resumed(0);
  resumed.set_state(saved);
  CHECK(resumed.uniform() == next);
}

TEST_CASE("uniform, normal and below have their moments") {
  Rng rng(3);
  const int count = 200000;
  double sum = 0;
  double normal_sum = 0;
  double normal_squares = 0;
  std::vector<int> histogram(7, 0);
  for (int i = 0; i < count; ++i) {
    const double u = rng.uniform();
    CHECK_UNARY(u >= 0.0 && u < 1.0);
    sum += u;
    const double n = rng.normal();
    normal_sum += n;
    normal_squares += n * n;
    ++histogram[static_cast<std::size_t>(rng.below(7))];
  }
  // Five standard errors.
  CHECK(std::abs(sum / count - 0.5) < 5 * std::sqrt(1.0 / 12 / count));
  CHECK(std::abs(normal_sum / count) < 5 / std::sqrt(count));
  CHECK(std::abs(normal_squares / count - 1.0) < 5 * std::sqrt(2.0 / count));
  for (const int seen : histogram) CHECK(std::abs(seen - count / 7.0) < 5 * std::sqrt(count / 7.0));
}

TEST_CASE("shuffle permutes") {
  Rng rng(5);
  std::vector<int> items = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<int> before = items;
  rng.shuffle(std::span(items));
  CHECK(items != before);
  CHECK(std::set<int>(items.begin(), items.end()).size() == 10);
}
