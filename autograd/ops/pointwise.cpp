#include "autograd/ops/pointwise.h"

#include <cmath>

#include "autograd/ops/sum.h"
#include "tensor/kernels/isa_table.h"
#include "tensor/kernels/strided.h"

namespace cbnet::ops {
namespace {

using Offsets = const std::int64_t*;

/// y[i] = f(x[i]), y contiguous. Rows with unit strides get a loop of their own so that it vectorises.
template <class T, class F>
Tensor map(const Tensor& x, F f) {
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  const T* xs = x.data<T>();
  T* ys = y.data<T>();
  kernels::for_each_row<2>(x.shape(), {x.strides(), y.strides()},
                           [&](Offsets offset, Offsets stride, std::int64_t count) {
                             const T* from = xs + offset[0];
                             T* to = ys + offset[1];
                             if (stride[0] == 1) {
                               for (std::int64_t i = 0; i < count; ++i) to[i] = f(from[i]);
                             } else {
                               for (std::int64_t i = 0; i < count; ++i) to[i] = f(from[i * stride[0]]);
                             }
                           });
  return y;
}

/// The same by a kernel of the ISA table, which takes dense arrays.
template <class T>
Tensor map(const Tensor& x, void (*kernel)(const T*, T*, std::int64_t)) {
  const Tensor dense = x.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  const T* from = dense.data<T>();
  T* to = y.data<T>();
  parallel_for(x.numel(), 1 << 14,
               [&](std::int64_t begin, std::int64_t end) { kernel(from + begin, to + begin, end - begin); });
  return y;
}

/// y[i] = f(a[i], b[i]) over the broadcast shape, y contiguous.
template <class T, class F>
Tensor map(const Tensor& a, const Tensor& b, F f) {
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "pointwise");
  Tensor y = Tensor::empty(shape, a.dtype());
  const Tensor as = a.expand(shape);
  const Tensor bs = b.expand(shape);
  const T* a0 = as.data<T>();
  const T* b0 = bs.data<T>();
  T* ys = y.data<T>();
  kernels::for_each_row<3>(shape, {as.strides(), bs.strides(), y.strides()},
                           [&](Offsets offset, Offsets stride, std::int64_t count) {
                             const T* ra = a0 + offset[0];
                             const T* rb = b0 + offset[1];
                             T* to = ys + offset[2];
                             if (stride[0] == 1 && stride[1] == 1) {
                               for (std::int64_t i = 0; i < count; ++i) to[i] = f(ra[i], rb[i]);
                             } else {
                               for (std::int64_t i = 0; i < count; ++i) {
                                 to[i] = f(ra[i * stride[0]], rb[i * stride[1]]);
                               }
                             }
                           });
  return y;
}

}  // namespace

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
#define CBNET_FORMULA(VALUE) [a](T x) -> T { return static_cast<void>(a), VALUE; }
#define CBNET_UNARY(Type, FORWARD, DERIVATIVE, SAVES, PARAMETER)                                      \
  Shape Type::infer(const Args&, std::span<const Shape> in) { return in[0]; }                         \
  Tensor Type::forward([[maybe_unused]] const Args& args, Inputs in, Saved& saved) {                  \
    Tensor output = dispatch_floating(in[0].dtype(), kName, [&](auto zero) {                          \
      using T = decltype(zero);                                                                       \
      [[maybe_unused]] const T a = static_cast<T>(PARAMETER);                                         \
      return map<T>(in[0], FORWARD);                                                                  \
    });                                                                                               \
    CBNET_SAVE_##SAVES;                                                                               \
    return output;                                                                                    \
  }                                                                                                   \
  Gradients Type::backward([[maybe_unused]] const Args& args, const Saved& saved, const Tensor& dy) { \
    return {dispatch_floating(dy.dtype(), kName, [&](auto zero) {                                     \
      using T = decltype(zero);                                                                       \
      [[maybe_unused]] const T a = static_cast<T>(PARAMETER);                                         \
      return map<T>(saved.tensors[0], dy, [a](T kept, T d) -> T {                                     \
        [[maybe_unused]] const T x = kept;                                                            \
        [[maybe_unused]] const T y = kept;                                                            \
        static_cast<void>(a);                                                                         \
        return d * (DERIVATIVE);                                                                      \
      });                                                                                             \
    })};                                                                                              \
  }
#define UNARY(name, Type, formula, VALUE, DERIVATIVE, SAVES) \
  CBNET_UNARY(Type, CBNET_FORMULA(VALUE), DERIVATIVE, SAVES, 0)
#define UNARY_PARAMETER(name, Type, formula, VALUE, DERIVATIVE, SAVES) \
  CBNET_UNARY(Type, CBNET_FORMULA(VALUE), DERIVATIVE, SAVES, args.a)
#define UNARY_KERNEL(name, Type, formula, KERNEL, DERIVATIVE, SAVES) \
  CBNET_UNARY(Type, kernels::isa_table<T>().KERNEL, DERIVATIVE, SAVES, 0)
#define BINARY(name, Type, formula, VALUE, BY_X, BY_Z, X_READERS, Z_READERS)                          \
  Shape Type::infer(const Args&, std::span<const Shape> in) {                                         \
    return broadcast_shapes(in[0], in[1], kName);                                                     \
  }                                                                                                   \
  Tensor Type::forward(const Args&, Inputs in, Saved& saved) {                                        \
    saved.keep({in[0], in[1]}, {X_READERS, Z_READERS});                                               \
    return dispatch_floating(in[0].dtype(), kName, [&](auto zero) {                                   \
      using T = decltype(zero);                                                                       \
      return map<T>(in[0], in[1], [](T x, T z) -> T { return VALUE; });                               \
    });                                                                                               \
  }                                                                                                   \
  Gradients Type::backward(const Args&, const Saved& saved, const Tensor& dy) {                       \
    return dispatch_floating(dy.dtype(), kName, [&](auto zero) {                                      \
      using T = decltype(zero);                                                                       \
      const Tensor& in_x = saved.tensors[0];                                                          \
      const Tensor& in_z = saved.tensors[1];                                                          \
      Gradients gradients(2);                                                                         \
      if (saved.needs_grad[0]) {                                                                      \
        const Tensor by =                                                                             \
            map<T>(in_x, in_z, []([[maybe_unused]] T x, [[maybe_unused]] T z) -> T { return BY_X; }); \
        gradients[0] = sum_to(map<T>(by, dy, [](T d, T g) -> T { return d * g; }), in_x.shape());     \
      }                                                                                               \
      if (saved.needs_grad[1]) {                                                                      \
        const Tensor by =                                                                             \
            map<T>(in_x, in_z, []([[maybe_unused]] T x, [[maybe_unused]] T z) -> T { return BY_Z; }); \
        gradients[1] = sum_to(map<T>(by, dy, [](T d, T g) -> T { return d * g; }), in_z.shape());     \
      }                                                                                               \
      return gradients;                                                                               \
    });                                                                                               \
  }
#include "autograd/ops/pointwise.def"

}  // namespace cbnet::ops
