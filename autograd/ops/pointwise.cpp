#include "autograd/ops/pointwise.h"

#include "autograd/ops/sum.h"
#include "tensor/backend.h"

namespace cbnet::ops {
namespace {

/// Computes f(x), or what else the table has of a function of one, as a contiguous tensor.
Tensor map(Pointwise function, const Tensor& x, double a) {
  Tensor y = Tensor::empty(x.shape(), x);
  backend_of(x.device())
      .pointwise({.dtype = x.dtype(),
                  .function = function,
                  .a = a,
                  .shape = x.shape(),
                  .x = x.address(),
                  .y = y.address(),
                  .x_strides = x.strides(),
                  .y_strides = y.strides()});
  return y;
}

/// Computes a part of f of two tensors over their broadcast shape, as a contiguous tensor.
Tensor map(Pointwise function, PointwisePart part, const Tensor& x, const Tensor& z, double a = 0.0) {
  const Shape shape = broadcast_shapes(x.shape(), z.shape(), "pointwise");
  Tensor y = Tensor::empty(shape, x);
  const Tensor xs = x.expand(shape);
  const Tensor zs = z.expand(shape);
  backend_of(x.device())
      .pointwise({.dtype = x.dtype(),
                  .function = function,
                  .part = part,
                  .a = a,
                  .shape = shape,
                  .x = xs.address(),
                  .z = zs.address(),
                  .y = y.address(),
                  .x_strides = xs.strides(),
                  .z_strides = zs.strides(),
                  .y_strides = y.strides()});
  return y;
}

/// Returns the gradient by one operand, `part`, of shape `shape`.
Tensor gradient_by(Pointwise function, PointwisePart part, const Saved& saved, const Tensor& dy,
                   const Shape& shape) {
  return sum_to(product(map(function, part, saved.tensors[0], saved.tensors[1]), dy), shape);
}

}  // namespace

Tensor product(const Tensor& a, const Tensor& b) { return map(Pointwise::mul, PointwisePart::value, a, b); }

Tensor sum_to(const Tensor& tensor, const Shape& shape) {
  if (tensor.shape() == shape) return tensor;
  const std::size_t lead = tensor.shape().size() - shape.size();
  std::vector<std::int64_t> stretched;
  for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
    if (axis < lead || shape[axis - lead] != tensor.shape()[axis]) {
      stretched.push_back(static_cast<std::int64_t>(axis));
    }
  }
  return sum_axes(tensor, stretched, /*keepdim=*/true).view(shape);
}

#define CBNET_SAVE_X saved.keep({in[0]})
#define CBNET_SAVE_Y saved.keep({output})
#define CBNET_SAVE_SHAPE saved.keep({in[0]}, {0})
#define CBNET_UNARY(name, Type, SAVES, PARAMETER)                                                     \
  Shape Type::infer(const Args&, std::span<const Shape> in) { return in[0]; }                         \
  Tensor Type::forward([[maybe_unused]] const Args& args, Inputs in, Saved& saved) {                  \
    Tensor output = map(Pointwise::name, in[0], PARAMETER);                                           \
    CBNET_SAVE_##SAVES;                                                                               \
    return output;                                                                                    \
  }                                                                                                   \
  Gradients Type::backward([[maybe_unused]] const Args& args, const Saved& saved, const Tensor& dy) { \
    return {map(Pointwise::name, PointwisePart::gradient, saved.tensors[0], dy, PARAMETER)};          \
  }
#define UNARY(name, Type, formula, VALUE, DERIVATIVE, SAVES) CBNET_UNARY(name, Type, SAVES, 0.0)
#define UNARY_PARAMETER(name, Type, formula, VALUE, DERIVATIVE, SAVES) CBNET_UNARY(name, Type, SAVES, args.a)
#define BINARY(name, Type, formula, VALUE, BY_X, BY_Z, X_READERS, Z_READERS)                          \
  Shape Type::infer(const Args&, std::span<const Shape> in) {                                         \
    return broadcast_shapes(in[0], in[1], kName);                                                     \
  }                                                                                                   \
  Tensor Type::forward(const Args&, Inputs in, Saved& saved) {                                        \
    saved.keep({in[0], in[1]}, {X_READERS, Z_READERS});                                               \
    return map(Pointwise::name, PointwisePart::value, in[0], in[1]);                                  \
  }                                                                                                   \
  Gradients Type::backward(const Args&, const Saved& saved, const Tensor& dy) {                       \
    Gradients gradients(2);                                                                           \
    const auto by = [&](std::size_t input, PointwisePart part) {                                      \
      if (!saved.needs_grad[input]) return;                                                           \
      gradients[input] = gradient_by(Pointwise::name, part, saved, dy, saved.tensors[input].shape()); \
    };                                                                                                \
    by(0, PointwisePart::by_x);                                                                       \
    by(1, PointwisePart::by_z);                                                                       \
    return gradients;                                                                                 \
  }
#include "tensor/pointwise.def"

}  // namespace cbnet::ops
