#include "tensor/flush_subnormals.h"

#include <limits>

#include "tests/support/throws.h"

using namespace cbnet;

namespace {

// Volatile, so that the compiler leaves the arithmetic to the processor.
volatile float smallest_normal = std::numeric_limits<float>::min();
volatile float subnormal = std::numeric_limits<float>::denorm_min();
volatile double smallest_normal_f64 = std::numeric_limits<double>::min();

float half_of_smallest() { return smallest_normal * 0.5F; }
float subnormal_times_a_lot() { return subnormal * 1e30F; }
double half_of_smallest_f64() { return smallest_normal_f64 * 0.5; }

}  // namespace

TEST_CASE("subnormal results and inputs are zeros while one lives, and not after") {
  CHECK(half_of_smallest() > 0.0F);
  CHECK(subnormal_times_a_lot() > 0.0F);
  {
    const FlushSubnormals flush;
#if defined(__x86_64__) || defined(__aarch64__)
    CHECK(half_of_smallest() == 0.0F);
    CHECK(subnormal_times_a_lot() == 0.0F);
    CHECK(half_of_smallest_f64() == 0.0);
#endif
    CHECK(smallest_normal * 2.0F > 0.0F);
    { const FlushSubnormals inner; }
#if defined(__x86_64__) || defined(__aarch64__)
    CHECK(half_of_smallest() == 0.0F);
#endif
  }
  CHECK(half_of_smallest() > 0.0F);
  CHECK(half_of_smallest_f64() > 0.0);
}
