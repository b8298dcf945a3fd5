#include "bench/limits.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

TEST_CASE("limits: wrong use is refused") {
  CHECK_THROWS_SAYING(read_gb_per_s(4095, Sweep::one_way, Isa::scalar), std::invalid_argument, "4095");
}

TEST_CASE("limits: what this machine has is measured, what it has not is none") {
  const std::vector<Isa> here = available_isas();
  for (const Isa isa : {Isa::avx2, Isa::avx512, Isa::avx512_vnni}) {
    const bool has = std::find(here.begin(), here.end(), isa) != here.end();
    CHECK(fma_gmacs(isa).has_value() == has);
    if (has) CHECK(*fma_gmacs(isa) > 1.0);
    if (int8_gmacs(isa)) CHECK(*int8_gmacs(isa) > *fma_gmacs(isa));
  }
  CHECK_FALSE(fma_gmacs(Isa::scalar).has_value());
  // A cache is faster than memory, however busy the machine is.
  const double cache = read_gb_per_s(16 << 10, Sweep::one_way, active_isa());
  CHECK(cache > 1.5 * read_gb_per_s(256 << 20, Sweep::one_way, active_isa()));
}
