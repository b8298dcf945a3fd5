#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

/// This is a line of tensor/pointwise.def as a type: its parts by `part`. The formulas name x, y, z and a; of
/// a gradient `x` is what the table keeps, x or y, and z is dy.
#define UNARY(name, Type, formula, VALUE, DERIVATIVE, SAVES)                                    \
  struct Type##Function {                                                                       \
    template <class T>                                                                          \
    __device__ static T compute(PointwisePart part, [[maybe_unused]] T x, [[maybe_unused]] T z, \
                                [[maybe_unused]] T a) {                                         \
      [[maybe_unused]] const T y = x;                                                           \
      return part == PointwisePart::value ? (VALUE) : z * (DERIVATIVE);                         \
    }                                                                                           \
  };
#define UNARY_PARAMETER UNARY
#define BINARY(name, Type, formula, VALUE, BY_X, BY_Z, X_READERS, Z_READERS)                         \
  struct Type##Function {                                                                            \
    template <class T>                                                                               \
    __device__ static T compute(PointwisePart part, [[maybe_unused]] T x, [[maybe_unused]] T z,      \
                                [[maybe_unused]] T a) {                                              \
      return part == PointwisePart::value ? (VALUE) : part == PointwisePart::by_x ? (BY_X) : (BY_Z); \
    }                                                                                                \
  };
#include "tensor/pointwise.def"

template <class T>
struct PointwiseArrays {
  const T *x, *z;  // z may be null
  T* y;
  T a;
  PointwisePart part;
  std::int64_t count;
  Strided layout;  // of x, z, y
};

template <class T, class Function>
__global__ void pointwise_kernel(PointwiseArrays<T> arrays) {
  for_each_element(arrays.count, [&](std::int64_t i) {
    const Strided::Offsets at = arrays.layout.offsets(i);
    const T z = arrays.z == nullptr ? T(0) : arrays.z[at.at[1]];
    arrays.y[at.at[2]] = Function::template compute<T>(arrays.part, arrays.x[at.at[0]], z, arrays.a);
  });
}

template <class T, class Function>
void run(const PointwiseCall& call) {
  const PointwiseArrays<T> arrays{
      static_cast<const T*>(call.x),
      static_cast<const T*>(call.z),
      static_cast<T*>(call.y),
      static_cast<T>(call.a),
      call.part,
      count_of(call.shape),
      strided("pointwise", call.shape, call.x_strides, call.z_strides, call.y_strides)};
  launch(to_string(call.function), pointwise_kernel<T, Function>, elements_grid(arrays.count), arrays);
}

template <class T>
void pointwise_of(const PointwiseCall& call) {
  switch (call.function) {
#define UNARY(name, Type, ...) \
  case Pointwise::name:        \
    return run<T, Type##Function>(call);
#define UNARY_PARAMETER UNARY
#define BINARY UNARY
#include "tensor/pointwise.def"
  }
}

}  // namespace

CBNET_BY_DTYPE(pointwise, PointwiseCall)

}  // namespace cbnet::cuda
