#include "models/kinds/leaky_relu.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(leaky_relu, LeakyRelu)

namespace cbnet::kinds {

void LeakyRelu::visit_fields(FieldVisitor& visit) { visit("slope", slope); }

Shape LeakyRelu::infer(Shapes in) const { return only(kName, in); }

Cost LeakyRelu::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer LeakyRelu::build(const BuildContext&) const {
  return BuiltLayer([a = slope](std::span<const Variable> x) { return leaky_relu(x[0], a); });
}

std::int32_t LeakyRelu::lower(Lowering& to) const { return to.push(runtime::Kind::leaky_relu, slope); }

std::string LeakyRelu::write_onnx(OnnxWriter& to) const {
  return to.node("LeakyRelu", to.inputs, {{"alpha", static_cast<float>(slope)}});
}

void LeakyRelu::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("LeakyRelu",
                    [](NodeReader& node) { node.add(LeakyRelu{.slope = node.number("alpha", 0.01)}); });
}

}  // namespace cbnet::kinds
