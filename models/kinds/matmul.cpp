#include "models/kinds/matmul.h"

#include "autograd/ops/matmul.h"
#include "autograd/ops/reshape.h"
#include "models/kinds/common.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/linear.h"
#include "models/kinds/transpose.h"
#include "models/kinds/unflatten.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(matmul, Matmul)

namespace cbnet::kinds {

namespace {

/// A constant matrix from the right; several rows an image are the pixels of a 1x1 convolution.
void read(NodeReader& node) {
  if (!node.is_constant(1)) return node.add(Matmul{}, {node.position(0), node.position(1)});
  const Tensor& weight = node.constant(1);
  const Shape sample = node.shape();
  if (weight.rank() != 2 || sample.empty() || weight.size(0) != sample.back())
    node.fail("rows times a matrix", concat(to_string(sample), " times ", to_string(weight.shape())));
  const Tensor turned = weight.permute({1, 0}).clone();
  const std::int64_t in = turned.size(1), out = turned.size(0), rows = numel(sample) / in;
  if (sample.size() == 1) {
    node.add(Linear{.out = out, .bias = false});
    return node.weight("weight", turned);
  }
  if (sample.size() > 2) node.then(Unflatten{{rows, in}});
  node.then(Transpose{{1, 0}});
  node.then(Unflatten{{in, rows, 1}});
  node.then(Conv2d{.out = out, .bias = false});
  node.weight("weight", turned.view({out, in, 1, 1}));
  node.then(Unflatten{{out, rows}});
  node.then(Transpose{{1, 0}});
  Shape made = sample;
  made.back() = out;
  if (sample.size() > 2) node.then(Unflatten{made});
}

/// The sizes in front of those of the matrices.
Shape leading(const Shape& shape) { return {shape.begin(), shape.end() - 2}; }

/// Samples of matrices as a batch of matrices.
Variable as_batch(const Variable& x) {
  const Shape& shape = x.shape();
  const auto last = shape.size() - 1;
  return reshape(x, {numel(leading(shape)), shape[last - 1], shape[last]});
}

}  // namespace

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

void Matmul::read_onnx(OnnxReaders& readers) { readers.on("MatMul", read); }

}  // namespace cbnet::kinds
