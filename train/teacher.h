#pragma once

#include <string>

#include "models/checkpoint.h"
#include "train/recipe.h"

// Distillation (Hinton et al., "Distilling the knowledge in a neural network", 2015): a network learns what
// probabilities another one, its teacher, gives, besides the labels.

namespace cbnet {

class Teacher {
 public:
  /// Throws std::invalid_argument unless the model maps such images to so many classes.
  Teacher(Model model, const Shape& input, std::int64_t classes);

  /// Returns softmax(logits / temperature) of pixels f32 (N, C, H, W) in [0, 1], before normalisation: f32
  /// (N, classes).
  Tensor probabilities(const Tensor& pixels, double temperature);
  /// Does so for all images u8 (N, C, H, W), by a plan: several times as fast, on the host.
  Tensor probabilities_of_all(const Tensor& images, double temperature);

  /// Returns the MD5 of the weights: what "the same teacher" means.
  std::string md5() const;

 private:
  Model model_;
};

/// Returns the MD5 of weights, in their order.
std::string md5_of(const StateDict& weights);

}  // namespace cbnet
