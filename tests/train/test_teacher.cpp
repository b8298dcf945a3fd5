#include "train/teacher.h"

#include <cmath>

#include "data/batches.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

Model linear_model(std::uint64_t seed) {
  const NetworkSpec spec{"linear", {1, 2, 2}, {kinds::Flatten{}, kinds::Linear{.out = 3}}, {}};
  Model out{{}, std::make_unique<Network>(spec, seed)};
  out.info.normalisation = {{0.5}, {0.25}};
  return out;
}

}  // namespace

TEST_CASE("a teacher of other images or classes is refused") {
  CHECK_THROWS_SAYING(Teacher(linear_model(1), {1, 2, 3}, 3), std::invalid_argument,
                      "expected a model from (1,2,3) to 3 classes; got one from (1,2,2) to (3)");
  CHECK_THROWS_SAYING(Teacher(linear_model(1), {1, 2, 2}, 4), std::invalid_argument, "to 4 classes");
}

TEST_CASE("probabilities are softmax(logits / T) of normalised pixels, however many images there are") {
  const Model model = linear_model(1);
  Teacher teacher(linear_model(1), {1, 2, 2}, 3);
  Rng rng(4);
  const Tensor images = Tensor::uniform({600, 1, 2, 2}, 0, 256, rng).to(DType::u8);
  const Tensor pixels = data::to_float(images);
  const Tensor logits = model.network->forward(Variable(normalised(pixels, {{0.5}, {0.25}}))).value();
  for (const double t : {1.0, 4.0}) {
    const auto all = teacher.probabilities_of_all(images, t).to_vector<float>();
    const auto by_modules = teacher.probabilities(pixels, t).to_vector<float>();
    const auto z = logits.to_vector<float>();
    for (std::size_t i = 0; i < z.size(); i += 3) {
      const double sum = std::exp(z[i] / t) + std::exp(z[i + 1] / t) + std::exp(z[i + 2] / t);
      CHECK(by_modules[i] == doctest::Approx(std::exp(z[i] / t) / sum).epsilon(1e-4));
      for (std::size_t c = i; c < i + 3; ++c) CHECK(all[c] == doctest::Approx(by_modules[c]).epsilon(1e-4));
    }
  }
}

TEST_CASE("a teacher is told by its weights") {
  const std::string md5 = Teacher(linear_model(1), {1, 2, 2}, 3).md5();
  CHECK(Teacher(linear_model(1), {1, 2, 2}, 3).md5() == md5);
  CHECK(Teacher(linear_model(2), {1, 2, 2}, 3).md5() != md5);
}
