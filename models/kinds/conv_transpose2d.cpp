#include "models/kinds/conv_transpose2d.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops/conv2d.h"
#include "autograd/ops/reshape.h"
#include "autograd/ops/transpose.h"
#include "autograd/tape.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(conv_transpose2d, ConvTranspose2d)

// y = conv2d(spread(x), turned(weight)): spread puts stride - 1 zeros behind every pixel, and the turned
// weight has its channels exchanged and its rows and columns reversed. For one row, a kernel a b c and stride
// 2:
//
//   x    p     q            spread   p 0 q 0           padding 2 before, 1 behind:   0 0 p 0 q 0 0
//   y    pa pb pc+qa qb qc  turned   c b a             windows of three:             pa pb pc+qa qb qc

namespace cbnet::kinds {
namespace {

/// Axis `axis` without so many elements at its ends.
Variable cropped(const Variable& x, std::int64_t axis, std::int64_t before, std::int64_t after) {
  if (before == 0 && after == 0) return x;
  std::vector<std::int64_t> order(static_cast<std::size_t>(x.size(axis) - before - after));
  std::iota(order.begin(), order.end(), before);
  return select(x, axis, order);
}

/// Axis `axis` backwards.
Variable reversed(const Variable& x, std::int64_t axis) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(x.size(axis)));
  std::iota(order.rbegin(), order.rend(), 0);
  return select(x, axis, order);
}

/// (C, out / groups, Kh, Kw) -> (out, C / groups, Kh, Kw), rows and columns reversed.
Variable turned(const Variable& weight, std::int64_t groups) {
  const Shape& s = weight.shape();
  const Variable by_group = reshape(weight, {groups, s[0] / groups, s[1], s[2], s[3]});
  const Variable exchanged = transpose(by_group, {0, 2, 1, 3, 4});
  return reversed(reversed(reshape(exchanged, {groups * s[1], s[0] / groups, s[2], s[3]}), 2), 3);
}

/// x (N,C,H,W) with `count` - 1 zeros behind every element along axis 2 or 3.
Variable spread(const Variable& x, std::int64_t axis, std::int64_t count) {
  if (count == 1) return x;
  Shape apart = x.shape(), whole = x.shape();
  apart.insert(apart.begin() + axis + 1, 1);
  whole[static_cast<std::size_t>(axis)] *= count;
  return reshape(pad_axis(reshape(x, apart), axis + 1, 0, count - 1, 0.0), whole);
}

class Module2d : public Module {
 public:
  Module2d(const ConvTranspose2d& layer, const BuildContext& context) : layer_(layer) {
    const Shape shape = {context.in[0].at(0), layer.out / layer.groups, layer.kernel_size.h,
                         layer.kernel_size.w};
    weight_ = Variable(init_weight(context.init, shape, context.from.weights, context.dtype), true);
    if (layer.bias) bias_ = Variable(Tensor::zeros({layer.out}, context.dtype), true);
    register_parameter("weight", &Module2d::weight_);
    register_parameter("bias", &Module2d::bias_);
  }

  Variable forward(const Variable& x) override {
    const auto [padding, crop] = layer_.inner_padding();
    Variable pixels = spread(spread(x, 2, layer_.stride.h), 3, layer_.stride.w);
    pixels = cropped(cropped(pixels, 2, crop.top, crop.bottom), 3, crop.left, crop.right);
    Conv2dOptions options;
    options.dilation_h = layer_.dilation.h;
    options.dilation_w = layer_.dilation.w;
    options.groups = layer_.groups;
    return conv2d(pad_planes(pixels, padding, 0.0), turned(weight_, layer_.groups), bias_, options);
  }

 private:
  ConvTranspose2d layer_;
  Variable weight_, bias_;
};

/// A node that is a reshape, or a slice from `starts` on.
std::int32_t push(Lowering& to, std::int32_t from, const Shape& made, std::vector<std::int64_t> starts = {}) {
  runtime::Node node;
  node.kind = starts.empty() ? runtime::Kind::reshape : runtime::Kind::slice;
  node.inputs = {from};
  node.shape = made;
  node.steps.assign(starts.size(), 1);
  node.starts = std::move(starts);
  return to.push(std::move(node));
}

