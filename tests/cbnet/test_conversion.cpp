#include "cbnet/conversion.h"

#include <cmath>
#include <numeric>
#include <set>

#include "autograd/gradcheck.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

// Two classes, six images. Image 1 is confidently wrong, image 4 hesitates.
const std::vector<std::int64_t> kLabels = {0, 0, 0, 1, 1, 1};
const ExitScores kScores{{0.3, 0.01, 0.1, 0.2, 0.9, 0.05}, {0, 1, 0, 1, 1, 1}};

Tensor six_images() {
  Tensor images = Tensor::zeros({6, 1, 28, 28}, DType::u8);
  for (std::int64_t i = 0; i < 6; ++i) {
    // Image i has i + 1 white pixels in its first row.
    for (std::int64_t x = 0; x <= i; ++x)
      images.select(0, i).select(0, 0).select(0, 0).slice(0, x, x + 1).fill(255);
  }
  return images;
}

ConversionTargets targets(TargetPolicy policy, OutputActivation output) {
  return {six_images(), label_hardness(kScores, kLabels, 0.5, 2), policy, output, 7};
}

}  // namespace

TEST_CASE("classes with images but no easy one are an error that says what each would need") {
  CHECK_THROWS_SAYING(label_hardness(kScores, kLabels, 0.03, 3), NoEasyImage,
                      "no image of class 0, 1 leaves early and is classified correctly at threshold 0.03 "
                      "(class 0: the surest right one has 0.1 nats; class 1: the surest right one has 0.05 "
                      "nats); hint: go on with --resume and more --epochs, or into another --out "
                      "with a --threshold above 0.1");
  const ExitScores wrong{{0.1}, {1}};
  CHECK_THROWS_SAYING(
      label_hardness(wrong, {0}, 0.5, 2), std::runtime_error,
      "class 0: none is classified right at the early exit); hint: go on with --resume and more --epochs");
  CHECK_THROWS_SAYING(label_hardness(kScores, {0}, 0.5, 2), std::invalid_argument, "one label per score");
}

TEST_CASE("easy means early and right; the pool is sorted by entropy") {
  const Hardness hardness = label_hardness(kScores, kLabels, 0.5, 2);
  CHECK(hardness.early == 5);
  CHECK(hardness.easy == std::vector<bool>{true, false, true, true, false, true});
  CHECK(hardness.pool == std::vector<std::vector<std::int64_t>>{{2, 0}, {5, 3}});
}

TEST_CASE("fixed targets are the easy image of lowest entropy that is classified correctly") {
  const auto fixed = targets(TargetPolicy::fixed_image, OutputActivation::sigmoid);
  CHECK(fixed.fixed_images() == std::vector<std::int64_t>{2, 5});
  CHECK(fixed.rescale() == 1.0);
  const Tensor rows = fixed.rows(Tensor::from<std::int64_t>({1, 0}, {2}), {3, 0}, 0);
  CHECK(rows.shape() == Shape{2, 784});
  const auto pixels = rows.to_vector<float>();
  CHECK(std::accumulate(pixels.begin(), pixels.begin() + 784, 0.0F) == 6.0F);
  CHECK(std::accumulate(pixels.begin() + 784, pixels.end(), 0.0F) == 3.0F);
}

TEST_CASE("a class without images has no target and needs none") {
  const ConversionTargets three{six_images(), label_hardness(kScores, kLabels, 0.5, 3),
                                TargetPolicy::fixed_image, OutputActivation::softmax, 7};
  CHECK(three.fixed_images() == std::vector<std::int64_t>{2, 5, -1});
  CHECK(three.rescale() == targets(TargetPolicy::fixed_image, OutputActivation::softmax).rescale());
}

