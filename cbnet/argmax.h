#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet {

/// The column of each row's largest element, the first one among equals; -1 for a row without an answer: one
/// that holds NaN or +inf, or nothing but -inf. scores (N, C), f32 or f64.
std::vector<std::int64_t> argmax_rows(const Tensor& scores);

/// How many rows have their largest element in the column that `labels` (i64 (N)) names.
std::int64_t count_correct(const Tensor& scores, const Tensor& labels);

}  // namespace cbnet
