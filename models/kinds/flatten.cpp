#include "models/kinds/flatten.h"

#include "autograd/ops/reshape.h"
#include "models/kinds/common.h"
#include "models/kinds/unflatten.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(flatten, Flatten)

namespace cbnet::kinds {

void Flatten::visit_fields(FieldVisitor&) {}

Shape Flatten::infer(Shapes in) const { return {numel(only(kName, in))}; }

Cost Flatten::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Flatten::build(const BuildContext&) const {
  return BuiltLayer([](std::span<const Variable> x) { return flatten(x[0]); });
}

std::int32_t Flatten::lower(Lowering& to) const { return to.push(runtime::Kind::reshape); }

std::string Flatten::write_onnx(OnnxWriter& to) const {
  return to.node("Flatten", to.inputs, {{"axis", std::int64_t{1}}});
}

void Flatten::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("Flatten", [](NodeReader& node) {
    const std::int64_t axis = node.integer("axis", 1);
    const Shape& shape = node.shape();
    const std::int64_t rank = static_cast<std::int64_t>(shape.size()) + node.batch_axes();
    const std::int64_t at = axis < 0 ? axis + rank : axis;
    if (node.batch_axes() == 1) {
      if (at != 1) node.fail("attribute axis = 1, so that images stay apart", concat(axis));
      return node.add(Flatten{});
    }
    if (at < 0 || at > rank) node.fail(concat("an axis of ", rank), concat(axis));
    const std::int64_t rows = numel({shape.begin(), shape.begin() + at});
    node.add(Unflatten{{rows, numel(shape) / rows}});
  });
}

}  // namespace cbnet::kinds
