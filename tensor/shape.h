#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cbnet {

/// A shape has the sizes per dimension, outermost first, e.g. (N, C, H, W). A scalar has the empty shape.
using Shape = std::vector<std::int64_t>;

/// Returns the number of elements; 1 for the empty shape. Throws on a negative size or when the product of
/// the sizes that are not 0 overflows.
std::int64_t numel(const Shape& shape);

/// Writes a shape as "(8,3,28,28)".
std::string to_string(const Shape& shape);

/// Returns row-major strides, in elements.
std::vector<std::int64_t> contiguous_strides(const Shape& shape);

/// Returns the common shape of two operands: aligned from the right, a size of 1 stretches.
/// Throws "[where] ..." when sizes differ and neither is 1.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* where);

/// Maps -rank..rank-1 to 0..rank-1; throws "[where] ..." outside.
std::int64_t normalize_axis(std::int64_t axis, std::int64_t rank, const char* where);

}  // namespace cbnet
