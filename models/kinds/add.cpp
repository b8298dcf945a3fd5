#include "models/kinds/add.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/kinds/join.h"
#include "models/lowering.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(add, Add)

namespace cbnet::kinds {

void Add::visit_fields(FieldVisitor& visit) { visit("shape", shape); }

Shape Add::infer(Shapes in) const { return joined_shape(kName, in, shape); }

Cost Add::cost(Shapes, const Shape&) const { return {0, shape.empty() ? 0 : numel(shape)}; }

BuiltLayer Add::build(const BuildContext& context) const {
  return build_join(shape, 0.0, context.dtype, add);
}

std::int32_t Add::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::add;
  if (!shape.empty()) node.weight = to.weight("value");
  return to.push(std::move(node));
}

std::string Add::write_onnx(OnnxWriter& to) const {
  if (shape.empty()) return to.node("Add");
  return to.node("Add", {to.input(), to.weight("value")});
}

void Add::read_onnx(OnnxReaders& readers) { readers.on_arrays("Add", read_join<Add>); }

}  // namespace cbnet::kinds
