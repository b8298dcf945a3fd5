#include "models/kinds/pad.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/kinds/common.h"
#include "models/kinds/slice.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(pad, Pad)

namespace cbnet::kinds {
namespace {

/// The elements of 0, …, n - 1 that stand at positions -before, …, n + after - 1.
std::vector<std::int64_t> padded_positions(bool reflect, std::int64_t n, std::int64_t before,
                                           std::int64_t after) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = -before; i < n + after; ++i)
    out.push_back(reflect ? n - 1 - std::abs(n - 1 - std::abs(i)) : std::clamp<std::int64_t>(i, 0, n - 1));
  return out;
}

/// The same elements of a value of a plan, whose shape grows: slices, one after the other.
std::int32_t lower_select(Lowering& to, std::int32_t from, Shape& shape, std::size_t axis,
                          const std::vector<std::int64_t>& positions) {
  runtime::Node whole;
  whole.kind = runtime::Kind::concat;
  whole.axis = static_cast<std::int64_t>(axis);
  for (const Slice& slice : slices_at(whole.axis, positions)) {
    runtime::Node part;
    part.kind = runtime::Kind::slice;
    part.inputs = {from};
    part.shape = shape;
    part.shape[axis] = slice.size;
    part.starts.assign(shape.size(), 0);
    part.steps.assign(shape.size(), 1);
    part.starts[axis] = slice.start;
    part.steps[axis] = slice.step;
    whole.inputs.push_back(to.push(std::move(part)));
  }
  shape[axis] = static_cast<std::int64_t>(positions.size());
  whole.shape = shape;
  return to.push(std::move(whole));
}

/// Attributes before opset 11, then inputs. Negative numbers cut off.
void read(NodeReader& node) {
  const std::string mode = node.text("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect")
    node.fail("attribute mode = constant, edge or reflect", mode);
  const bool inputs = node.opset() >= 11;
  const std::vector<std::int64_t> pads = inputs ? node.integers(1) : node.integers("pads", {});
  const double value = !inputs ? node.number("value", 0.0) : node.has_input(2) ? node.constant(2).item() : 0;
  const Shape sizes = node.shape(), none(sizes.size(), 0);
  std::vector<std::int64_t> axes(sizes.size() + static_cast<std::size_t>(node.batch_axes()));
  std::iota(axes.begin(), axes.end(), 0);
  if (node.has_input(3)) axes = node.integers(3);
  if (pads.size() != 2 * axes.size())
    node.fail(concat("pads for both sides of ", axes.size(), " axes"), to_string(pads));
  Pad pad{none, none, value, mode};
  std::int64_t from = node.position(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t before = pads[i], after = pads[i + axes.size()];
    if (before == 0 && after == 0) continue;
    const std::int64_t axis = node.sample_axis(axes[i]);
    const auto at = static_cast<std::size_t>(axis);
    if (std::min(before, after) < (mode == "constant" ? -kMaxSize : 0))
      node.fail("pads that leave something", to_string(pads));
    pad.before[at] = std::max<std::int64_t>(before, 0);
    pad.after[at] = std::max<std::int64_t>(after, 0);
    if (before >= 0 && after >= 0) continue;
    const std::int64_t first = pad.before[at] - before;
    node.add(Slice{.axis = axis, .start = first, .size = sizes[at] - first - (pad.after[at] - after)},
             {from});
    from = node.last();
  }
  if (pad.before != none || pad.after != none) return node.add(std::move(pad), {from});
  if (from == node.position(0)) node.pass_on();
}

}  // namespace

std::optional<Padding2d> Pad::of_planes() const {
  if (mode != "constant" || value != 0.0 || before.size() != 3 || before[0] != 0 || after[0] != 0)
    return std::nullopt;
  return Padding2d(before[1], before[2], after[1], after[2]);
}

std::int32_t Pad::push(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::slice;
  node.shape = infer(to.in_shapes);
  for (const std::int64_t count : before) node.starts.push_back(-count);
  node.steps.assign(before.size(), 1);
  node.value = value;
  return to.push(std::move(node));
}

void Pad::visit_fields(FieldVisitor& visit) {
  visit("before", before);
  visit("after", after);
  visit("value", value);
  visit("mode", mode);
}

Shape Pad::infer(Shapes in) const {
  Shape made = only(kName, in);
  check_sizes(kName, before);
  check_sizes(kName, after);
  require(!made.empty() && before.size() == made.size() && after.size() == made.size(), kName,
          "needs numbers for every axis of ", made, "; got ", before, " and ", after);
  require(std::isfinite(value), kName, "the value must be finite; got ", value);
  const bool reflect = mode == "reflect";
  require(reflect || mode == "constant" || mode == "edge", kName,
          "the mode must be constant, edge or reflect; got ", mode);
  for (std::size_t axis = 0; axis < made.size(); ++axis) {
    require(!reflect || std::max(before[axis], after[axis]) < made[axis], kName, "reflects at most ",
            made[axis] - 1, " elements along axis ", axis, "; got ", before, " and ", after);
    made[axis] += before[axis] + after[axis];
  }
  return made;
}

Cost Pad::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Pad::build(const BuildContext&) const {
  return BuiltLayer([*this](std::span<const Variable> x) {
    Variable out = x[0];
    for (std::size_t i = 0; i < before.size(); ++i) {
      const auto axis = static_cast<std::int64_t>(i) + 1;
      if (before[i] == 0 && after[i] == 0) continue;
      if (mode == "constant")
        out = pad_axis(out, axis, before[i], after[i], value);
      else
        out = select(out, axis, padded_positions(mode == "reflect", out.size(axis), before[i], after[i]));
    }
    return out;
  });
}

/// Axis by axis: what was put around before is padded with the rest.
std::int32_t Pad::lower(Lowering& to) const {
  if (mode == "constant") return push(to);
  std::int32_t from = to.input();
  Shape shape = to.in();
  for (std::size_t axis = 0; axis < before.size(); ++axis) {
    if (before[axis] == 0 && after[axis] == 0) continue;
    from = lower_select(to, from, shape, axis,
                        padded_positions(mode == "reflect", shape[axis], before[axis], after[axis]));
  }
  return from;
}

std::string Pad::write_onnx(OnnxWriter& to) const {
  std::vector<std::int64_t> pads = {0};
  pads.insert(pads.end(), before.begin(), before.end());
  pads.push_back(0);
  pads.insert(pads.end(), after.begin(), after.end());
  OnnxWriter::Names reads = {
      to.input(), to.constant("pads", Tensor::from(pads, {static_cast<std::int64_t>(pads.size())}))};
  if (mode != "constant") return to.node("Pad", reads, {{"mode", mode}});
  reads.push_back(to.constant("value", Tensor::full({}, value)));
  return to.node("Pad", reads);
}

void Pad::read_onnx(OnnxReaders& readers) { readers.on_arrays("Pad", read); }

}  // namespace cbnet::kinds
