// concat: the inputs one after another along `axis`.
// Shapes : x_i (..., S_i, ...) -> y (..., sum of S_i, ...).     Dtypes: f32, f64.
// Saves  : every S_i.      Grad  : dx_i = its part of dy.
// Edge   : an S_i may be 0; scalars have no axis to be joined along and throw.
// Kernels: a strided copy per input; dx_i is a view of dy.
#include "autograd/ops/concat.h"

namespace cbnet::ops {

Shape Concat::infer(const Args& args, std::span<const Shape> in) {
  require(!in.empty(), kName, "expected at least one input; got none");
  Shape y = in[0];
  const auto axis =
      static_cast<std::size_t>(normalize_axis(args.axis, static_cast<std::int64_t>(y.size()), kName));
  for (const Shape& x : in.subspan(1)) {
    Shape others = x;
    if (others.size() == y.size()) others[axis] = in[0][axis];
    require(others == in[0], kName, "sizes must agree on all axes but ", axis, "; got ", in[0], " and ", x);
    y[axis] += x[axis];
  }
  return y;
}

Tensor Concat::forward(const Args& args, Inputs in, Saved& saved) {
  std::vector<Shape> shapes;
  std::vector<std::int64_t> sizes;
  for (const Tensor& x : in) {
    shapes.push_back(x.shape());
    sizes.push_back(x.size(args.axis));
  }
  saved.keep({Tensor::from(sizes, {static_cast<std::int64_t>(sizes.size())}, Device::cpu)});
  Tensor y = Tensor::empty(infer(args, shapes), in[0]);
  std::int64_t begin = 0;
  for (const Tensor& x : in) {
    const std::int64_t end = begin + x.size(args.axis);
    y.slice(args.axis, begin, end).copy_from(x);
    begin = end;
  }
  return y;
}

Gradients Concat::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  Gradients gradients;
  std::int64_t begin = 0;
  for (const std::int64_t size : saved.tensors[0].to_vector<std::int64_t>()) {
    const bool needed = saved.needs_grad[gradients.size()];
    gradients.push_back(needed ? doutput.slice(args.axis, begin, begin + size) : Tensor());
    begin += size;
  }
  return gradients;
}

}  // namespace cbnet::ops
