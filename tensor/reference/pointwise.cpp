#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {
namespace {

using T = double;

/// The table's formulas name x, y, z and a. Of a gradient `x` is what the table keeps, x or y, and z is dy.
double evaluate(const PointwiseCall& call, [[maybe_unused]] T x, [[maybe_unused]] T z) {
  [[maybe_unused]] const T a = call.a, y = x;
  switch (call.function) {
#define UNARY(name, Type, formula, VALUE, DERIVATIVE, SAVES) \
  case Pointwise::name:                                      \
    return call.part == PointwisePart::value ? (VALUE) : z * (DERIVATIVE);
#define UNARY_PARAMETER UNARY
#define BINARY(name, Type, formula, VALUE, BY_X, BY_Z, X_READERS, Z_READERS) \
  case Pointwise::name:                                                      \
    return call.part == PointwisePart::value ? (VALUE) : call.part == PointwisePart::by_x ? (BY_X) : (BY_Z);
#include "tensor/pointwise.def"
  }
  return 0.0;
}

}  // namespace

void pointwise(const PointwiseCall& call) {
  const Source x(call.x, call.dtype), z(call.z, call.dtype);
  Target y(call.y, call.dtype);
  for_each(call.shape, [&](const Index& i) {
    y.set(at(i, call.y_strides),
          evaluate(call, x[at(i, call.x_strides)], z ? z[at(i, call.z_strides)] : 0.0));
  });
}

}  // namespace cbnet::reference
