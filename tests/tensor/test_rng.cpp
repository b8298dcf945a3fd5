#include "tensor/rng.h"

#include <cmath>
#include <set>
#include <vector>

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("below() throws without a positive bound") {
  Rng rng(1);
  CHECK_THROWS_SAYING(rng.below(0), std::invalid_argument, "positive bound");
}

TEST_CASE("xoshiro256** from a known state gives the published recurrence") {
  // By hand from state 1, 2, 3, 4: rotl(2 * 5, 7) * 9 = 11520; then s = {7, 0, 262146, 6 rotl 45}.
  Rng rng(0);
  rng.set_state({1, 2, 3, 4});
  CHECK(rng.next() == 11520);
  CHECK(rng.state()[0] == 7);
  CHECK(rng.state()[1] == 0);
  CHECK(rng.state()[2] == 262146);
  CHECK(rng.next() == 0);
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
  const Rng::State saved = a.state();
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
