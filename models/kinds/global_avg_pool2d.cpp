#include "models/kinds/global_avg_pool2d.h"

#include "autograd/ops/avg_pool2d.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(global_avg_pool2d, GlobalAvgPool2d)

namespace cbnet::kinds {

void GlobalAvgPool2d::visit_fields(FieldVisitor&) {}

Shape GlobalAvgPool2d::infer(Shapes in) const {
  const Shape& planes = only(kName, in);
  require(planes.size() == 3, kName, "needs planes (C,H,W); got ", planes);
  return {planes[0], 1, 1};
}

Cost GlobalAvgPool2d::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer GlobalAvgPool2d::build(const BuildContext&) const { return BuiltLayer(global_avg_pool2d); }

std::int32_t GlobalAvgPool2d::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::avg_pool2d;
  node.window.kernel_size = {to.in()[1], to.in()[2]};
  return to.push(std::move(node));
}

std::string GlobalAvgPool2d::write_onnx(OnnxWriter& to) const { return to.node("GlobalAveragePool"); }

void GlobalAvgPool2d::read_onnx(OnnxReaders& readers) {
  on_planes(readers, "GlobalAveragePool", [](NodeReader& node) { node.add(GlobalAvgPool2d{}); });
}

}  // namespace cbnet::kinds
