#include "models/kinds/common.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops/concat.h"
#include "autograd/ops/index_select.h"
#include "models/kinds/transpose.h"
#include "models/kinds/unflatten.h"
#include "models/onnx_reader.h"

namespace cbnet::kinds {
namespace {

/// The padding on both sides together that auto_pad asks for: as many windows as strides fit.
std::int64_t same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                          std::int64_t dilation) {
  const std::int64_t windows = (size + stride - 1) / stride;
  return std::max<std::int64_t>((windows - 1) * stride + (kernel - 1) * dilation + 1 - size, 0);
}

}  // namespace

void on_planes(OnnxReaders& readers, const std::string& op, std::function<void(NodeReader&)> read) {
  readers.on(op, [read = std::move(read)](NodeReader& node) {
    const Shape given = node.shape();
    if (given.size() == 3) return read(node);
    if (given.size() != 2) node.fail("planes (C,H,W) or lines (C,L)", to_string(given));
    node.see_line_as({given[0], 1, given[1]});
    read(node);
    node.then(reshape_to({node.last_shape()[0], node.last_shape()[2]}));
  });
}

Pair read_pair(NodeReader& node, const char* name, Pair usual) {
  const std::vector<std::int64_t> values = node.integers(name, {usual.h, usual.w});
  if (values.size() == 1 && node.sees_line()) return {1, values[0]};
  if (values.size() != 2) node.fail(concat("attribute ", name, " with 2 values"), to_string(values));
  return {values[0], values[1]};
}

Tensor read_kernel(const NodeReader& node) {
  const Tensor& weight = node.constant(1);
  if (weight.rank() == 3 && node.sees_line()) return weight.unsqueeze(2);
  if (weight.rank() != 4) node.fail("a 2-d kernel, of 4 axes", to_string(weight.shape()));
  return weight;
}

Pool2dOptions pool_options(const Window2d& window) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = window;
  const bool symmetric = padding.is_symmetric();
  return {
      kernel.h,   kernel.w,   stride.h, stride.w, symmetric ? padding.top : 0, symmetric ? padding.left : 0,
      dilation.h, dilation.w, ceil_mode};
}

Variable select(const Variable& x, std::int64_t axis, const std::vector<std::int64_t>& positions) {
  return index_select(x, axis, Tensor::from(positions, {static_cast<std::int64_t>(positions.size())}));
}

Variable pad_axis(const Variable& x, std::int64_t axis, std::int64_t before, std::int64_t after,
                  double value) {
  std::vector<Variable> parts;
  const auto slices = [&](std::int64_t count) {
    if (count == 0) return;
    Shape shape = x.shape();
    shape[static_cast<std::size_t>(axis)] = count;
    parts.emplace_back(Tensor::full(shape, value, x.dtype(), x.value().device()));
  };
  slices(before);
  parts.push_back(x);
  slices(after);
  return parts.size() == 1 ? x : concat(parts, axis);
}

Variable pad_planes(const Variable& x, const Padding2d& padding, double value) {
  return pad_axis(pad_axis(x, 2, padding.top, padding.bottom, value), 3, padding.left, padding.right, value);
}

OnnxNode::Attributes write_window(const Window2d& window, bool dilated) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = window;
  OnnxNode::Attributes out = {
      {"kernel_shape", Shape{kernel.h, kernel.w}},
      {"strides", Shape{stride.h, stride.w}},
      {"pads", Shape{padding.top, padding.left, padding.bottom, padding.right}},
  };
  if (dilated) out.emplace_back("dilations", Shape{dilation.h, dilation.w});
  return out;
}

Window2d read_explicit_window(NodeReader& node, Pair kernel, bool dilated) {
  Window2d out;
  out.kernel_size = read_pair(node, "kernel_shape", kernel);
  out.stride = read_pair(node, "strides", 1);
  if (dilated) out.dilation = read_pair(node, "dilations", 1);
  std::vector<std::int64_t> pads = node.integers("pads", {0, 0, 0, 0});
  if (pads.size() == 2 && node.sees_line()) pads = {0, pads[0], 0, pads[1]};
  if (pads.size() != 4) node.fail("attribute pads with 4 values", to_string(pads));
  out.padding = {pads[0], pads[1], pads[2], pads[3]};
  return out;
}

Window2d read_window(NodeReader& node, Pair kernel, bool dilated) {
  Window2d out = read_explicit_window(node, kernel, dilated);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic == "NOTSET") return out;
  if (!out.padding.is_none()) node.fail("pads or auto_pad", "both");
  if (automatic == "VALID") return out;
  const bool upper = automatic == "SAME_UPPER";
  if (!upper && automatic != "SAME_LOWER")
    node.fail("attribute auto_pad = NOTSET, VALID, SAME_UPPER or SAME_LOWER", automatic);
  const Shape& planes = node.shape();
  if (std::min({out.stride.h, out.stride.w, out.dilation.h, out.dilation.w}) < 1)
    node.fail("strides and dilations of at least 1", "smaller ones");
  const std::int64_t rows = same_padding(planes[1], out.kernel_size.h, out.stride.h, out.dilation.h);
  const std::int64_t columns = same_padding(planes[2], out.kernel_size.w, out.stride.w, out.dilation.w);
  const std::int64_t top = upper ? rows / 2 : rows - rows / 2;
  const std::int64_t left = upper ? columns / 2 : columns - columns / 2;
  out.padding = {top, left, rows - top, columns - left};
  return out;
}

void read_softmax(NodeReader& node, const LayerSpec& layer) {
  const bool one = node.opset() >= 13;
  const Shape shape = node.shape();
  const std::int64_t axis = node.sample_axis(node.integer("axis", one ? -1 : 1));
  const std::int64_t last = static_cast<std::int64_t>(shape.size()) - 1;
  if (axis == last) return node.add(layer);
  if (one) {
    Transpose swap{shape};
    std::iota(swap.axes.begin(), swap.axes.end(), 0);
    std::swap(swap.axes[static_cast<std::size_t>(axis)], swap.axes.back());
    node.then(swap);
    node.then(layer);
    return node.then(swap);
  }
  Shape joined(shape.begin(), shape.begin() + axis);
  joined.push_back(numel(shape) / numel(joined));
  node.then(reshape_to(joined));
  node.then(layer);
  node.then(reshape_to(shape));
}

}  // namespace cbnet::kinds
