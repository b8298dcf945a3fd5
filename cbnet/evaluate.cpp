#include "cbnet/evaluate.h"

#include <algorithm>
#include <limits>

#include "data/picture.h"

namespace cbnet {

void require_fits(const PredictorInfo& model, const data::Split& split, const data::Dataset& dataset) {
  const Shape found = split.image_shape();
  if (found != model.input) {
    const bool other_size = found[1] != model.input[1] || found[2] != model.input[2];
    throw InputError(
        concat("model ", model.name), concat("pictures of ", data::picture_text(model.input)),
        concat("those of ", dataset.name, ", ", data::picture_text(found)),
        concat(other_size ? concat("--resize ", data::size_text(model.input[1], model.input[2])) : "",
               other_size && found[0] != model.input[0] ? " " : "",
               found[0] != model.input[0] ? concat("--channels ", model.input[0]) : "", " makes them so"));
  }
  if (!model.classes.empty() && model.classes.size() != dataset.classes.size()) {
    throw InputError(concat("model ", model.name), concat("a dataset of ", model.classes.size(), " classes"),
                     concat(dataset.name, " with ", dataset.classes.size()));
  }
}

Evaluation evaluate(Predictor& predictor, const Tensor& images, const Tensor& labels) {
  require(images.size(0) == labels.size(0) && images.size(0) > 0, "evaluate",
          "images and labels must match and not be empty; got ", describe(images), " and ", describe(labels));
  constexpr std::int64_t kBatch = 500;
  const std::size_t classes = predictor.info().classes.size();
  const std::vector<std::int64_t> wanted = labels.to_vector<std::int64_t>();
  const std::vector<std::int64_t> macs = predictor.macs_by_exit();
  std::vector<std::int64_t> exits(macs.size(), 0);
  std::int64_t correct = 0;
  Evaluation out;
  out.images = images.size(0);
  for (std::int64_t begin = 0; begin < out.images; begin += kBatch) {
    const Predictions part = predictor.predict(images.slice(0, begin, std::min(begin + kBatch, out.images)));
    if (part.labels.empty()) continue;
    if (out.confusion.empty()) out.confusion.assign(classes, std::vector<std::int64_t>(classes, 0));
    for (std::size_t i = 0; i < part.labels.size(); ++i) {
      const auto label = static_cast<std::size_t>(wanted[static_cast<std::size_t>(begin) + i]);
      if (part.labels[i] < 0) {
        ++out.not_finite;
      } else {
        ++out.confusion.at(label).at(static_cast<std::size_t>(part.labels[i]));
      }
      ++exits.at(static_cast<std::size_t>(part.exit[i]));
      correct += part.labels[i] == static_cast<std::int64_t>(label) ? 1 : 0;
    }
  }
  if (out.confusion.empty()) {
    out.accuracy = std::numeric_limits<double>::quiet_NaN();
    out.exit_rates = {1.0};
    out.mean_macs = static_cast<double>(macs.front());
    return out;
  }
  out.accuracy = static_cast<double>(correct) / static_cast<double>(out.images);
  for (std::size_t e = 0; e < exits.size(); ++e) {
    out.exit_rates.push_back(static_cast<double>(exits[e]) / static_cast<double>(out.images));
    out.mean_macs += out.exit_rates[e] * static_cast<double>(macs[e]);
  }
  return out;
}

}  // namespace cbnet
