#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet::data {

/// Two disjoint, ascending lists of indices cover the set together.
struct SplitIndices {
  std::vector<std::int64_t> train, validation;
};

/// Holds out `validation_count` samples so that every class keeps its fraction to within one sample (largest
/// remainder; ties go to the lower label). `labels` is u8 or i64 (N). Which samples of a class are held
/// out depends on the seed and on nothing else.
/// Throws std::invalid_argument unless 0 <= validation_count < N.
SplitIndices stratified_split(const Tensor& labels, std::int64_t validation_count, std::uint64_t seed);

/// Holds out round(fraction * N) samples; 0 <= fraction < 1.
SplitIndices stratified_split_fraction(const Tensor& labels, double fraction, std::uint64_t seed);

/// Copies those rows (entries along the first axis) of a tensor, in that order.
Tensor gather(const Tensor& rows, const std::vector<std::int64_t>& indices);

}  // namespace cbnet::data
