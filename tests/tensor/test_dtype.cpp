#include "tensor/dtype.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("names, sizes and C++ types agree") {
  for (const DType dtype : {DType::f32, DType::f64, DType::u8, DType::i32, DType::i64}) {
    dispatch(dtype, [&](auto zero) {
      CHECK(DTypeOf<decltype(zero)>::value == dtype);
      CHECK(sizeof(zero) == size_bytes(dtype));
    });
  }
  CHECK(std::string(to_string(DType::u8)) == "u8");
  CHECK(is_floating(DType::f64));
  CHECK_FALSE(is_floating(DType::i64));
}

TEST_CASE("dispatch_floating refuses integers by name") {
  CHECK_THROWS_SAYING(dispatch_floating(DType::i32, "relu", [](auto) {}), std::invalid_argument,
                      "[relu] expected f32 or f64; got i32");
}
