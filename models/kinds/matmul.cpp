#include "models/kinds/matmul.h"

#include <numeric>

#include "autograd/ops/matmul.h"
#include "autograd/ops/reshape.h"
#include "models/kinds/common.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/join.h"
#include "models/kinds/linear.h"
#include "models/kinds/transpose.h"
#include "models/kinds/unflatten.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(matmul, Matmul)

namespace cbnet::kinds {

namespace {

/// Returns the sizes in front of those of the matrices.
Shape leading(const Shape& shape) { return {shape.begin(), shape.end() - 2}; }

/// Multiplies a constant A (M,K) by B (…,K,N): this is the transposed of B's transposed times A's.
void read_left_product(NodeReader& node, const Tensor& matrix) {
  const Shape sample = node.shape(1);
  if (sample.size() < 2) node.fail("a constant times matrices", to_string(sample));
  Transpose swap{sample};
  std::iota(swap.axes.begin(), swap.axes.end(), 0);
  std::swap(swap.axes.back(), swap.axes[swap.axes.size() - 2]);
  node.add(swap, {node.position(1)});
  add_rows_product(node, node.last(), matrix);
  node.add(swap, {node.last()});
}

/// A constant matrix may stand on either side; stacks of constant matrices are made layers.
void read(NodeReader& node) {
  const bool left = node.is_constant(0);
  if (!left && !node.is_constant(1)) return node.add(Matmul{}, {node.position(0), node.position(1)});
  const std::size_t other = left ? 1 : 0;
  Tensor constant = constant_of_sample(node, 1 - other, other);
  const bool is_no_longer = constant.shape().size() <= node.shape(other).size();
  if (constant.rank() > 2 && is_no_longer && numel(leading(constant.shape())) == 1)
    constant = constant.reshape({constant.size(-2), constant.size(-1)});
  if (constant.rank() == 2 && left) return read_left_product(node, constant);
  if (constant.rank() == 2) {
    add_rows_product(node, node.position(0), constant.permute({1, 0}));
    return;
  }
  const std::int64_t computed = node.position(other), made = add_constant(node, computed, constant);
  node.add(Matmul{}, {left ? made : computed, left ? computed : made});
}

/// Samples of matrices as a batch of matrices.
Variable as_batch(const Variable& x) {
  const Shape& shape = x.shape();
  const auto last = shape.size() - 1;
  return reshape(x, {numel(leading(shape)), shape[last - 1], shape[last]});
}

}  // namespace

void add_product_along(NodeReader& node, std::int64_t from, std::int64_t axis, const Tensor& weight) {
  const Shape sample = node.shape_at(from);
  const std::int64_t in = weight.size(1), out = weight.size(0);
  Transpose first{{axis}};
  Shape made = {out};
  std::vector<std::int64_t> back(sample.size(), 0);
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (static_cast<std::int64_t>(i) == axis) continue;
    back[i] = static_cast<std::int64_t>(made.size());
    first.axes.push_back(static_cast<std::int64_t>(i));
    made.push_back(sample[i]);
  }
  if (axis != 0) {
    node.add(first, {from});
    from = node.last();
  }
  node.add(Unflatten{{in, numel(sample) / in, 1}}, {from});
  node.add(Conv2d{.out = out, .bias = false}, {node.last()});
  node.weight("weight", weight.contiguous().view({out, in, 1, 1}));
  node.add(reshape_to(made), {node.last()});
  if (axis != 0) node.add(Transpose{back}, {node.last()});
}

void add_rows_product(NodeReader& node, std::int64_t from, const Tensor& weight) {
  const Shape sample = node.shape_at(from);
  if (weight.rank() != 2 || sample.empty() || weight.size(1) != sample.back())
    node.fail("rows times a matrix",
              concat(to_string(sample), " times ", to_string(weight.permute({1, 0}).shape())));
  if (numel(sample) != weight.size(1))
    return add_product_along(node, from, static_cast<std::int64_t>(sample.size()) - 1, weight);
  if (sample.size() > 1) {
    node.add(Flatten{}, {from});
    from = node.last();
  }
  node.add(Linear{.out = weight.size(0), .bias = false}, {from});
  node.weight("weight", weight.clone());
  Shape made = sample;
  made.back() = weight.size(0);
  if (sample.size() > 1) node.add(Unflatten{made}, {node.last()});
}

void Matmul::visit_fields(FieldVisitor&) {}

Shape Matmul::infer(Shapes in) const {
  check_inputs(kName, in, 2);
  const Shape &a = in[0], &b = in[1];
  require(a.size() >= 2 && b.size() == a.size() && a.back() == b[b.size() - 2] && leading(a) == leading(b),
          kName, "needs (…,M,K) and (…,K,N); got ", a, " and ", b);
  Shape made = a;
  made.back() = b.back();
  return made;
}

Cost Matmul::cost(Shapes in, const Shape& made) const { return {numel({numel(made), in[0].back()}), 0}; }

BuiltLayer Matmul::build(const BuildContext&) const {
  return BuiltLayer([](std::span<const Variable> x) {
    Shape made = x[0].shape();
    made.back() = x[1].shape().back();
    return reshape(matmul(as_batch(x[0]), as_batch(x[1])), made);
  });
}

std::int32_t Matmul::lower(Lowering& to) const { return to.push(runtime::Kind::matmul); }

std::string Matmul::write_onnx(OnnxWriter& to) const { return to.node("MatMul"); }

void Matmul::read_onnx(OnnxReaders& readers) { readers.on_arrays("MatMul", read); }

}  // namespace cbnet::kinds
