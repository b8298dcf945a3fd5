#include "models/kinds/residual.h"

#include "layers/residual.h"
#include "models/kinds/common.h"
#include "models/layer_list.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "models/spec.h"

CBNET_LAYER_KIND(residual, Residual)

namespace cbnet::kinds {

void Residual::visit_fields(FieldVisitor& visit) {
  visit("body", body);
  visit("shortcut", shortcut);
}

Shape Residual::infer(Shapes in) const {
  const Shape& x = only(kName, in);
  const Shape long_way = shapes_along(body, x, "body.").back(),
              short_way = shapes_along(shortcut, x, "shortcut.").back();
  require(long_way == short_way, kName, "body and shortcut must give one shape; got ", long_way, " and ",
          short_way);
  return long_way;
}

Cost Residual::cost(Shapes in, const Shape&) const {
  return sum(list_cost(body, in[0]), list_cost(shortcut, in[0]));
}

BuiltLayer Residual::build(const BuildContext& context) const {
  const auto list = [&](const LayerSpecs& layers) {
    return std::make_shared<LayerList>(layers, context.in[0], context.from, context.init, context.dtype);
  };
  const auto long_way = list(body);
  return BuiltLayer(std::make_shared<cbnet::Residual>(long_way, list(shortcut)));
}

std::int32_t Residual::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::add;
  node.inputs = {to.append(body, to.input(), to.in(), to.name + ".body.")};
  node.inputs.push_back(to.append(shortcut, to.input(), to.in(), to.name + ".shortcut."));
  return to.push(std::move(node));
}

std::string Residual::write_onnx(OnnxWriter& to) const {
  const std::string long_way = to.layers(body, "body");
  return to.node("Add", {long_way, to.layers(shortcut, "shortcut")});
}

/// ONNX has no blocks: their layers come back one by one.
void Residual::read_onnx(OnnxReaders&) {}

}  // namespace cbnet::kinds
