#include "models/kinds/softmax.h"

#include "autograd/ops/softmax.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(softmax, Softmax)

namespace cbnet::kinds {

void Softmax::visit_fields(FieldVisitor&) {}

Shape Softmax::infer(Shapes in) const {
  require(!only(kName, in).empty(), kName, "needs an axis; got ", in[0]);
  return in[0];
}

Cost Softmax::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Softmax::build(const BuildContext&) const {
  return BuiltLayer([](std::span<const Variable> x) { return softmax(x[0], -1); });
}

std::int32_t Softmax::lower(Lowering& to) const { return to.push(runtime::Kind::softmax); }

std::string Softmax::write_onnx(OnnxWriter& to) const {
  return to.node("Softmax", to.inputs, {{"axis", std::int64_t{-1}}});
}

void Softmax::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("Softmax", [](NodeReader& node) { read_softmax(node, Softmax{}); });
}

}  // namespace cbnet::kinds
