#include "models/kinds/avg_pool2d.h"

#include <algorithm>

#include "autograd/ops/avg_pool2d.h"
#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/kinds/pad.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(avg_pool2d, AvgPool2d)

namespace cbnet::kinds {
namespace {

void read(NodeReader& node) {
  Window2d window = read_window(node, 0, node.opset() >= 19);
  if (window.dilation != Pair(1)) node.fail("attribute dilations of 1", "others");
  node.require_one_output();
  bool counted = node.integer("count_include_pad", 0) != 0;
  window.ceil_mode = node.integer("ceil_mode", 0) != 0;
  // Zeros that a node put there are numbers like others.
  if (!window.ceil_mode && window.padding.is_none()) {
    window.padding = node.take_padding([&](const Padding2d& zeros) {
      return std::max(zeros.top, zeros.bottom) < window.kernel_size.h &&
             std::max(zeros.left, zeros.right) < window.kernel_size.w;
    });
    counted = counted || !window.padding.is_none();
  }
  node.add(AvgPool2d{.kernel_size = window.kernel_size,
                     .stride = window.stride,
                     .padding = window.padding,
                     .ceil_mode = window.ceil_mode,
                     .count_include_pad = counted});
}

}  // namespace

void AvgPool2d::visit_fields(FieldVisitor& visit) {
  visit("kernel_size", kernel_size);
  visit("stride", stride);
  visit("padding", padding);
  visit("ceil_mode", ceil_mode);
  visit("count_include_pad", count_include_pad);
}

Shape AvgPool2d::infer(Shapes in) const { return pool_shape(kName, only(kName, in), window()); }

Cost AvgPool2d::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer AvgPool2d::build(const BuildContext&) const {
  return BuiltLayer([*this, options = pool_options(window())](std::span<const Variable> x) {
    if (padding.is_symmetric()) return avg_pool2d(x[0], options, count_include_pad);
    // What is padded as zeros counts; otherwise the zeros' part of each window's mean is taken out again.
    const Variable mean = avg_pool2d(pad_planes(x[0], padding, 0.0), options, true);
    if (count_include_pad) return mean;
    const Variable ones(
        Tensor::ones({1, 1, x[0].size(2), x[0].size(3)}, x[0].dtype(), x[0].value().device()));
    return div(mean, avg_pool2d(pad_planes(ones, padding, 0.0), options, true));
  });
}

std::int32_t AvgPool2d::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::avg_pool2d;
  node.window = window();
  if (count_include_pad && !padding.is_symmetric()) {
    // The zeros are then there as numbers.
    node.inputs = {Pad{{0, padding.top, padding.left}, {0, padding.bottom, padding.right}}.push(to)};
    node.window.padding = 0;
  }
  node.count_include_pad = count_include_pad;
  return to.push(std::move(node));
}

std::string AvgPool2d::write_onnx(OnnxWriter& to) const {
  // Runtimes disagree about windows that hang over the padding: excluded there, they are the same to all.
  if (ceil_mode && !padding.is_none() && count_include_pad)
    to.refuse("average pooling with ceil_mode and counted padding has no agreed meaning");
  OnnxNode::Attributes attributes = write_window(window(), false);
  attributes.emplace_back("ceil_mode", std::int64_t{ceil_mode});
  attributes.emplace_back("count_include_pad", std::int64_t{count_include_pad && !padding.is_none()});
  return to.node("AveragePool", to.inputs, std::move(attributes));
}

void AvgPool2d::read_onnx(OnnxReaders& readers) { on_planes(readers, "AveragePool", read); }

}  // namespace cbnet::kinds
