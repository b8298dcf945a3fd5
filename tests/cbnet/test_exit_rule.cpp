#include "cbnet/exit_rule.h"

#include <cmath>

#include "models/zoo.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
// Five images: the early exit is wrong about the last two, the final one about the first.
const ExitScores kScores{{0.1, 0.2, 0.3, 0.4, 0.5}, {0, 1, 2, 9, 9}, {9, 1, 2, 3, 4}};
const std::vector<std::int64_t> kLabels = {0, 1, 2, 3, 4};
}  // namespace

TEST_CASE("counts that differ throw") {
  CHECK_THROWS_SAYING(apply_threshold(kScores, {0, 1}, 0.1), std::invalid_argument, "got 5 and 2");
  CHECK_THROWS_SAYING(choose_threshold(kScores, {}, 0.0), std::invalid_argument,
                      "must match and not be empty");
  Network lenet(lenet_spec());
  CHECK_THROWS_SAYING(score_exits(lenet, Tensor::zeros({1, 1, 28, 28}, DType::u8)), std::invalid_argument,
                      "expected one side exit; 'lenet' has 0");
}

TEST_CASE("the rule is strict: an entropy equal to the threshold goes on") {
  CHECK(apply_threshold(kScores, kLabels, 0.1).exit_rate == 0.0);
  CHECK(apply_threshold(kScores, kLabels, 0.1).accuracy == doctest::Approx(0.8));
  CHECK(apply_threshold(kScores, kLabels, 0.11).exit_rate == doctest::Approx(0.2));
  CHECK(apply_threshold(kScores, kLabels, 0.11).accuracy == doctest::Approx(1.0));
  CHECK(apply_threshold(kScores, kLabels, 10.0).exit_rate == 1.0);
  CHECK(apply_threshold(kScores, kLabels, 10.0).accuracy == doctest::Approx(0.6));
}

TEST_CASE("auto takes the highest exit rate within the margin of the best") {
  const ExitOutcome exact = choose_threshold(kScores, kLabels, 0.0);
  CHECK(exact.exit_rate == doctest::Approx(0.6));
  CHECK(exact.accuracy == doctest::Approx(1.0));
  CHECK(exact.threshold > 0.3);
  CHECK(exact.threshold < 0.4);
  CHECK(choose_threshold(kScores, kLabels, 0.2).exit_rate == doctest::Approx(0.8));
  CHECK(choose_threshold(kScores, kLabels, 0.4).exit_rate == 1.0);
}

TEST_CASE("equal entropies leave together") {
  const ExitScores tied{{0.2, 0.2, 0.2}, {0, 9, 9}, {0, 1, 2}};
  const ExitOutcome chosen = choose_threshold(tied, {0, 1, 2}, 0.0);
  CHECK(chosen.exit_rate == 0.0);
  CHECK(chosen.accuracy == 1.0);
}

TEST_CASE("scores are natural-logarithm entropies of the early exit, one per image, whatever the batch") {
  Network network(branchynet_spec(), 2);
  Rng rng(1);
  const Tensor images = Tensor::uniform({503, 1, 28, 28}, 0, 256, rng).to(DType::u8);
  const ExitScores all = score_exits(network, images);
  REQUIRE(all.entropy.size() == 503);
  for (const double entropy : all.entropy) CHECK_UNARY(entropy >= 0 && entropy <= std::log(10.0) + 1e-5);
  const ExitScores last = score_exits(network, images.slice(0, 502, 503));
  CHECK(last.entropy[0] == doctest::Approx(all.entropy[502]).epsilon(1e-5));
  CHECK(last.early_label[0] == all.early_label[502]);
  CHECK(last.final_label[0] == all.final_label[502]);
}
