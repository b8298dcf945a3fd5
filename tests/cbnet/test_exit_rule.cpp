#include "cbnet/exit_rule.h"

#include <cmath>

#include "models/zoo.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
// Five images: the early exit is wrong about the last two, the final one about the first.
const std::vector<ExitScores> kScores = {{{0.1, 0.2, 0.3, 0.4, 0.5}, {0, 1, 2, 9, 9}},
                                         {{0, 0, 0, 0, 0}, {9, 1, 2, 3, 4}}};
const std::vector<std::int64_t> kLabels = {0, 1, 2, 3, 4};
}  // namespace

TEST_CASE("counts that differ throw") {
  CHECK_THROWS_SAYING(apply_thresholds(kScores, {0, 1}, {0.1}), std::invalid_argument, "got 5 and 2");
  CHECK_THROWS_SAYING(choose_thresholds(kScores, {}, 0.0), std::invalid_argument,
                      "expected scores of every exit, and images");
  CHECK_THROWS_SAYING(apply_thresholds(kScores, kLabels, {0.1, 0.2}), std::invalid_argument,
                      "a threshold for each of 1 side exits; got 2");
  CHECK_THROWS_SAYING(thresholds_for({0.1, 0.2}, 3), std::invalid_argument,
                      "expected one, or one for each of 3 side exits; got 2");
  CHECK_THROWS_SAYING(thresholds_for({-0.1}, 1), std::invalid_argument, "not negative");
}

TEST_CASE("one threshold stands for all side exits") {
  CHECK(thresholds_for({0.5}, 3) == std::vector{0.5, 0.5, 0.5});
  CHECK(thresholds_for({0.5, 0.2}, 2) == std::vector{0.5, 0.2});
}

TEST_CASE("with two side exits an image leaves at the first that is sure enough") {
  // Labels are 0, 1, 2, 3; what an exit is wrong about it calls 9.
  const std::vector<ExitScores> scores = {{{0.1, 0.4, 0.5, 0.6}, {0, 9, 9, 9}},
                                          {{0.2, 0.1, 0.7, 0.8}, {0, 1, 9, 9}},
                                          {{0, 0, 0, 0}, {9, 9, 2, 3}}};
  const std::vector<std::int64_t> labels = {0, 1, 2, 3};
  const ExitOutcome outcome = apply_thresholds(scores, labels, {0.2, 0.75});
  CHECK(outcome.exit_rates == std::vector{0.25, 0.5, 0.25});
  CHECK(outcome.accuracy == 0.75);
  const ExitOutcome chosen = choose_thresholds(scores, labels, 0.0);
  CHECK(chosen.accuracy == 1.0);
  CHECK(chosen.exit_rates == std::vector{0.25, 0.25, 0.5});
  // Half of the margin is each exit's: one image of four may be lost at either.
  CHECK(choose_thresholds(scores, labels, 0.5).exit_rates == std::vector{0.75, 0.0, 0.25});
}

TEST_CASE("the rule is strict: an entropy equal to the threshold goes on") {
  CHECK(apply_thresholds(kScores, kLabels, {0.1}).exit_rates[0] == 0.0);
  CHECK(apply_thresholds(kScores, kLabels, {0.1}).accuracy == doctest::Approx(0.8));
  CHECK(apply_thresholds(kScores, kLabels, {0.11}).exit_rates[0] == doctest::Approx(0.2));
  CHECK(apply_thresholds(kScores, kLabels, {0.11}).accuracy == doctest::Approx(1.0));
  CHECK(apply_thresholds(kScores, kLabels, {10.0}).exit_rates[0] == 1.0);
  CHECK(apply_thresholds(kScores, kLabels, {10.0}).accuracy == doctest::Approx(0.6));
}

TEST_CASE("auto takes the highest exit rate within the margin of the best") {
  const ExitOutcome exact = choose_thresholds(kScores, kLabels, 0.0);
  CHECK(exact.exit_rates[0] == doctest::Approx(0.6));
  CHECK(exact.accuracy == doctest::Approx(1.0));
  CHECK(exact.thresholds.at(0) > 0.3);
  CHECK(exact.thresholds.at(0) < 0.4);
  CHECK(choose_thresholds(kScores, kLabels, 0.2).exit_rates[0] == doctest::Approx(0.8));
  CHECK(choose_thresholds(kScores, kLabels, 0.4).exit_rates[0] == 1.0);
}

TEST_CASE("equal entropies leave together") {
  const std::vector<ExitScores> tied = {{{0.2, 0.2, 0.2}, {0, 9, 9}}, {{0, 0, 0}, {0, 1, 2}}};
  const ExitOutcome chosen = choose_thresholds(tied, {0, 1, 2}, 0.0);
  CHECK(chosen.exit_rates[0] == 0.0);
  CHECK(chosen.accuracy == 1.0);
}

TEST_CASE("scores are natural-logarithm entropies of each exit, one per image, whatever the batch") {
  Network network(branchynet_spec(), 2);
  Rng rng(1);
  const Tensor images = Tensor::uniform({503, 1, 28, 28}, 0, 256, rng).to(DType::u8);
  const std::vector<ExitScores> all = score_exits(network, images);
  REQUIRE(all.size() == 2);
  const std::vector<ExitScores> last = score_exits(network, images.slice(0, 502, 503));
  for (std::size_t e = 0; e < 2; ++e) {
    REQUIRE(all[e].entropy.size() == 503);
    for (const double entropy : all[e].entropy) CHECK_UNARY(entropy >= 0 && entropy <= std::log(10.0) + 1e-5);
    CHECK(last[e].entropy[0] == doctest::Approx(all[e].entropy[502]).epsilon(1e-5));
    CHECK(last[e].labels[0] == all[e].labels[502]);
  }
}
