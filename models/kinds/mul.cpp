#include "models/kinds/mul.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/kinds/join.h"
#include "models/lowering.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(mul, Mul)

namespace cbnet::kinds {

void Mul::visit_fields(FieldVisitor& visit) { visit("shape", shape); }

Shape Mul::infer(Shapes in) const { return joined_shape(kName, in, shape); }

Cost Mul::cost(Shapes, const Shape&) const { return {0, shape.empty() ? 0 : numel(shape)}; }

BuiltLayer Mul::build(const BuildContext& context) const {
  return build_join(shape, 1.0, context.dtype, mul);
}

std::int32_t Mul::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::mul;
  if (!shape.empty()) node.weight = to.weight("value");
  return to.push(std::move(node));
}

std::string Mul::write_onnx(OnnxWriter& to) const {
  if (shape.empty()) return to.node("Mul");
  return to.node("Mul", {to.input(), to.weight("value")});
}

void Mul::read_onnx(OnnxReaders& readers) { readers.on_arrays("Mul", read_join<Mul>); }

}  // namespace cbnet::kinds
