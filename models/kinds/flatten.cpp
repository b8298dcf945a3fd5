#include "models/kinds/flatten.h"

#include "autograd/ops/reshape.h"
#include "models/kinds/common.h"
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
  readers.on("Flatten", [](NodeReader& node) {
    const std::int64_t axis = node.integer("axis", 1);
    // The matrix of one row is the same for one image.
    const bool row = axis == 0 && node.batch() == 1;
    if (axis != 1 && axis != -static_cast<std::int64_t>(node.shape().size()) && !row)
      node.fail("attribute axis = 1, so that images stay apart", concat(axis));
    node.add(Flatten{});
  });
}

}  // namespace cbnet::kinds
