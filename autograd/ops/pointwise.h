#pragma once

// Pointwise ops come from the table in pointwise.def.
//
// Shapes : unary x -> y same; binary x, z -> their broadcast shape.   Dtypes: f32, f64.
// Saves  : x or y, as the table says; both operands of a binary op.
// Grad   : dx = dy * derivative; summed over stretched axes for a binary op.
// Edge   : empty tensors give empty tensors; infinities and NaN follow IEEE 754.
// Kernels: baseline loops, spread over the threads.

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct NoArgs {};
struct Parameter {
  double a = 0.0;
};

#define CBNET_DECLARE_POINTWISE(Type, name, ArgsType)                            \
  struct Type {                                                                  \
    static constexpr const char* kName = #name;                                  \
    using Args = ArgsType;                                                       \
    static Shape infer(const Args&, std::span<const Shape>);                     \
    static Tensor forward(const Args&, Inputs, Saved&);                          \
    static Gradients backward(const Args&, const Saved&, const Tensor& doutput); \
  };
#define UNARY(name, Type, ...) CBNET_DECLARE_POINTWISE(Type, name, NoArgs)
#define UNARY_PARAMETER(name, Type, ...) CBNET_DECLARE_POINTWISE(Type, name, Parameter)
#define BINARY(name, Type, ...) CBNET_DECLARE_POINTWISE(Type, name, NoArgs)
#include "tensor/pointwise.def"
#undef CBNET_DECLARE_POINTWISE

}  // namespace ops

template <>
inline constexpr bool kKeepsSubnormals<ops::Log> = true;
template <>
inline constexpr bool kKeepsSubnormals<ops::Sqrt> = true;
template <>
inline constexpr bool kKeepsSubnormals<ops::Div> = true;
template <>
inline constexpr bool kKeepsSubnormals<ops::Pow> = true;

namespace ops {

/// Sums `tensor` over the axes along which `shape` was stretched to become tensor's shape.
Tensor sum_to(const Tensor& tensor, const Shape& shape);

/// Computes a b over their broadcast shape, as a contiguous tensor.
Tensor product(const Tensor& a, const Tensor& b);

/// Returns the number as a tensor () of x's dtype and device.
inline Tensor scalar_like(const Variable& x, double a) {
  return Tensor::full({}, a, x.dtype(), x.value().device());
}

}  // namespace ops

#define UNARY(name, Type, ...) \
  inline Variable name(const Variable& x) { return apply<ops::Type>({}, {x}); }
#define UNARY_PARAMETER(name, Type, ...) \
  inline Variable name(const Variable& x, double a) { return apply<ops::Type>({a}, {x}); }
#define BINARY(name, Type, ...) \
  inline Variable name(const Variable& x, const Variable& z) { return apply<ops::Type>({}, {x, z}); }
#include "tensor/pointwise.def"

inline Variable operator+(const Variable& x, const Variable& z) { return add(x, z); }
inline Variable operator-(const Variable& x, const Variable& z) { return sub(x, z); }
inline Variable operator*(const Variable& x, const Variable& z) { return mul(x, z); }
inline Variable operator/(const Variable& x, const Variable& z) { return div(x, z); }
inline Variable operator-(const Variable& x) { return neg(x); }

// A number may stand on either side; it is rounded to x's dtype.
inline Variable operator+(const Variable& x, double a) { return shift(x, a); }
inline Variable operator+(double a, const Variable& x) { return shift(x, a); }
inline Variable operator-(const Variable& x, double a) { return shift(x, -a); }
inline Variable operator-(double a, const Variable& x) { return shift(neg(x), a); }
inline Variable operator*(const Variable& x, double a) { return scale(x, a); }
inline Variable operator*(double a, const Variable& x) { return scale(x, a); }
inline Variable operator/(const Variable& x, double a) { return div(x, ops::scalar_like(x, a)); }
inline Variable operator/(double a, const Variable& x) { return div(ops::scalar_like(x, a), x); }

}  // namespace cbnet