TEST_CASE("random targets stay in the class's pool, change with sample and epoch, and repeat") {
  const auto random = targets(TargetPolicy::random_easy, OutputActivation::sigmoid);
  std::set<float> seen;
  for (std::int64_t epoch = 0; epoch < 8; ++epoch) {
    const auto row = random.rows(Tensor::from<std::int64_t>({0}, {1}), {4}, epoch).to_vector<float>();
    seen.insert(std::accumulate(row.begin(), row.end(), 0.0F));
    CHECK(row == random.rows(Tensor::from<std::int64_t>({0}, {1}), {4}, epoch).to_vector<float>());
  }
  CHECK(seen == std::set<float>{1.0F, 3.0F});  // images 0 and 2
}

TEST_CASE("softmax targets sum to one and remember the factor back to pixels") {
  const auto shares = targets(TargetPolicy::fixed_image, OutputActivation::softmax);
  CHECK(shares.rescale() == doctest::Approx((3 + 6) / 2.0));
  const auto row = shares.rows(Tensor::from<std::int64_t>({1}, {1}), {3}, 0).to_vector<float>();
  CHECK(std::accumulate(row.begin(), row.end(), 0.0) == doctest::Approx(1.0));
}

TEST_CASE("the loss is reconstruction plus penalty, as a hand calculation has it") {
  Network autoencoder(autoencoder_spec("fmnist", OutputActivation::sigmoid), 3);
  Rng rng(2);
  const Variable pixels(Tensor::uniform({2, 1, 28, 28}, 0, 1, rng));
  const Tensor target = Tensor::uniform({2, 784}, 0, 1, rng);
  const auto output = autoencoder.forward(pixels).value().to_vector<double>();
  const auto wanted = target.to_vector<double>();
  double bce = 0;
  double mse = 0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    bce -= wanted[i] * std::log(output[i]) + (1 - wanted[i]) * std::log(1 - output[i]);
    mse += (output[i] - wanted[i]) * (output[i] - wanted[i]);
  }
  const auto n = static_cast<double>(output.size());
  const auto hidden = autoencoder_hidden_layers(autoencoder.spec());
  const auto magnitude = [&](std::int64_t layer) {
    double sum = 0;
    for (const double v : autoencoder.forward_trunk(pixels, 0, layer + 1).value().to_vector<double>())
      sum += std::abs(v);
    return sum / 2;  // per sample
  };
  Recipe recipe;
  recipe.activity_l1 = 0.01;
  CHECK(conversion_loss(autoencoder, pixels, target, recipe, 1.0).value().item() ==
        doctest::Approx(bce / n + 0.01 * magnitude(hidden[2])).epsilon(1e-4));
  recipe.activity_scope = ActivityScope::all_hidden;
  recipe.reconstruction = ReconstructionLoss::mse;
  CHECK(conversion_loss(autoencoder, pixels, target, recipe, 1.0).value().item() ==
        doctest::Approx(mse / n + 0.01 * (magnitude(hidden[0]) + magnitude(hidden[1]) + magnitude(hidden[2])))
            .epsilon(1e-4));
  recipe.activity_l1 = 0;
  CHECK(conversion_loss(autoencoder, pixels, target, recipe, 3.0).value().item() ==
        doctest::Approx(9 * mse / n).epsilon(1e-4));
}

TEST_CASE("convert scales, cuts at 1 and keeps the shape") {
  Network autoencoder(autoencoder_spec("mnist", OutputActivation::softmax), 3);
  const Tensor pixels = Tensor::full({3, 1, 28, 28}, 0.5);
  const Tensor once = convert(autoencoder, pixels, 1.0);
  CHECK(once.shape() == pixels.shape());
  const auto plain = once.to_vector<float>();
  const auto scaled = convert(autoencoder, pixels, 700.0).to_vector<float>();
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CHECK(scaled[i] == doctest::Approx(std::min(plain[i] * 700.0F, 1.0F)).epsilon(1e-5));
  }
  Network lenet(lenet_spec());
  CHECK_THROWS_SAYING(convert(lenet, pixels, 1.0), std::invalid_argument, "as many pixels as it got");
}
