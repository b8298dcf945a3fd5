#include "cbnet/evaluate.h"

#include <cmath>

#include "tests/support/throws.h"

using namespace cbnet;

namespace {
/// Says that image i (marked by its first pixel) has label pixel % 10, and leaves late when it is odd.
class Marked : public Predictor {
 public:
  explicit Marked(bool labels)
      : Predictor({"marked", "fmnist", std::vector<std::string>(10), {1, 28, 28}, {100, 300}, 0}),
        labels_(labels) {}
  Predictions predict(const Tensor& images) override {
    Predictions out;
    for (std::int64_t i = 0; labels_ && i < images.size(0); ++i) {
      const auto mark = static_cast<std::int64_t>(images.at({i, 0, 0, 0}));
      out.labels.push_back(mark % 10);
      out.exit.push_back(mark % 2);
    }
    return out;
  }

 private:
  bool labels_;
};
}  // namespace

TEST_CASE("images and labels that differ in number throw") {
  Marked predictor(true);
  CHECK_THROWS_SAYING(
      evaluate(predictor, Tensor::zeros({2, 1, 28, 28}, DType::u8), Tensor::zeros({3}, DType::u8)),
      std::invalid_argument, "must match");
}

TEST_CASE("accuracy, exits, cost and confusion over several batches") {
  const std::int64_t n = 1200;
  Tensor images = Tensor::zeros({n, 1, 28, 28}, DType::u8);
  Tensor labels = Tensor::zeros({n}, DType::u8);
  for (std::int64_t i = 0; i < n; ++i) {
    images.data<std::uint8_t>()[i * 784] = static_cast<std::uint8_t>(i % 4);  // labels 0 … 3 predicted
    labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 4 == 3 ? 7 : i % 4);
  }
  Marked predictor(true);
  const Evaluation result = evaluate(predictor, images, labels);
  CHECK(result.images == n);
  CHECK(result.accuracy == 0.75);
  CHECK(result.exit_rates == std::vector<double>{0.5, 0.5});
  CHECK(result.mean_macs == 200.0);
  CHECK(result.confusion[7][3] == 300);
  CHECK(result.confusion[1][1] == 300);
}

TEST_CASE("a model without labels has no accuracy") {
  Marked predictor(false);
  const Evaluation result =
      evaluate(predictor, Tensor::zeros({5, 1, 28, 28}, DType::u8), Tensor::zeros({5}, DType::u8));
  CHECK(std::isnan(result.accuracy));
  CHECK(result.confusion.empty());
  CHECK(result.mean_macs == 100.0);
}
