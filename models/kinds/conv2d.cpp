#include "models/kinds/conv2d.h"

#include <algorithm>

#include "layers/conv2d.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(conv2d, Conv2d)

namespace cbnet::kinds {
namespace {

void read(NodeReader& node) {
  const Tensor weight = read_kernel(node);
  const Pair kernel(weight.size(2), weight.size(3));
  Window2d window = read_window(node, kernel, true);
  if (window.kernel_size != kernel)
    node.fail(concat("kernel_shape ", kernel.h, "x", kernel.w, ", as its weight"),
              concat(window.kernel_size.h, "x", window.kernel_size.w));
  const bool bias = node.has_input(2);
  window.padding += node.take_padding([&](const Padding2d&) {
    const auto [top, left, bottom, right] = window.padding;
    return std::max({top, left, bottom, right}) <= kMaxSize;
  });
  node.add(Conv2d{.out = weight.size(0),
                  .kernel_size = kernel,
                  .stride = window.stride,
                  .padding = window.padding,
                  .dilation = window.dilation,
                  .groups = node.integer("group", 1),
                  .bias = bias});
  node.weight("weight", weight);
  if (bias) node.weight("bias", node.constant(2));
}

}  // namespace

void Conv2d::visit_fields(FieldVisitor& visit) {
  visit("out", out);
  visit("kernel_size", kernel_size);
  visit("stride", stride);
  visit("padding", padding);
  visit("dilation", dilation);
  visit("groups", groups);
  visit("bias", bias);
}

Shape Conv2d::infer(Shapes in) const {
  const Shape& planes = only(kName, in);
  check_sizes(kName, {out, groups});
  Shape made = window_shape(kName, planes, out, window());
  require(out >= 1 && groups >= 1 && planes[0] % groups == 0 && out % groups == 0, kName, "channels (",
          planes[0], " in, ", out, " out) must divide into ", groups, " groups");
  return made;
}

Cost Conv2d::cost(Shapes in, const Shape& made) const {
  const std::int64_t taps = numel({in[0][0] / groups, kernel_size.h, kernel_size.w});
  return {numel({numel(made), taps}), numel({out, taps + (bias ? 1 : 0)})};
}

BuiltLayer Conv2d::build(const BuildContext& context) const {
  const bool symmetric = padding.is_symmetric();
  const Conv2dOptions options = {
      stride.h,   stride.w, symmetric ? padding.top : 0, symmetric ? padding.left : 0, dilation.h,
      dilation.w, groups};
  auto layer = std::make_shared<cbnet::Conv2d>(context.in[0].at(0), out, kernel_size, context.from.weights,
                                               options, bias, context.init, context.dtype);
  BuiltLayer built(layer);
  if (!symmetric) {
    built.run = [layer, around = padding](std::span<const Variable> x) {
      return layer->forward(pad_planes(x[0], around, 0.0));
    };
  }
  return built;
}

std::int32_t Conv2d::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::conv2d;
  node.window = window();
  node.groups = groups;
  node.weight = to.weight("weight");
  node.bias = to.weight("bias");
  return to.push(std::move(node));
}

std::string Conv2d::write_onnx(OnnxWriter& to) const {
  OnnxWriter::Names reads = {to.input(), to.weight("weight")};
  if (bias) reads.push_back(to.weight("bias"));
  OnnxNode::Attributes attributes = write_window(window(), true);
  attributes.emplace_back("group", groups);
  return to.node("Conv", reads, std::move(attributes));
}

void Conv2d::read_onnx(OnnxReaders& readers) { on_planes(readers, "Conv", read); }

}  // namespace cbnet::kinds
