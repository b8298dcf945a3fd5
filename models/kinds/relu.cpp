#include "models/kinds/relu.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(relu, Relu)

namespace cbnet::kinds {

void Relu::visit_fields(FieldVisitor&) {}

Shape Relu::infer(Shapes in) const { return only(kName, in); }

Cost Relu::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Relu::build(const BuildContext&) const { return BuiltLayer(relu); }

std::int32_t Relu::lower(Lowering& to) const { return to.push(runtime::Kind::relu); }

std::string Relu::write_onnx(OnnxWriter& to) const { return to.node("Relu"); }

void Relu::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("Relu", [](NodeReader& node) { node.add(Relu{}); });
}

}  // namespace cbnet::kinds
