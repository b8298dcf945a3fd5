// `pointwise` in tensor/reference/pointwise.cpp, with the formulas of tensor/pointwise.def, defines what this
// file computes.
#include <cmath>
#include <type_traits>

#include "tensor/cpu/functions.h"
#include "tensor/cpu/kernels/isa_table.h"

namespace cbnet::cpu {
namespace {

/// Sets y = f(x, z), where a function of one gets x twice. Rows with unit strides get a loop of their own so
/// that it vectorises.
template <class T, class F>
void map(const PointwiseCall& call, F f) {
  const bool two = call.z != nullptr;
  const T *x = as<T>(call.x), *z = as<T>(two ? call.z : call.x);
  for_each_row<3>(call.shape, {call.x_strides, two ? call.z_strides : call.x_strides, call.y_strides},
                  [&](Offsets offset, Offsets stride, std::int64_t count) {
                    const T *xs = x + offset[0], *zs = z + offset[1];
                    T* to = as<T>(call.y) + offset[2];
                    if (stride[0] == 1 && stride[1] == 1 && stride[2] == 1) {
                      for (std::int64_t i = 0; i < count; ++i) to[i] = f(xs[i], zs[i]);
                    } else {
                      for (std::int64_t i = 0; i < count; ++i)
                        to[i * stride[2]] = f(xs[i * stride[0]], zs[i * stride[1]]);
                    }
                  });
}

/// Sets y = f(x) by a kernel of the ISA table, which takes dense arrays; others go through it block by block.
template <class T>
void map_by(const PointwiseCall& call, void (*kernel)(const T*, T*, std::int64_t)) {
  if (is_dense(call.shape, call.x_strides) && is_dense(call.shape, call.y_strides)) {
    std::int64_t count = 1;
    for (const std::int64_t size : call.shape) count *= size;
    parallel_for(count, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      kernel(as<T>(call.x) + begin, as<T>(call.y) + begin, end - begin);
    });
    return;
  }
  for_each_row<2>(call.shape, {call.x_strides, call.y_strides},
                  [&](Offsets offset, Offsets stride, std::int64_t count) {
                    constexpr std::int64_t kBlock = 256;
                    T x[kBlock], y[kBlock];
                    for (std::int64_t first = 0; first < count; first += kBlock) {
                      const std::int64_t size = std::min(kBlock, count - first);
                      const T* from = as<T>(call.x) + offset[0] + first * stride[0];
                      T* to = as<T>(call.y) + offset[1] + first * stride[1];
                      for (std::int64_t i = 0; i < size; ++i) x[i] = from[i * stride[0]];
                      kernel(x, y, size);
                      for (std::int64_t i = 0; i < size; ++i) to[i * stride[1]] = y[i];
                    }
                  });
}

template <class T>
void pointwise_of(const PointwiseCall& call) {
  const T a = static_cast<T>(call.a);
  const bool value = call.part == PointwisePart::value;
  switch (call.function) {
// The table's formulas name x, y, z and a.
#define GRADIENT(DERIVATIVE)                         \
  map<T>(call, [a]([[maybe_unused]] T x, T d) -> T { \
    [[maybe_unused]] const T y = x;                  \
    static_cast<void>(a);                            \
    return d * (DERIVATIVE);                         \
  })
#define UNARY(name, Type, formula, VALUE, DERIVATIVE, SAVES)                              \
  case Pointwise::name:                                                                   \
    return value ? map<T>(call, [a](T x, T) -> T { return static_cast<void>(a), VALUE; }) \
                 : GRADIENT(DERIVATIVE);
#define UNARY_PARAMETER UNARY
#define UNARY_KERNEL(name, Type, formula, VALUE, DERIVATIVE, SAVES) \
  case Pointwise::name:                                             \
    return value ? map_by<T>(call, kernels::isa_table<T>().name) : GRADIENT(DERIVATIVE);
#define BINARY(name, Type, formula, VALUE, BY_X, BY_Z, X_READERS, Z_READERS)                     \
  case Pointwise::name:                                                                          \
    if (value) return map<T>(call, [](T x, T z) -> T { return VALUE; });                         \
    if (call.part == PointwisePart::by_x)                                                        \
      return map<T>(call, []([[maybe_unused]] T x, [[maybe_unused]] T z) -> T { return BY_X; }); \
    return map<T>(call, []([[maybe_unused]] T x, [[maybe_unused]] T z) -> T { return BY_Z; });
#include "tensor/pointwise.def"
#undef GRADIENT
  }
}

}  // namespace

CBNET_BY_DTYPE(pointwise, PointwiseCall)

}  // namespace cbnet::cpu
