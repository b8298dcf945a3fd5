#pragma once

#include <vector>

#include "cbnet/predictor.h"
#include "data/dataset.h"

namespace cbnet {

struct Evaluation {
  std::int64_t images = 0;
  std::int64_t not_finite =
      0;                  // images without an answer: the network's numbers overflowed; counted as wrong
  double accuracy = 0.0;  // 0 … 1
  std::vector<double> exit_rates;                    // share that left at exit 0, 1, …
  double mean_macs = 0.0;                            // an image, over the exits taken
  std::vector<std::vector<std::int64_t>> confusion;  // [label][predicted]
};

/// Throws InputError, naming the model and the options that help, unless it takes pictures as those of
/// `split` and tells as many classes apart as the dataset has.
void require_fits(const PredictorInfo& model, const data::Split& split, const data::Dataset& dataset);

/// Runs `predictor` over u8 images (N, C, H, W) in batches and compares with the labels u8 (N), of its
/// classes. The autoencoder alone has no labels: accuracy is NaN and the confusion matrix empty then.
Evaluation evaluate(Predictor& predictor, const Tensor& images, const Tensor& labels);

}  // namespace cbnet
