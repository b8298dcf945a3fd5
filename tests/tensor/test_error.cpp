#include "tensor/error.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("require throws with the place and every part of the message") {
  CHECK_NOTHROW(require(true, "conv2d", "never built"));
  CHECK_THROWS_SAYING(require(false, "conv2d", "got ", 3, " axes"), std::invalid_argument,
                      "[conv2d] got 3 axes");
}

TEST_CASE("InputError says source, expected, found and hint") {
  const InputError with("a.gz", "magic 2051", "7", "is it an image file?");
  CHECK(std::string(with.what()) == "a.gz: expected magic 2051; found 7; hint: is it an image file?");
  const InputError without("a.gz", "magic 2051", "7");
  CHECK(std::string(without.what()) == "a.gz: expected magic 2051; found 7");
}
