// conv2d: y[n,o] = b[o] + sum_c w[o,c] (*) x[n,c], cross-correlation with stride, padding, dilation, groups.
// Shapes : x (N,C,H,W), w (O,C/groups,Kh,Kw), b (O) -> y (N,O,OH,OW).     Dtypes: f32, f64.
// Saves  : x, w.      Grad  : dx = full correlation of dy with w flipped; dw = correlation of x with dy;
//                             db = sum of dy over N, OH, OW.
// Edge   : N == 0 gives an empty y and zero dw, db; an image without pixels and a kernel larger than the
//          padded input throw, as do sizes and options of 2^31 or more.
// Kernels: an image in each lane for batches; of few images stride 1, dilation 1, groups 1 and padding <
//          kernel direct, im2col + gemm the rest (scalar, avx2, avx512, neon).
// Ref    : LeCun et al. 1998, section II.
#include "autograd/ops/conv2d.h"

#include <algorithm>
#include <limits>

#include "tensor/backend.h"

namespace cbnet::ops {
namespace {

Conv2dSizes sizes_of(const Conv2dOptions& o, const Shape& x, const Shape& w) {
  const Window2d window = {
      {w[2], w[3]}, {o.stride_h, o.stride_w}, Pair(o.padding_h, o.padding_w), {o.dilation_h, o.dilation_w}};
  const Shape y = window_shape(Conv2d::kName, {x[1], x[2], x[3]}, w[0], window);
  return {x[0], x[1], x[2], x[3], w[0], w[2], w[3], y[1], y[2], o};
}

}  // namespace

Shape Conv2d::infer(const Args& args, std::span<const Shape> in) {
  const Conv2dOptions& o = args.options;
  const Shape& x = in[0];
  const Shape& w = in[1];
  const auto got = [&] { return concat("input ", to_string(x), ", weight ", to_string(w)); };
  require(x.size() == 4 && w.size() == 4, kName, "input and weight must have 4 axes; got ", got);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();  // products of two stay in int64
  require(o.groups >= 1 && std::max({o.groups, x[0], w[0], w[1]}) <= kMost, kName, "groups must be 1 to ",
          kMost, ", as sizes; got ", o.groups, " groups, ", got);
  require(x[1] == w[1] * o.groups, kName, "input channels must equal weight channels times groups (",
          o.groups, "); got ", got);
  require(w[0] % o.groups == 0, kName, "output channels must divide into ", o.groups, " groups; got ", got);
  require(numel(w) > 0, kName, "weight must not be empty; got ", got);
  require(!args.has_bias || in[2] == Shape{w[0]}, kName, "bias must be (", w[0], "); got ",
          [&] { return args.has_bias ? in[2] : Shape{}; });
  const Conv2dSizes s = sizes_of(o, x, w);
  return {s.n, s.o, s.oh, s.ow};
}

Tensor Conv2d::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor w = in[1].contiguous();
  const Tensor bias = args.has_bias ? in[2].contiguous() : Tensor();
  saved.keep({x, w}, {2, 1});  // each is a factor of the other's gradient
  const Conv2dSizes s = sizes_of(args.options, x.shape(), w.shape());
  Tensor y = Tensor::empty({s.n, s.o, s.oh, s.ow}, x);
  backend_of(x.device())
      .conv2d({.dtype = x.dtype(),
               .sizes = s,
               .x = x.address(),
               .weight = w.address(),
               .bias = args.has_bias ? bias.address() : nullptr,
               .y = y.address()});
  return y;
}

Gradients Conv2d::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor& x = saved.tensors[0];
  const Tensor& w = saved.tensors[1];
  const Tensor dy = doutput.contiguous();
  Gradients gradients(args.has_bias ? 3 : 2);
  const Shape shapes[] = {x.shape(), w.shape(), {w.size(0)}};
  const auto gradient = [&](std::size_t input) -> void* {
    if (input >= gradients.size() || !saved.needs_grad[input]) return nullptr;
    gradients[input] = Tensor::empty(shapes[input], x);
    return gradients[input].address();
  };
  Conv2dBackwardCall call{.dtype = x.dtype(),
                          .sizes = sizes_of(args.options, x.shape(), w.shape()),
                          .x = x.address(),
                          .weight = w.address(),
                          .dy = dy.address()};
  call.dx = gradient(0);
  call.dweight = gradient(1);
  call.dbias = gradient(2);
  backend_of(x.device()).conv2d_backward(call);
  return gradients;
}

}  // namespace cbnet::ops
