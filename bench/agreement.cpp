#include "bench/agreement.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace cbnet::bench {
namespace {

const Tensor& values_of(const Predictions& predictions) {
  return predictions.labels.empty() ? predictions.converted : predictions.probabilities;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// Compares one batch, whose first image is number `first` of the reference.
class BatchCheck {
 public:
  BatchCheck(const std::string& model, const Predictions& got, const Reference& expected, std::int64_t first,
             const std::vector<std::int64_t>& image_numbers)
      : model_(model),
        got_(got),
        expected_(expected),
        first_(static_cast<std::size_t>(first)),
        numbers_(image_numbers),
        values_(values_of(got).to_vector<float>()) {}

  void image(std::size_t i, Agreement& out) const {
    ++out.images;
    if (!got_.labels.empty()) {
      if (got_.exit[i] != expected_.exits.at(first_ + i)) {
        check_exit_tie(i);
        ++out.ties;
        return;  // two heads, two sets of probabilities
      }
      if (got_.labels[i] != expected_.labels.at(first_ + i)) {
        check_label_tie(i);
        ++out.ties;
      }
    }
    const auto width = static_cast<std::size_t>(expected_.width);
    for (std::size_t k = 0; k < width; ++k) {
      const double difference =
          std::abs(values_.at(i * width + k) - expected_.values.at((first_ + i) * width + k));
      // The comparison is written so that NaN fails.
      if (!(difference <= kAgreementTolerance)) fail(i, concat("a value is off by ", difference));
      out.max_difference = std::max(out.max_difference, difference);
    }
  }

 private:
  void check_label_tie(std::size_t i) const {
    const std::int64_t got = got_.labels[i], expected = expected_.labels.at(first_ + i);
    if (got < 0 || expected < 0) fail(i, concat("label ", got, " instead of ", expected));
    const std::size_t row = (first_ + i) * static_cast<std::size_t>(expected_.width);
    const auto probability = [&](std::int64_t label) {
      return static_cast<double>(expected_.values.at(row + static_cast<std::size_t>(label)));
    };
    // The comparison is written so that NaN fails.
    if (!(probability(expected) - probability(got) <= kAgreementTolerance))
      fail(i, concat("label ", got, " instead of ", expected));
  }

  void check_exit_tie(std::size_t i) const {
    const double difference = std::abs(got_.entropy[i] - expected_.entropy.at(first_ + i));
    if (difference <= kAgreementTolerance) return;
    fail(i, concat("exit ", got_.exit[i], " instead of ", expected_.exits.at(first_ + i), ", entropy off by ",
                   difference));
  }

  [[noreturn]] void fail(std::size_t i, const std::string& what) const {
    throw std::runtime_error(concat("[table2] the timed calls of ", model_,
                                    " disagree with the evaluation of its accuracy: test image ",
                                    numbers_.at(first_ + i), ": ", what));
  }

  const std::string& model_;
  const Predictions& got_;
  const Reference& expected_;
  std::size_t first_;
  const std::vector<std::int64_t>& numbers_;
  std::vector<float> values_;
};

}  // namespace

Predictions Recorder::predict(const Tensor& images) {
  Predictions out = inner_.predict(images);
  append(recorded_.labels, out.labels);
  append(recorded_.exits, out.exit);
  append(recorded_.entropy, out.entropy);
  const Tensor& values = values_of(out);
  append(recorded_.values, values.to_vector<float>());
  recorded_.width = values.numel() / images.size(0);
  return out;
}

Agreement check_agreement(Predictor& predictor, const std::vector<Tensor>& batches,
                          const Reference& reference, const std::vector<std::int64_t>& image_numbers) {
  const std::string model = predictor.name();
  Agreement out;
  for (const Tensor& images : batches) {
    const Predictions got = predictor.predict(images);
    const std::int64_t first = out.images;
    const BatchCheck check(model, got, reference, first, image_numbers);
    for (std::int64_t i = 0; i < images.size(0); ++i) check.image(static_cast<std::size_t>(i), out);
  }
  return out;
}

}  // namespace cbnet::bench
