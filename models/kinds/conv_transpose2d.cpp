#include "models/kinds/conv_transpose2d.h"

#include "autograd/ops/concat.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/index_select.h"
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

/// Axis `axis` backwards.
Variable reversed(const Variable& x, std::int64_t axis) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = x.size(axis); i-- > 0;) order.push_back(i);
  return index_select(x, axis, Tensor::from(order, {static_cast<std::int64_t>(order.size())}));
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
  Shape zeros = apart;
  zeros[static_cast<std::size_t>(axis) + 1] = count - 1;
  whole[static_cast<std::size_t>(axis)] *= count;
  const Variable nothing(Tensor::zeros(zeros, x.dtype(), x.value().device()));
  return reshape(concat({reshape(x, apart), nothing}, axis + 1), whole);
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
    const Variable pixels = spread(spread(x, 2, layer_.stride.h), 3, layer_.stride.w);
    Conv2dOptions options;
    options.dilation_h = layer_.dilation.h;
    options.dilation_w = layer_.dilation.w;
    options.groups = layer_.groups;
    return conv2d(pad_planes(pixels, layer_.inner_padding(), 0.0), turned(weight_, layer_.groups), bias_,
                  options);
  }

 private:
  ConvTranspose2d layer_;
  Variable weight_, bias_;
};

/// The same for a value of a graph: zeros are its elements times zero.
std::int32_t spread(Lowering& to, std::int32_t from, Shape& shape, std::size_t axis, std::int64_t count) {
  if (count == 1) return from;
  const auto push = [&](runtime::Kind kind, std::vector<std::int32_t> inputs, const Shape& made) {
    runtime::Node node;
    node.kind = kind;
    node.inputs = std::move(inputs);
    node.shape = made;
    if (kind == runtime::Kind::concat) node.axis = static_cast<std::int64_t>(axis) + 1;
    if (kind == runtime::Kind::mul) {
      Shape stretched(made.size() - axis - 1, 1);
      stretched[0] = count - 1;
      node.weight = Tensor::zeros(stretched);
    }
    return to.push(std::move(node));
  };
  Shape apart = shape, zeros;
  apart.insert(apart.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
  zeros = apart;
  zeros[axis + 1] = count - 1;
  const std::int32_t alone = push(runtime::Kind::reshape, {from}, apart);
  const std::int32_t nothing = push(runtime::Kind::mul, {alone}, zeros);
  apart[axis + 1] = count;
  const std::int32_t both = push(runtime::Kind::concat, {alone, nothing}, apart);
  shape[axis] *= count;
  return push(runtime::Kind::reshape, {both}, shape);
}

void read(NodeReader& node) {
  const Tensor& weight = node.constant(1);
  if (weight.rank() != 4) node.fail("a 2-d kernel (C,O,Kh,Kw)", to_string(weight.shape()));
  const Pair kernel(weight.size(2), weight.size(3));
  const std::vector<std::int64_t> more = node.integers("output_padding", {0, 0});
  if (more.size() != 2) node.fail("attribute output_padding with 2 values", to_string(more));
  if (!node.integers("output_shape", {}).empty())
    node.fail("no attribute output_shape", "one; hint: give pads");
  if (const std::string automatic = node.text("auto_pad", "NOTSET");
      automatic != "NOTSET" && automatic != "VALID")
    node.fail("attribute auto_pad = NOTSET or VALID", automatic);
  const Window2d window = read_window(node, kernel, true);
  const std::int64_t groups = node.integer("group", 1);
  const bool bias = node.has_input(2);
  node.add(ConvTranspose2d{.out = weight.size(1) * groups,
                           .kernel_size = kernel,
                           .stride = window.stride,
                           .padding = window.padding,
                           .output_padding = {more[0], more[1]},
                           .dilation = window.dilation,
                           .groups = groups,
                           .bias = bias});
  node.weight("weight", weight);
  if (bias) node.weight("bias", node.constant(2));
}

}  // namespace

Padding2d ConvTranspose2d::inner_padding() const {
  const std::int64_t rows = dilation.h * (kernel_size.h - 1), columns = dilation.w * (kernel_size.w - 1);
  return {rows - padding.top, columns - padding.left,
          rows - padding.bottom + output_padding.h - (stride.h - 1),
          columns - padding.right + output_padding.w - (stride.w - 1)};
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
  const auto [top, left, bottom, right] = inner_padding();
  require(std::min({top, left, bottom, right}) >= 0, kName,
          "needs padding within the kernel, and a kernel that reaches from each pixel to the next");
  const Window2d window = {kernel_size, 1, {top, left, bottom, right}, dilation};
  return window_shape(kName, {planes[0], planes[1] * stride.h, planes[2] * stride.w}, out, window);
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
  runtime::Node node;
  node.kind = runtime::Kind::conv2d;
  node.inputs = {from};
  node.window = {kernel_size, 1, inner_padding(), dilation};
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

void ConvTranspose2d::read_onnx(OnnxReaders& readers) { readers.on("ConvTranspose", read); }

}  // namespace cbnet::kinds
