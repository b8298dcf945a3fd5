#pragma once

#include <vector>

#include "cbnet/predictor.h"

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

/// Runs `predictor` over u8 images (N, 28, 28) in batches and compares with the labels u8 (N), 0 … 9.
/// The autoencoder alone has no labels: accuracy is NaN and the confusion matrix empty then.
Evaluation evaluate(Predictor& predictor, const Tensor& images, const Tensor& labels);

}  // namespace cbnet
