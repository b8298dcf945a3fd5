#include "models/kinds/dropout.h"

#include "layers/dropout.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(dropout, Dropout)

namespace cbnet::kinds {

void Dropout::visit_fields(FieldVisitor& visit) { visit("p", p); }

Shape Dropout::infer(Shapes in) const { return only(kName, in); }

Cost Dropout::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Dropout::build(const BuildContext& context) const {
  return BuiltLayer(std::make_shared<cbnet::Dropout>(p, context.from.dropout));
}

std::int32_t Dropout::lower(Lowering& to) const { return to.input(); }

std::string Dropout::write_onnx(OnnxWriter& to) const { return to.node("Identity"); }

/// A network that is imported is in evaluation: Dropout is left out there, see models/onnx_reader.cpp.
void Dropout::read_onnx(OnnxReaders&) {}

}  // namespace cbnet::kinds
