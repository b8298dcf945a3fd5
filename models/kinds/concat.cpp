#include "models/kinds/concat.h"

#include "autograd/ops/concat.h"
#include "models/kinds/add.h"
#include "models/kinds/common.h"
#include "models/kinds/join.h"
#include "models/kinds/pad.h"
#include "models/kinds/slice.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(concat, Concat)

namespace cbnet::kinds {
namespace {

/// A constant that every image has: zeros, which are cut from padding of the value at `from`, and the
/// constant added to them.
std::int64_t add_constant(NodeReader& node, std::int64_t from, const Shape& sample, std::int64_t axis,
                          const Tensor& stored) {
  const auto at = static_cast<std::size_t>(axis);
  Shape expected = sample;
  expected.insert(expected.begin(), 1);
  if (stored.rank() == static_cast<std::int64_t>(expected.size())) expected[at + 1] = stored.size(axis + 1);
  if (stored.shape() != expected || !is_floating(stored.dtype()) || stored.numel() == 0)
    node.fail(concat("a constant of one image, ", expected), describe(stored));
  Pad pad{Shape(sample.size(), 0), Shape(sample.size(), 0)};
  pad.after[at] = expected[at + 1];
  node.add(pad, {from});
  node.add(Slice{.axis = axis, .start = sample[at], .size = pad.after[at]}, {node.last()});
  join_constant<Add>(node, node.last(), stored.reshape(Shape(expected.begin() + 1, expected.end())));
  return node.last();
}

void read(NodeReader& node) {
  std::size_t computed = 0;
  while (computed < node.input_count() && node.is_constant(computed)) ++computed;
  if (computed == node.input_count()) node.fail("at least one input that is computed", "none");
  const std::int64_t from = node.position(computed);
  const Shape sample = node.shape(computed);
  const std::int64_t axis = node.sample_axis(node.integer("axis", 0), computed);
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    positions.push_back(node.is_constant(i) ? add_constant(node, from, sample, axis, node.constant(i))
                                            : node.position(i));
  }
  node.add(Concat{.axis = axis}, std::move(positions));
}

}  // namespace

void Concat::visit_fields(FieldVisitor& visit) { visit("axis", axis); }

Shape Concat::infer(Shapes in) const {
  require(!in.empty(), kName, "reads at least one layer; got none");
  require(axis >= 0 && axis < static_cast<std::int64_t>(in[0].size()), kName, "along axis ", axis, " of ",
          in[0]);
  const auto at = static_cast<std::size_t>(axis);
  Shape made = in[0];
  made[at] = 0;
  for (Shape part : in) {
    require(part.size() == in[0].size(), kName, "needs one rank; got ", in[0], " and ", part);
    made[at] += part[at];
    const Shape given = part;
    part[at] = in[0][at];
    require(part == in[0], kName, "needs equal sizes besides axis ", axis, "; got ", in[0], " and ", given);
  }
  return made;
}

Cost Concat::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Concat::build(const BuildContext&) const {
  return BuiltLayer([at = axis + 1](std::span<const Variable> x) {
    return concat(std::vector<Variable>(x.begin(), x.end()), at);
  });
}

std::int32_t Concat::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::concat;
  node.axis = axis;
  return to.push(std::move(node));
}

std::string Concat::write_onnx(OnnxWriter& to) const {
  return to.node("Concat", to.inputs, {{"axis", axis + 1}});
}

void Concat::read_onnx(OnnxReaders& readers) { readers.on("Concat", read); }

}  // namespace cbnet::kinds
