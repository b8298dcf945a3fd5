#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tensor/shape.h"
#include "tests/conformance/number.h"

// What the naive loops share: an array of Numbers and the ways to walk it.

namespace cbnet::testing {

using Index = std::vector<std::int64_t>;

/// A row-major array of Numbers.
struct Grid {
  Shape shape;
  std::vector<Number> elements;

  explicit Grid(Shape s) : shape(std::move(s)), elements(static_cast<std::size_t>(count(shape))) {}

  static std::int64_t count(const Shape& shape) {
    std::int64_t n = 1;
    for (const std::int64_t size : shape) n *= size;
    return n;
  }
  Number& at(const Index& index) {
    std::int64_t flat = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) flat = flat * shape[axis] + index[axis];
    return elements[static_cast<std::size_t>(flat)];
  }
  const Number& at(const Index& index) const { return const_cast<Grid*>(this)->at(index); }
};

using Grids = std::vector<Grid>;

/// Calls visit(index) for every index of `shape`, the last axis fastest.
template <class Visit>
void for_each(const Shape& shape, Visit visit) {
  if (Grid::count(shape) == 0) return;
  Index index(shape.size(), 0);
  while (true) {
    visit(index);
    std::size_t axis = shape.size();
    while (axis > 0 && ++index[axis - 1] == shape[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

template <class F>
Grid map(const Grid& x, F f) {
  Grid y(x.shape);
  for (std::size_t i = 0; i < x.elements.size(); ++i) y.elements[i] = f(x.elements[i]);
  return y;
}

/// Calls line(positions of one line along the axis) for every line.
template <class Line>
void along(const Grid& x, std::size_t axis, Line line) {
  Shape others = x.shape;
  others[axis] = 1;
  for_each(others, [&](Index index) {
    std::vector<Index> positions;
    for (index[axis] = 0; index[axis] < x.shape[axis]; ++index[axis]) positions.push_back(index);
    line(positions);
  });
}

/// Folds the elements over the axes; fold(so far, element), starting from `start`.
template <class Fold>
Grid reduce(const Grid& x, std::vector<std::int64_t> axes, bool keepdim, const Number& start, Fold fold) {
  for (std::int64_t& axis : axes) axis += axis < 0 ? static_cast<std::int64_t>(x.shape.size()) : 0;
  const auto gone = [&](std::size_t axis) {
    return std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
  };
  const auto kept = [&](const Index& index, std::int64_t in_place) {
    Index out;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      if (!gone(axis)) out.push_back(index[axis]);
      if (gone(axis) && keepdim) out.push_back(in_place);
    }
    return out;
  };
  Grid y(kept(x.shape, 1));
  for (Number& element : y.elements) element = start;
  for_each(x.shape, [&](const Index& i) { y.at(kept(i, 0)) = fold(y.at(kept(i, 0)), x.at(i)); });
  return y;
}

template <class F>
Grid broadcast(const Grids& in, F f) {
  const std::size_t rank = std::max(in[0].shape.size(), in[1].shape.size());
  Shape shape(rank, 1);
  for (const Grid& x : in) {
    for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
      std::int64_t& size = shape[rank - x.shape.size() + axis];
      size = x.shape[axis] == 1 ? size : x.shape[axis];
    }
  }
  const auto element = [](const Grid& x, const Index& i) {
    Index own(i.end() - static_cast<std::int64_t>(x.shape.size()), i.end());
    for (std::size_t axis = 0; axis < own.size(); ++axis) own[axis] = x.shape[axis] == 1 ? 0 : own[axis];
    return x.at(own);
  };
  Grid y(shape);
  for_each(shape, [&](const Index& i) { y.at(i) = f(element(in[0], i), element(in[1], i)); });
  return y;
}

}  // namespace cbnet::testing
