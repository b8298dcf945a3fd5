#include "models/kinds/transpose.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops/transpose.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(transpose, Transpose)

namespace cbnet::kinds {

namespace {

void read(NodeReader& node) {
  const std::int64_t front = node.batch_axes();
  std::vector<std::int64_t> reversed(node.shape().size() + static_cast<std::size_t>(front));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const std::vector<std::int64_t> permutation = node.integers("perm", reversed);
  if (permutation.empty() || (front == 1 && permutation[0] != 0))
    node.fail("attribute perm with the batch axis in its place", to_string(permutation));
  std::vector<std::int64_t> axes(permutation.begin() + front, permutation.end());
  for (std::int64_t& axis : axes) {
    if (axis < front) node.fail("every axis once", to_string(permutation));
    axis -= front;
  }
  node.add(Transpose{.axes = std::move(axes)});
}

/// The same with the batch axis first.
std::vector<std::int64_t> with_batch(const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> out = {0};
  for (const std::int64_t axis : axes) out.push_back(axis + 1);
  return out;
}

}  // namespace

void Transpose::visit_fields(FieldVisitor& visit) { visit("axes", axes); }

Shape Transpose::infer(Shapes in) const {
  const Shape& x = only(kName, in);
  std::vector<std::int64_t> sorted = axes, every(x.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(every.begin(), every.end(), 0);
  require(sorted == every, kName, "needs every axis of ", x, " once; got ", axes);
  Shape made;
  for (const std::int64_t axis : axes) made.push_back(x[static_cast<std::size_t>(axis)]);
  return made;
}

Cost Transpose::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Transpose::build(const BuildContext&) const {
  return BuiltLayer(
      [order = with_batch(axes)](std::span<const Variable> x) { return transpose(x[0], order); });
}

std::int32_t Transpose::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::transpose;
  node.axes = axes;
  return to.push(std::move(node));
}

std::string Transpose::write_onnx(OnnxWriter& to) const {
  return to.node("Transpose", to.inputs, {{"perm", with_batch(axes)}});
}

void Transpose::read_onnx(OnnxReaders& readers) { readers.on_arrays("Transpose", read); }

}  // namespace cbnet::kinds
