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

/// Attributes before opset 11, then inputs. Negative numbers cut off.
void read(NodeReader& node) {
  if (const std::string mode = node.text("mode", "constant"); mode != "constant")
    node.fail("attribute mode = constant", mode);
  const bool inputs = node.opset() >= 11;
  const std::vector<std::int64_t> pads = inputs ? node.integers(1) : node.integers("pads", {});
  const double value = !inputs ? node.number("value", 0.0) : node.has_input(2) ? node.constant(2).item() : 0;
  const Shape sizes = node.shape(), none(sizes.size(), 0);
  std::vector<std::int64_t> axes(sizes.size() + 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (node.has_input(3)) axes = node.integers(3);
  if (pads.size() != 2 * axes.size())
    node.fail(concat("pads for both sides of ", axes.size(), " axes"), to_string(pads));
  Pad pad{none, none, value};
  std::int64_t from = node.position(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t before = pads[i], after = pads[i + axes.size()];
    if (before == 0 && after == 0) continue;
    const std::int64_t axis = node.sample_axis(axes[i]);
    const auto at = static_cast<std::size_t>(axis);
    if (std::min(before, after) < -kMaxSize) node.fail("pads that leave something", to_string(pads));
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
  if (value != 0.0 || before.size() != 3 || before[0] != 0 || after[0] != 0) return std::nullopt;
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
}

Shape Pad::infer(Shapes in) const {
  Shape made = only(kName, in);
  check_sizes(kName, before);
  check_sizes(kName, after);
  require(!made.empty() && before.size() == made.size() && after.size() == made.size(), kName,
          "needs numbers for every axis of ", made, "; got ", before, " and ", after);
  require(std::isfinite(value), kName, "the value must be finite; got ", value);
  for (std::size_t axis = 0; axis < made.size(); ++axis) made[axis] += before[axis] + after[axis];
  return made;
}

Cost Pad::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Pad::build(const BuildContext&) const {
  return BuiltLayer([*this](std::span<const Variable> x) {
    Variable out = x[0];
    for (std::size_t axis = 0; axis < before.size(); ++axis)
      out = pad_axis(out, static_cast<std::int64_t>(axis) + 1, before[axis], after[axis], value);
    return out;
  });
}

std::int32_t Pad::lower(Lowering& to) const { return push(to); }

std::string Pad::write_onnx(OnnxWriter& to) const {
  std::vector<std::int64_t> pads = {0};
  pads.insert(pads.end(), before.begin(), before.end());
  pads.push_back(0);
  pads.insert(pads.end(), after.begin(), after.end());
  const std::string sides = to.constant("pads", Tensor::from(pads, {static_cast<std::int64_t>(pads.size())}));
  return to.node("Pad", {to.input(), sides, to.constant("value", Tensor::full({}, value))});
}

void Pad::read_onnx(OnnxReaders& readers) { readers.on("Pad", read); }

}  // namespace cbnet::kinds
