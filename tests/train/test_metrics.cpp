#include "train/metrics.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("wrong shapes throw") {
  CHECK_THROWS_SAYING(argmax_rows(Tensor::zeros({3})), std::invalid_argument, "expected (N, C); got f32 (3)");
  CHECK_THROWS_SAYING(count_correct(Tensor::zeros({2, 3}), Tensor::zeros({3}, DType::i64)),
                      std::invalid_argument, "one label per row");
}

TEST_CASE("the first of equals wins; rows are counted") {
  const Tensor scores = Tensor::from<float>({1, 5, 5, -1, -3, -2}, {2, 3});
  CHECK(argmax_rows(scores) == std::vector<std::int64_t>{1, 0});
  CHECK(count_correct(scores, Tensor::from<std::int64_t>({1, 2}, {2})) == 1);
}
