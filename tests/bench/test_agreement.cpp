#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <vector>

#include "bench/agreement.h"
#include "bench/table2.h"
#include "tests/bench/support.h"

using namespace cbnet;
using namespace cbnet::bench;
using namespace cbnet::bench::testing;

namespace {

const std::vector<std::int64_t> kNumbers{40, 41, 42, 43};

/// The reference from one call with all images, then the check one image at a time.
Agreement check(ScriptedPredictor& predictor) {
  const Tensor images = images_of({3, 14, 225, 9});
  Recorder recorder(predictor);
  recorder.predict(images);
  return check_agreement(predictor, in_batches(images, 1), recorder.recorded(), kNumbers);
}

}  // namespace

TEST_CASE("agreement: the recorder passes on what it keeps") {
  ScriptedPredictor predictor("branchynet");
  Recorder recorder(predictor);
  const Predictions got = recorder.predict(images_of({3, 214}));
  CHECK(got.labels == std::vector<std::int64_t>{3, 4});
  recorder.predict(images_of({7}));
  CHECK(recorder.recorded().labels == std::vector<std::int64_t>{3, 4, 7});
  CHECK(recorder.recorded().exits == std::vector<std::int64_t>{0, 1, 0});
  CHECK(recorder.recorded().width == 10);
  CHECK(recorder.recorded().values.size() == 30);
  CHECK(recorder.name() == "branchynet");
  CHECK(recorder.dataset() == "fmnist");
  CHECK(recorder.macs_by_exit() == predictor.macs_by_exit());
  CHECK(recorder.parameter_count() == 7);
}

TEST_CASE("agreement: equal answers pass") {
  ScriptedPredictor predictor("branchynet");
  const Agreement agreement = check(predictor);
  CHECK(agreement.images == 4);
  CHECK(agreement.max_difference == 0.0);
  CHECK(agreement.ties == 0);
}

TEST_CASE("agreement: another label names the model and the image") {
  ScriptedPredictor predictor("lenet");
  predictor.lie_about_pixel = 225;
  const std::string message = message_of<std::runtime_error>([&] { check(predictor); });
  CHECK(contains(message, "lenet"));
  CHECK(contains(message, "test image 42: label 6 instead of 5"));
}

TEST_CASE("agreement: another exit is an error unless the entropies agree") {
  ScriptedPredictor predictor("branchynet");
  predictor.flip_exit_of_pixel = 14;
  CHECK(check(predictor).ties == 1);
  predictor.entropy_error = 0.01;
  CHECK(contains(message_of<std::runtime_error>([&] { check(predictor); }),
                 "test image 41: exit 1 instead of 0"));
}

TEST_CASE("agreement: another label is a tie where both are as likely") {
  // Says 3, and holds 4 for as likely.
  class Undecided : public ScriptedPredictor {
   public:
    Undecided() : ScriptedPredictor("lenet") {}
    Predictions predict(const Tensor& images) override {
      Predictions out = ScriptedPredictor::predict(images);
      for (const std::int64_t label : {3, 4}) out.probabilities.select(0, 0).select(0, label).fill(0.5);
      return out;
    }
  };
  const auto ties = [](float third, float fourth) {
    Undecided predictor;
    Reference reference{{4}, {0}, {0.1}, std::vector<float>(10, 0.0F), 10};
    reference.values[3] = third;
    reference.values[4] = fourth;
    return check_agreement(predictor, {images_of({3})}, reference, kNumbers).ties;
  };
  CHECK(ties(0.49999F, 0.50001F) == 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float third : {0.4999F, 0.4F, nan}) {
    CHECK(contains(message_of<std::runtime_error>([&] { ties(third, 1.0F - third); }),
                   "test image 40: label 3 instead of 4"));
  }
}

TEST_CASE("agreement: the autoencoder is compared by its pixels") {
  ScriptedPredictor predictor("autoencoder");
  predictor.pixel_error_at_batch_1 = 1e-6;
  CHECK(check(predictor).max_difference == doctest::Approx(1e-6));
  predictor.pixel_error_at_batch_1 = 0.01;
  CHECK(contains(message_of<std::runtime_error>([&] { check(predictor); }),
                 "test image 40: a value is off by"));
  predictor.pixel_error_at_batch_1 = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(message_of<std::runtime_error>([&] { check(predictor); }),
                 "test image 40: a value is off by"));
}
