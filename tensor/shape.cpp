#include "tensor/shape.h"

#include <algorithm>

#include "tensor/error.h"

namespace cbnet {

std::int64_t numel(const Shape& shape) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    require(size >= 0, "shape", "sizes must not be negative; got ", shape);
    empty = empty || size == 0;
    // Strides count an empty axis as one element, so the other sizes must multiply without overflow too.
    require(!__builtin_mul_overflow(count, std::max<std::int64_t>(size, 1), &count), "shape",
            "too many elements; got ", shape);
  }
  return empty ? 0 : count;
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(shape[i]);
  }
  return text + ")";
}

std::vector<std::int64_t> contiguous_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* where) {
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t sa = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t sb = i < b.size() ? b[b.size() - 1 - i] : 1;
    require(sa == sb || sa == 1 || sb == 1, where, "shapes must broadcast; got ", a, " and ", b);
    out[out.size() - 1 - i] = sa == 1 ? sb : sa;
  }
  return out;
}

std::int64_t normalize_axis(std::int64_t axis, std::int64_t rank, const char* where) {
  require(axis >= -rank && axis < rank, where, "axis must be in [", -rank, ", ", rank - 1, "]; got ", axis);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace cbnet
