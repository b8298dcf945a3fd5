#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cbnet/predictor.h"

// A bench that times something else than what was judged is worth nothing: before the clock starts, the
// timed calls must have the same answer to every image as the evaluation of the accuracy.

namespace cbnet::bench {

/// These are the answers of the evaluation, image by image.
struct Reference {
  std::vector<std::int64_t> labels;  // none for the autoencoder alone
  std::vector<std::int64_t> exits;
  std::vector<double> entropy;
  std::vector<float> values;  // probabilities, or the pixels that the autoencoder makes: `width` an image
  std::int64_t width = 0;
};

/// Passes everything on to another predictor and keeps what it answers.
class Recorder : public Predictor {
 public:
  explicit Recorder(Predictor& inner) : Predictor(inner.info()), inner_(inner) {}

  Predictions predict(const Tensor& images) override;

  const Reference& recorded() const { return recorded_; }

 private:
  Predictor& inner_;
  Reference recorded_;
};

struct Agreement {
  std::int64_t images = 0;
  double max_difference = 0.0;  // of a probability or a pixel
  /// These images lie on either side of the exit threshold, or have two classes as likely, by rounding alone.
  std::int64_t ties = 0;
};

/// Probabilities, pixels and entropies may differ by this much between batch sizes and engines: f32 sums are
/// taken in another order.
inline constexpr double kAgreementTolerance = 1e-4;

/// Predicts the batches, which together are the reference's images in its order. Values must agree within
/// kAgreementTolerance; labels and exits must be equal unless the probabilities of both labels, or the
/// entropies, agree so too.
/// Throws std::runtime_error that names the model and the image, as numbered in `image_numbers`.
Agreement check_agreement(Predictor& predictor, const std::vector<Tensor>& batches,
                          const Reference& reference, const std::vector<std::int64_t>& image_numbers);

}  // namespace cbnet::bench
