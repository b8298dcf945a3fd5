#include "tensor/cpu/kernels/exit.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/rng.h"

using namespace cbnet;

namespace {

struct Answer {
  std::vector<float> probabilities, entropy;
  std::vector<std::int64_t> labels;
};

/// Rows of `pitch` logits, the last readable for a vector beyond its end.
Answer classify(Isa isa, std::vector<float> logits, std::int64_t rows, std::int64_t classes,
                std::int64_t pitch) {
  logits.resize(logits.size() + kernels::kSlack, std::numeric_limits<float>::quiet_NaN());
  Answer out;
  out.probabilities.assign(static_cast<std::size_t>(rows * classes + 1), -1.0F);
  out.entropy.resize(static_cast<std::size_t>(rows));
  out.labels.resize(static_cast<std::size_t>(rows));
  kernels::kernel_table(isa).exit.classify(
      {logits.data(), rows, classes, pitch, out.probabilities.data(), out.entropy.data(), out.labels.data()});
  CHECK(out.probabilities.back() == -1.0F);  // nothing is written behind the last
  return out;
}

Answer classify(Isa isa, const std::vector<float>& logits) {
  const auto classes = static_cast<std::int64_t>(logits.size());
  return classify(isa, logits, 1, classes, classes);
}

}  // namespace

TEST_CASE("exit: probabilities, entropy and label as in f64, for every number of classes") {
  Rng rng(3);
  for (const Isa isa : available_isas()) {
    double worst_p = 0, worst_entropy = 0;
    for (std::int64_t classes = 1; classes <= 40; ++classes) {
      for (const double spread : {0.1, 3.0, 30.0}) {
        const std::int64_t rows = 3, pitch = classes + classes % 3;
        std::vector<float> x(static_cast<std::size_t>(rows * pitch));
        for (float& v : x) v = static_cast<float>(spread * rng.normal());
        const Answer got = classify(isa, x, rows, classes, pitch);
        for (std::int64_t r = 0; r < rows; ++r) {
          const float* row = x.data() + r * pitch;
          std::int64_t label = 0;
          for (std::int64_t c = 1; c < classes; ++c) label = row[c] > row[label] ? c : label;
          double sum = 0, entropy = 0;
          for (std::int64_t c = 0; c < classes; ++c)
            sum += std::exp(static_cast<double>(row[c]) - row[label]);
          for (std::int64_t c = 0; c < classes; ++c) {
            const double log_p = static_cast<double>(row[c]) - row[label] - std::log(sum),
                         p = std::exp(log_p);
            entropy -= p * log_p;
            worst_p = std::max(worst_p,
                               std::fabs(got.probabilities[static_cast<std::size_t>(r * classes + c)] - p));
          }
          worst_entropy =
              std::max(worst_entropy, std::fabs(got.entropy[static_cast<std::size_t>(r)] - entropy));
          CHECK(got.labels[static_cast<std::size_t>(r)] == label);
        }
      }
    }
    // Differences of logits of some 100 are rounded to 4e-6 of each other's p, of which p is at most 1 and p
    // ln p 1/e.
    CHECK_MESSAGE(worst_p <= 2e-6, to_string(isa) << ": " << worst_p);
    CHECK_MESSAGE(worst_entropy <= 4e-6, to_string(isa) << ": " << worst_entropy);
  }
}

TEST_CASE("exit: worked out by hand") {
  for (const Isa isa : available_isas()) {
    const Answer even = classify(isa, {2, 2, 2, 2});
    CHECK(even.labels[0] == 0);  // the first of equals
    CHECK(even.probabilities[3] == 0.25F);
    CHECK(even.entropy[0] == doctest::Approx(std::log(4.0)).epsilon(1e-7));
    const Answer one = classify(isa, {-7});
    CHECK(one.probabilities[0] == 1.0F);
    CHECK(one.entropy[0] == 0.0F);
    const Answer last = classify(isa, {-1, 5, 0, 5.5F});
    CHECK(last.labels[0] == 3);
  }
}

TEST_CASE("exit: a sure row keeps its digits, and far ends are 0") {
  for (const Isa isa : available_isas()) {
    // Of two classes d apart the entropy is ln(1 + e^-d) + d / (1 + e^d): as small as 4e-12 here.
    for (const double d : {5.0, 15.0, 29.0}) {
      const Answer sure = classify(isa, {static_cast<float>(d), 0});
      const double want = std::log1p(std::exp(-d)) + d / (1 + std::exp(d));
      CHECK(sure.entropy[0] == doctest::Approx(want).epsilon(1e-5));
    }
    const float inf = std::numeric_limits<float>::infinity();
    const Answer far = classify(isa, {1, -200, -inf, 0});
    CHECK(far.probabilities[1] == 0.0F);
    CHECK(far.probabilities[2] == 0.0F);
    CHECK(far.entropy[0] == doctest::Approx(0.5822031));
  }
}

TEST_CASE("exit: a row with NaN has no entropy, and its neighbours do") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Isa isa : available_isas()) {
    for (std::size_t at = 0; at < 3; ++at) {
      std::vector<float> x = {1, 2, 3, 1, 2, 3};
      x[at] = nan;
      const Answer got = classify(isa, x, 2, 3, 3);
      CHECK(std::isnan(got.entropy[0]));
      CHECK(got.entropy[1] == doctest::Approx(0.8323955));
      CHECK(got.labels[0] == -1);
      CHECK(got.labels[0] < 3);
      CHECK(got.labels[1] == 2);
    }
  }
}
