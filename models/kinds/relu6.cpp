#include "models/kinds/relu6.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/kinds/pointwise.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(relu6, Relu6)

namespace cbnet::kinds {

void Relu6::visit_fields(FieldVisitor&) {}

Shape Relu6::infer(Shapes in) const { return only(kName, in); }

Cost Relu6::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Relu6::build(const BuildContext&) const {
  return BuiltLayer([](std::span<const Variable> x) { return clamp_max(relu(x[0]), 6.0); });
}

std::int32_t Relu6::lower(Lowering& to) const {
  return to.push(cbnet::Pointwise::clamp_max, to.push(runtime::Kind::relu), 6.0);
}

std::string Relu6::write_onnx(OnnxWriter& to) const {
  const std::string low = to.constant("min", Tensor::zeros({}));
  return to.node("Clip", {to.input(), low, to.constant("max", Tensor::full({}, 6.0))});
}

void Relu6::read_onnx(OnnxReaders& readers) {
  readers.on_special_case("Clip", [](NodeReader& node) {
    if (clip_bounds(node) != std::pair(0.0, 6.0)) return false;
    node.add(Relu6{});
    return true;
  });
}

}  // namespace cbnet::kinds
