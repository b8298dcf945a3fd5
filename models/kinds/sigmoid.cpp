#include "models/kinds/sigmoid.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(sigmoid, Sigmoid)

namespace cbnet::kinds {

void Sigmoid::visit_fields(FieldVisitor&) {}

Shape Sigmoid::infer(Shapes in) const { return only(kName, in); }

Cost Sigmoid::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Sigmoid::build(const BuildContext&) const { return BuiltLayer(sigmoid); }

std::int32_t Sigmoid::lower(Lowering& to) const { return to.push(runtime::Kind::sigmoid); }

std::string Sigmoid::write_onnx(OnnxWriter& to) const { return to.node("Sigmoid"); }

void Sigmoid::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("Sigmoid", [](NodeReader& node) { node.add(Sigmoid{}); });
}

}  // namespace cbnet::kinds
