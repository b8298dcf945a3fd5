#include "tensor/backend.h"

#include <vector>

#include "tensor/tensor.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

std::vector<BackendFunction> all_functions() {
  return {
#define BACKEND_FUNCTION(name, Call) BackendFunction::name,
#include "tensor/backend.def"
  };
}

}  // namespace

TEST_CASE("cpu and reference compute everything, in f32 and f64") {
  for (const Device device : {Device::cpu, Device::reference}) {
    const Backend& backend = backend_of(device);
    CHECK(backend.device == device);
    for (const BackendFunction function : all_functions()) {
      CAPTURE(std::string(to_string(function)));
      CHECK(backend.supports(function, DType::f32));
      CHECK(backend.supports(function, DType::f64));
    }
    CHECK(backend.supports(BackendFunction::copy, DType::i64));
    CHECK_FALSE(backend.supports(BackendFunction::gemm, DType::i64));
  }
}

TEST_CASE("what a backend lacks throws by name") {
  Rng rng(1);
  CHECK_THROWS_SAYING(Tensor::uniform({3}, 0, 1, rng, DType::i32), std::invalid_argument,
                      "[random] the device cpu does not compute this for i32");
  Backend lacking = backend_of(Device::cpu);
  lacking.device = Device::cuda;
  lacking.table.gemm = {};
  CHECK_FALSE(lacking.supports(BackendFunction::gemm, DType::f32));
  CHECK_THROWS_SAYING(lacking.gemm({.dtype = DType::f32}), std::invalid_argument,
                      "[gemm] the device cuda does not compute this for f32");
}

TEST_CASE("a draw that throws leaves the generator where it was") {
  Rng rng(1);
  const RngState before = rng.state();
  CHECK_THROWS_AS(Tensor::normal({3}, 0, 1, rng, DType::u8), std::invalid_argument);
  CHECK(rng.state() == before);
}

TEST_CASE("every backend draws the same") {
  for (const std::int64_t count : {1, 2, 7, 20'001}) {
    for (const std::uint64_t skipped : {0, 1}) {
      const auto draw = [&](Device device, int kind) {
        Rng rng(5, 6);
        rng.discard(skipped);
        if (kind == 0) return Tensor::uniform({count}, -2, 3, rng, DType::f64, device).to_vector<double>();
        if (kind == 1) return Tensor::normal({count}, 1, 2, rng, DType::f64, device).to_vector<double>();
        Tensor mask = Tensor::empty({count}, DType::f32, device);
        backend_of(device).random({.dtype = DType::f32,
                                   .kind = RandomKind::mask,
                                   .state = rng.state(),
                                   .a = 0.25,
                                   .b = 4.0,
                                   .count = count,
                                   .y = mask.address()});
        return mask.to_vector<double>();
      };
      for (int kind = 0; kind < 3; ++kind) CHECK(draw(Device::cpu, kind) == draw(Device::reference, kind));
      Rng rng(5, 6);
      rng.discard(skipped);
      for (const double value : draw(Device::cpu, 1)) CHECK(value == 1 + 2 * rng.normal());
    }
  }
}
