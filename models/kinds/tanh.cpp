#include "models/kinds/tanh.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(tanh, Tanh)

namespace cbnet::kinds {

void Tanh::visit_fields(FieldVisitor&) {}

Shape Tanh::infer(Shapes in) const { return only(kName, in); }

Cost Tanh::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Tanh::build(const BuildContext&) const { return BuiltLayer(cbnet::tanh); }

std::int32_t Tanh::lower(Lowering& to) const { return to.push(runtime::Kind::tanh); }

std::string Tanh::write_onnx(OnnxWriter& to) const { return to.node("Tanh"); }

void Tanh::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("Tanh", [](NodeReader& node) { node.add(Tanh{}); });
}

}  // namespace cbnet::kinds
