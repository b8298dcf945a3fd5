#include "models/kinds/concat.h"

#include "autograd/ops/concat.h"
#include "models/kinds/common.h"
#include "models/kinds/join.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(concat, Concat)

namespace cbnet::kinds {
namespace {

void read(NodeReader& node) {
  std::size_t computed = 0;
  while (computed < node.input_count() && node.is_constant(computed)) ++computed;
  if (computed == node.input_count()) node.fail("at least one input that is computed", "none");
  const std::int64_t from = node.position(computed);
  const std::int64_t axis = node.sample_axis(node.integer("axis", 0), computed);
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    positions.push_back(node.is_constant(i) ? add_constant(node, from, constant_of_sample(node, i, computed))
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

void Concat::read_onnx(OnnxReaders& readers) { readers.on_arrays("Concat", read); }

}  // namespace cbnet::kinds
