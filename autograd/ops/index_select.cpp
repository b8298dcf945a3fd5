// index_select: y[..., j, ...] = x[..., index[j], ...] along `axis`.
// Shapes : x (..., S, ...), index i64 (M) -> y (..., M, ...).     Dtypes: f32, f64.
// Saves  : x's shape, a copy of index.      Grad  : dx[..., i, ...] = sum over j with index[j] == i of
//          dy[..., j, ...], in order of j.
// Edge   : M == 0 gives an empty y and a zero dx; an index outside [0, S) throws, negative ones included.
// Kernels: baseline loops over contiguous rows, spread over the threads.
#include "autograd/ops/index_select.h"

#include "autograd/ops/sum.h"
#include "tensor/backend.h"

namespace cbnet::ops {
namespace {

IndexCall call_of(const AxisSplit& layout, const Tensor& index, const Tensor& source, Tensor& target) {
  return {.dtype = source.dtype(),
          .outer = layout.outer,
          .size = layout.size,
          .inner = layout.inner,
          .picks = index.numel(),
          .index = static_cast<const std::int64_t*>(index.address()),
          .source = source.address(),
          .target = target.address()};
}

}  // namespace

Shape IndexSelect::infer(const Args& args, std::span<const Shape> in) {
  const auto axis =
      static_cast<std::size_t>(normalize_axis(args.axis, static_cast<std::int64_t>(in[0].size()), kName));
  require(args.index.defined() && args.index.dtype() == DType::i64 && args.index.rank() == 1, kName,
          "index must be i64 with 1 axis; got ", args.index);
  const std::int64_t wrong = first_outside(args.index, 0.0, static_cast<double>(in[0][axis] - 1));
  require(
      wrong < 0, kName, "index must be in [0, ", in[0][axis], "); got ",
      [&] { return args.index.to(Device::cpu).at({wrong}); }, " for x ", in[0], ", axis ", axis);
  Shape y = in[0];
  y[axis] = args.index.numel();
  return y;
}

Tensor IndexSelect::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  // This is a copy: the caller may write to its index before the backward pass.
  const Tensor index = args.index.clone().to(x.device());
  // One element is stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, x).expand(x.shape()), index});
  const Shape shapes[] = {x.shape()};
  Tensor y = Tensor::empty(infer(args, shapes), x);
  const AxisSplit layout = split_at_axis(x.shape(), args.axis, kName);
  backend_of(x.device()).index_select(call_of(layout, index, x, y));
  return y;
}

Gradients IndexSelect::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  Tensor dx = Tensor::zeros(saved.tensors[0].shape(), dy.dtype(), dy.device());
  const AxisSplit layout = split_at_axis(dx.shape(), args.axis, kName);
  backend_of(dy.device()).index_add(call_of(layout, saved.tensors[1], dy, dx));
  return {dx};
}

}  // namespace cbnet::ops
