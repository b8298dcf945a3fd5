#include "models/kinds/max_pool2d.h"

#include <limits>

#include "autograd/ops/max_pool2d.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(max_pool2d, MaxPool2d)

namespace cbnet::kinds {
namespace {

void read(NodeReader& node) {
  const Window2d window = read_window(node, 0, true);
  node.ignore("storage_order");  // of the indices
  node.require_one_output();
  node.add(MaxPool2d{.kernel_size = window.kernel_size,
                     .stride = window.stride,
                     .padding = window.padding,
                     .dilation = window.dilation,
                     .ceil_mode = node.integer("ceil_mode", 0) != 0});
}

}  // namespace

void MaxPool2d::visit_fields(FieldVisitor& visit) {
  visit("kernel_size", kernel_size);
  visit("stride", stride);
  visit("padding", padding);
  visit("dilation", dilation);
  visit("ceil_mode", ceil_mode);
}

Shape MaxPool2d::infer(Shapes in) const { return pool_shape(kName, only(kName, in), window()); }

Cost MaxPool2d::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer MaxPool2d::build(const BuildContext&) const {
  return BuiltLayer([*this, options = pool_options(window())](std::span<const Variable> x) {
    if (padding.is_symmetric()) return max_pool2d(x[0], options);
    return max_pool2d(pad_planes(x[0], padding, -std::numeric_limits<double>::infinity()), options);
  });
}

std::int32_t MaxPool2d::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::max_pool2d;
  node.window = window();
  return to.push(std::move(node));
}

std::string MaxPool2d::write_onnx(OnnxWriter& to) const {
  OnnxNode::Attributes attributes = write_window(window(), true);
  attributes.emplace_back("ceil_mode", std::int64_t{ceil_mode});
  return to.node("MaxPool", to.inputs, std::move(attributes));
}

void MaxPool2d::read_onnx(OnnxReaders& readers) { on_planes(readers, "MaxPool", read); }

}  // namespace cbnet::kinds
