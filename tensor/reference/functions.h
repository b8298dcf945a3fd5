#pragma once

#include <vector>

#include "tensor/calls.h"

// The reference backend has one function for each line of backend.def: plain loops, every value and sum
// in f64, rounded once where it is stored. No threads, no BLAS, no tricks: they say what every other backend
// computes.

namespace cbnet::reference {

using std::int64_t;

#define BACKEND_FUNCTION(name, Call) void name(const Call& call);
#include "tensor/backend.def"

/// A source is elements of any dtype, read as f64.
class Source {
 public:
  Source(const void* data, DType dtype) : data_(data), dtype_(dtype) {}
  explicit operator bool() const { return data_ != nullptr; }
  double operator[](int64_t i) const {
    return dispatch(
        dtype_, [&](auto zero) { return static_cast<double>(static_cast<const decltype(zero)*>(data_)[i]); });
  }

 private:
  const void* data_;
  DType dtype_;
};

/// A target is the same, to be written too.
class Target : public Source {
 public:
  Target(void* data, DType dtype) : Source(data, dtype), data_(data), dtype_(dtype) {}
  void set(int64_t i, double value) {
    dispatch(dtype_, [&](auto zero) {
      using T = decltype(zero);
      static_cast<T*>(data_)[i] = static_cast<T>(value);
    });
  }
  void add(int64_t i, double value) { set(i, (*this)[i] + value); }

 private:
  void* data_;
  DType dtype_;
};

using Index = std::vector<int64_t>;

/// Calls visit(index) for every index of `shape`, the last axis running fastest.
template <class Visit>
void for_each(Sizes shape, Visit visit) {
  for (const int64_t size : shape) {
    if (size == 0) return;
  }
  Index index(shape.size(), 0);
  while (true) {
    visit(index);
    std::size_t axis = shape.size();
    while (axis > 0 && ++index[axis - 1] == shape[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

/// Returns where an index stands in an array with these strides.
inline int64_t at(const Index& index, Sizes strides) {
  int64_t offset = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] * strides[axis];
  return offset;
}

}  // namespace cbnet::reference
