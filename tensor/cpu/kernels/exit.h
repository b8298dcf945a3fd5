#pragma once

#include <cstdint>

// One pass over its logits says what a classifier answers for an image. `softmax` in
// tensor/reference/softmax.cpp defines the probabilities and, of kind entropy, the entropy; `max` in
// tensor/reference/reduce.cpp the label, but for rows that are not finite.

namespace cbnet::kernels {

struct ExitRows {
  const float* logits;
  std::int64_t n, classes, pitch;
  float* probabilities;
  float* entropy;
  std::int64_t* labels;
};

struct ExitTable {
  /// Takes rows of `classes` logits, `pitch` elements apart, readable for a vector beyond their end (kSlack
  /// of fused_conv2d.h):
  ///   p = softmax(x) -> probabilities, rows `classes` apart;  label = the first of the largest;
  ///   entropy = -sum p ln p, in nats, written as ln(1 + rest) - sum p (x - max x), where rest sums the
  ///   exponentials of all but the largest: exact to the last digits for a sure row too. A row with NaN or
  ///   +inf, or of -inf alone, gives NaN and the label -1.
  /// exp is that of exp.inc.h: 2 ulp.
  void (*classify)(const ExitRows& rows);
};

}  // namespace cbnet::kernels
