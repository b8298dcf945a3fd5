#include "bench/floor.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

namespace {

const MachineLimits kLimits{Isa::avx2, 100.0, 400.0, {{4'096, 200, 210}, {400'000, 50, 60}}};

}  // namespace

TEST_CASE("floor: the larger of arithmetic and memory") {
  // 1e6 multiply-adds at 100 in a ns are 10 µs; 4e5 bytes at 50 in a ns are 8 µs.
  CHECK(floor_of({1e6, 0, 4e5}, kLimits)->us == doctest::Approx(10.0));
  CHECK_FALSE(floor_of({1e6, 0, 4e5}, kLimits)->memory_bound);
  CHECK(floor_of({5e5, 0, 4e5}, kLimits)->us == doctest::Approx(8.0));
  CHECK(floor_of({5e5, 0, 4e5}, kLimits)->memory_bound);
  // In bytes a multiply-add takes a quarter.
  CHECK(floor_of({4e5, 1e6, 0}, kLimits)->us == doctest::Approx(4.0 + 2.5));
}

TEST_CASE("floor: the bandwidth is that of the nearest size, by ratio") {
  CHECK(floor_of({0, 0, 20'000}, kLimits)->us == doctest::Approx(0.1));
  CHECK(floor_of({0, 0, 60'000}, kLimits)->us == doctest::Approx(1.2));
  CHECK(floor_of({0, 0, 1.0}, kLimits)->us == doctest::Approx(5e-6));
  CHECK_THROWS_SAYING(floor_of({0, 0, 8}, {Isa::avx2, 100.0, 400.0, {}}), std::invalid_argument, "bandwidth");
}

TEST_CASE("floor: none where the peak that it takes is not known") {
  const MachineLimits unknown{Isa::scalar, {}, {}, kLimits.reads};
  CHECK_FALSE(floor_of({1, 0, 8}, unknown).has_value());
  CHECK_FALSE(floor_of({0, 1, 8}, unknown).has_value());
  CHECK(floor_of({0, 0, 4'096}, unknown)->us == doctest::Approx(4.096 / 200));
}

TEST_CASE("floor: octaves reach the largest size and a half of it at least") {
  CHECK(octaves(0) == std::vector<double>{4'096});
  CHECK(octaves(4'097) == std::vector<double>{4'096, 8'192});
  CHECK(octaves(65'536).back() == 65'536);
}

TEST_CASE("floor: the better of two measurements, figure by figure") {
  MachineLimits other = kLimits;
  other.fma_gmacs = 120.0;
  other.int8_gmacs = {};
  other.reads[1] = {400'000, 40, 70};
  const MachineLimits best = better(kLimits, other);
  CHECK(best.fma_gmacs == 120.0);
  CHECK(best.int8_gmacs == 400.0);
  CHECK(best.reads[1].one_way == 50);
  CHECK(best.reads[1].zigzag == 70);
  other.isa = Isa::avx512;
  CHECK_THROWS_SAYING(better(kLimits, other), std::invalid_argument, "same kind");
  const Json json = to_json(other);
  CHECK(json.at("isa") == "avx512");
  CHECK(json.at("int8_gmac_per_s").is_null());
  CHECK(json.at("reads").at(0).at("one_way_gb_per_s") == 200);
}
