#include "console/run_models.h"

#include <doctest/doctest.h>

using namespace cbnet;

TEST_CASE("only what training wrote makes the exit code") {
  CHECK(exit_code_for({}) == 0);
  CHECK(exit_code_for({{"mine", "damaged"}, {"lenet.int8.plan", "damaged"}}) == 0);
  CHECK(exit_code_for({{"mine", "damaged"}, {"lenet", "damaged"}}) == 2);
  CHECK(unusable_json({{"mine", "damaged"}}).dump() == R"([{"model":"mine","reason":"damaged"}])");
}
