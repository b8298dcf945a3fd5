#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {

void sum(const SumCall& call) {
  const Source x(call.x, call.dtype);
  Target y(call.y, call.dtype);
  int64_t outputs = 1;
  for (std::size_t axis = 0; axis < call.shape.size(); ++axis) {
    outputs *= call.y_strides[axis] == 0 ? 1 : call.shape[axis];
  }
  std::vector<double> sums(static_cast<std::size_t>(outputs), 0.0);
  int64_t element = 0;
  for_each(call.shape,
           [&](const Index& i) { sums[static_cast<std::size_t>(at(i, call.y_strides))] += x[element++]; });
  for (int64_t i = 0; i < outputs; ++i) y.set(i, sums[static_cast<std::size_t>(i)] * call.factor);
}

void max(const MaxCall& call) {
  const Source x(call.x, call.dtype);
  Target y(call.y, call.dtype);
  for (int64_t line = 0; line < call.outer * call.inner; ++line) {
    const int64_t first = line / call.inner * call.size * call.inner + line % call.inner;
    int64_t best = 0;
    for (int64_t s = 1; s < call.size; ++s) {
      const double value = x[first + s * call.inner], largest = x[first + best * call.inner];
      if (value > largest || (std::isnan(value) && !std::isnan(largest))) best = s;
    }
    y.set(line, x[first + best * call.inner]);
    call.index[line] = best;
  }
}

void max_backward(const MaxBackwardCall& call) {
  const Source dy(call.dy, call.dtype);
  Target dx(call.dx, call.dtype);
  for (int64_t line = 0; line < call.outer * call.inner; ++line) {
    const int64_t first = line / call.inner * call.size * call.inner + line % call.inner;
    for (int64_t s = 0; s < call.size; ++s)
      dx.set(first + s * call.inner, s == call.index[line] ? dy[line] : 0.0);
  }
}

void find_outside(const FindOutsideCall& call) {
  const Source x(call.x, call.dtype);
  *call.found = -1;
  for (int64_t i = 0; i < call.count && *call.found < 0; ++i) {
    if (!(x[i] >= call.low && x[i] <= call.high)) *call.found = i;
  }
}

}  // namespace cbnet::reference