/// The same for a value of a graph.
std::int32_t spread(Lowering& to, std::int32_t from, Shape& shape, std::size_t axis, std::int64_t count) {
  if (count == 1) return from;
  Shape apart = shape;
  apart.insert(apart.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
  from = push(to, from, apart);
  apart[axis + 1] = count;
  from = push(to, from, apart, Shape(apart.size(), 0));
  shape[axis] *= count;
  return push(to, from, shape);
}

/// The padding, and the output padding, with which the output has `size` elements along an axis: what is to
/// be taken away is halved, and the odd one taken at the end or, unless `upper`, at the start.
struct SizedPadding {
  SizedPadding(std::int64_t whole, std::int64_t size, bool upper) {
    const std::int64_t total = std::max<std::int64_t>(whole - size, 0);
    before = upper ? total / 2 : total - total / 2;
    after = total - before;
    more = std::max<std::int64_t>(size - whole, 0);
  }
  std::int64_t before, after, more;
};

/// auto_pad and output_shape, which take the place of pads.
void read_size(NodeReader& node, ConvTranspose2d& layer) {
  const std::string automatic = node.text("auto_pad", "NOTSET");
  Pair size = read_pair(node, "output_shape", 0);
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (!same && automatic != "NOTSET" && automatic != "VALID")
    node.fail("attribute auto_pad = NOTSET, VALID, SAME_UPPER or SAME_LOWER", automatic);
  if (!same && size == 0) return;
  const Shape& planes = node.shape();
  if (size == 0) size = {planes[1] * layer.stride.h, planes[2] * layer.stride.w};
  const bool upper = automatic == "SAME_UPPER";
  layer.padding = 0;
  const Shape whole = layer.infer(std::vector<Shape>{planes});
  const SizedPadding rows(whole[1], size.h, upper), columns(whole[2], size.w, upper);
  layer.padding = {rows.before, columns.before, rows.after, columns.after};
  layer.output_padding.h += rows.more;
  layer.output_padding.w += columns.more;
}

void read(NodeReader& node) {
  const Tensor weight = read_kernel(node);
  const Pair kernel(weight.size(2), weight.size(3));
  Pair more = read_pair(node, "output_padding", 0);
  if (node.sees_line()) more.h = 0;
  const Window2d window = read_explicit_window(node, kernel, true);
  const std::int64_t groups = node.integer("group", 1);
  const bool bias = node.has_input(2);
  ConvTranspose2d layer{.out = weight.size(1) * groups,
                        .kernel_size = kernel,
                        .stride = window.stride,
                        .padding = window.padding,
                        .output_padding = more,
                        .dilation = window.dilation,
                        .groups = groups,
                        .bias = bias};
  read_size(node, layer);
  node.add(layer);
  node.weight("weight", weight);
  if (bias) node.weight("bias", node.constant(2));
}

}  // namespace

ConvTranspose2d::Inner ConvTranspose2d::inner_padding() const {
  const std::int64_t rows = dilation.h * (kernel_size.h - 1), columns = dilation.w * (kernel_size.w - 1);
  const std::int64_t top = rows - padding.top, left = columns - padding.left;
  const std::int64_t bottom = rows - padding.bottom + output_padding.h - (stride.h - 1);
  const std::int64_t right = columns - padding.right + output_padding.w - (stride.w - 1);
  const auto positive = [](std::int64_t size) { return std::max<std::int64_t>(size, 0); };
  return {{positive(top), positive(left), positive(bottom), positive(right)},
          {positive(-top), positive(-left), positive(-bottom), positive(-right)}};
}

void ConvTranspose2d::visit_fields(FieldVisitor& visit) {
  visit("out", out);
  visit("kernel_size", kernel_size);
  visit("stride", stride);
  visit("padding", padding);
  visit("output_padding", output_padding);
  visit("dilation", dilation);
  visit("groups", groups);
  visit("bias", bias);
}

Shape ConvTranspose2d::infer(Shapes in) const {
  const Shape& planes = only(kName, in);
  require(planes.size() == 3, kName, "needs planes (C,H,W); got ", planes);
  check_sizes(kName, {out, groups, kernel_size.h, kernel_size.w, stride.h, stride.w, dilation.h, dilation.w});
  check_sizes(kName,
              {padding.top, padding.left, padding.bottom, padding.right, output_padding.h, output_padding.w});
  require(out >= 1 && groups >= 1 && planes[0] % groups == 0 && out % groups == 0, kName, "channels (",
          planes[0], " in, ", out, " out) must divide into ", groups, " groups");
  check_sizes(kName, planes);
  const auto [around, crop] = inner_padding();
  const Shape spread_planes = {planes[0], planes[1] * stride.h - crop.top - crop.bottom,
                               planes[2] * stride.w - crop.left - crop.right};
  return window_shape(kName, spread_planes, out, {kernel_size, 1, around, dilation});
}

Cost ConvTranspose2d::cost(Shapes in, const Shape&) const {
  const std::int64_t taps = numel({out / groups, kernel_size.h, kernel_size.w});
  return {numel({numel(in[0]), taps}), numel({in[0][0], taps}) + (bias ? out : 0)};
}

BuiltLayer ConvTranspose2d::build(const BuildContext& context) const {
  return BuiltLayer(std::make_shared<Module2d>(*this, context));
}

std::int32_t ConvTranspose2d::lower(Lowering& to) const {
  const NoGrad no_grad;
  Shape shape = to.in();
  std::int32_t from = spread(to, to.input(), shape, 1, stride.h);
  from = spread(to, from, shape, 2, stride.w);
  const auto [around, crop] = inner_padding();
  if (!crop.is_none()) {
    shape[1] -= crop.top + crop.bottom;
    shape[2] -= crop.left + crop.right;
    from = push(to, from, shape, {0, crop.top, crop.left});
  }
  runtime::Node node;
  node.kind = runtime::Kind::conv2d;
  node.inputs = {from};
  node.window = {kernel_size, 1, around, dilation};
  node.groups = groups;
  node.weight = turned(Variable(to.weight("weight")), groups).value().contiguous();
  node.bias = to.weight("bias");
  return to.push(std::move(node));
}

std::string ConvTranspose2d::write_onnx(OnnxWriter& to) const {
  OnnxWriter::Names reads = {to.input(), to.weight("weight")};
  if (bias) reads.push_back(to.weight("bias"));
  OnnxNode::Attributes attributes = write_window({kernel_size, stride, padding, dilation}, true);
  attributes.emplace_back("group", groups);
  attributes.emplace_back("output_padding", Shape{output_padding.h, output_padding.w});
  return to.node("ConvTranspose", reads, std::move(attributes));
}

void ConvTranspose2d::read_onnx(OnnxReaders& readers) { on_planes(readers, "ConvTranspose", read); }

}  // namespace cbnet::kinds
