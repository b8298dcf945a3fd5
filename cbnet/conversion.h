#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "cbnet/exit_rule.h"
#include "cbnet/recipe.h"

// The converting autoencoder learns to make these (III-A.2): the easy images of each class.

namespace cbnet {

/// Images are easy or hard by BranchyNet (III-A.2, Fig. 4): a training image is easy when it leaves early. We
/// ask besides that the early exit is right about it. The paper does not, and a confidently wrong image then
/// stands for its class: on Fashion-MNIST the shirts are lost.
struct Hardness {
  std::vector<bool> easy;  // one per image
  std::int64_t early = 0;  // images that leave early, right or wrong
  /// This has, per class, the easy images, as indices into the set, lowest entropy first.
  std::vector<std::vector<std::int64_t>> pool;
};

/// This says that some class has images, but no easy one.
class NoEasyImage : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `scores` are those of the side exit behind which the lightweight classifier ends.
/// A class that no label names has an empty pool: nothing is converted into it. Throws NoEasyImage,
/// naming the classes and the threshold that each would need, when one has images but no easy one.
Hardness label_hardness(const ExitScores& scores, const std::vector<std::int64_t>& labels, double threshold,
                        std::int64_t classes);

/// These are the targets of the autoencoder, drawn from the easy images.
class ConversionTargets {
 public:
  /// `images` u8 (N, C, H, W) is the set that `hardness` was made from.
  ConversionTargets(Tensor images, Hardness hardness, TargetPolicy policy, OutputActivation output,
                    std::uint64_t seed);

  /// Returns f32 (B, C*H*W): for each sample an easy image of its class. With TargetPolicy::random_easy it
  /// depends on (seed, epoch, sample) alone. Pixels are in [0, 1]; for a softmax output each row sums to 1.
  Tensor rows(const Tensor& labels, const std::vector<std::int64_t>& samples, std::int64_t epoch) const;

  /// Returns the factor from the network's output to pixels in [0, 1]: 1 for sigmoid; for softmax, whose
  /// outputs sum to 1, the mean pixel sum of the target pool.
  double rescale() const { return rescale_; }
  const Hardness& hardness() const { return hardness_; }
  /// Returns, per class, the image that TargetPolicy::fixed_image uses: the easy one with the lowest entropy;
  /// -1 for a class without images.
  std::vector<std::int64_t> fixed_images() const;

 private:
  std::int64_t choose(std::int64_t label, std::int64_t sample, std::int64_t epoch) const;

  Tensor images_;
  Hardness hardness_;
  TargetPolicy policy_;
  OutputActivation output_;
  std::uint64_t seed_;
  double rescale_ = 1.0;
};

/// Returns reconstruction loss plus activity penalty (III-A.2 and III-A.3). pixels (B, C, H, W) -> scalar.
/// With a softmax output the error is measured in pixels (output and target times `rescale`).
Variable conversion_loss(Network& autoencoder, const Variable& pixels, const Tensor& target_rows,
                         const Recipe& recipe, double rescale);

/// Returns the autoencoder's images: pixels (B, C, H, W) in [0, 1] -> the same shape, in [0, 1] too for a
/// sigmoid output; a softmax output times rescale may exceed 1 and is cut there.
Tensor convert(Network& autoencoder, const Tensor& pixels, double rescale);

}  // namespace cbnet
