#include "train/metrics.h"

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/softmax.h"
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

TEST_CASE("the loss of an exit: labels, shares of mixed images, a teacher's probabilities") {
  const auto logits = [] { return Variable(Tensor::from<float>({1, 2, -1, 0, 0.5F, 3}, {2, 3}), true); };
  data::Batch batch;
  batch.labels = Tensor::from<std::int64_t>({1, 0}, {2});
  const double of_labels = cross_entropy(logits(), batch.labels).value().item();
  CHECK(exit_loss(logits(), batch, {}).value().item() == of_labels);
  // Shares that are the labels' say the same; halves are the mean of two labels' losses.
  batch.shares = Tensor::from<float>({0, 1, 0, 1, 0, 0}, {2, 3});
  CHECK(exit_loss(logits(), batch, {}).value().item() == doctest::Approx(of_labels));
  batch.shares = Tensor::from<float>({0, 0.5F, 0.5F, 0.5F, 0, 0.5F}, {2, 3});
  const double others = cross_entropy(logits(), Tensor::from<std::int64_t>({2, 2}, {2})).value().item();
  CHECK(exit_loss(logits(), batch, {}).value().item() == doctest::Approx((of_labels + others) / 2));
  // A weight of 0 leaves the labels, one of 1 the teacher alone, whose own logits then have no gradient.
  batch.teacher = softmax(Variable(Tensor::from<float>({0.5F, 1, -0.5F, 0, 0.25F, 1.5F}, {2, 3}))).value();
  const Distillation none{"", 2.0, 0.0}, all{"", 2.0, 1.0};
  CHECK(exit_loss(logits(), batch, none).value().item() == doctest::Approx((of_labels + others) / 2));
  const Variable taught = logits();
  exit_loss(taught, batch, all).backward();
  for (const float slope : taught.grad().to_vector<float>()) CHECK(std::abs(slope) < 1e-6F);
  // The entropy of the teacher, times T^2, is what is left of the loss there.
  double entropy = 0.0;
  for (const float p : batch.teacher.to_vector<float>()) entropy -= p * std::log(p) / 2;
  CHECK(exit_loss(logits(), batch, all).value().item() == doctest::Approx(4 * entropy));
}
