#include "models/kinds/gelu.h"

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(gelu, Gelu)

namespace cbnet::kinds {
namespace {

constexpr double kRootHalf = 0.70710678118654752;       // sqrt(1 / 2)
constexpr double kRootTwoOverPi = 0.79788456080286536;  // sqrt(2 / pi)
constexpr double kCubic = 0.044715;

/// x (1 + f(u)) / 2, where f is erf or tanh and u is linear, or cubic, in x. `T` is a variable, a value of a
/// graph or the name of one; `ops` has functions of them.
template <class T, class Ops>
T gelu(const Ops& ops, bool approximate_tanh, const T& x) {
  if (!approximate_tanh) return ops.scale(ops.mul(x, ops.shift(ops.erf(ops.scale(x, kRootHalf)), 1.0)), 0.5);
  const T bend = ops.shift(ops.scale(ops.mul(x, x), kCubic), 1.0);
  const T inside = ops.scale(ops.mul(x, bend), kRootTwoOverPi);
  return ops.scale(ops.mul(x, ops.shift(ops.tanh(inside), 1.0)), 0.5);
}

struct OnVariables {
  static Variable scale(const Variable& x, double a) { return cbnet::scale(x, a); }
  static Variable shift(const Variable& x, double a) { return cbnet::shift(x, a); }
  static Variable erf(const Variable& x) { return cbnet::erf(x); }
  static Variable tanh(const Variable& x) { return cbnet::tanh(x); }
  static Variable mul(const Variable& x, const Variable& z) { return cbnet::mul(x, z); }
};

struct OnValues {
  Lowering& to;
  std::int32_t scale(std::int32_t x, double a) const { return to.push(Pointwise::scale, x, a); }
  std::int32_t shift(std::int32_t x, double a) const { return to.push(Pointwise::shift, x, a); }
  std::int32_t erf(std::int32_t x) const { return to.push(Pointwise::erf, x); }
  std::int32_t tanh(std::int32_t x) const { return to.push(Pointwise::tanh, x); }
  std::int32_t mul(std::int32_t x, std::int32_t z) const {
    runtime::Node node;
    node.kind = runtime::Kind::mul;
    node.inputs = {x, z};
    return to.push(std::move(node));
  }
};

/// Every node but the last has a name of its own.
struct OnNames {
  OnnxWriter& to;
  mutable int made = 0;

  std::string node(const char* op, const OnnxWriter::Names& reads) const {
    return to.node(op, reads, {}, concat("part", made++));
  }
  std::string with(const char* op, const std::string& x, double a) const {
    return node(op, {x, to.constant(concat("a", made), Tensor::full({}, a))});
  }
  std::string scale(const std::string& x, double a) const { return with("Mul", x, a); }
  std::string shift(const std::string& x, double a) const { return with("Add", x, a); }
  std::string erf(const std::string& x) const { return node("Erf", {x}); }
  std::string tanh(const std::string& x) const { return node("Tanh", {x}); }
  std::string mul(const std::string& x, const std::string& z) const { return node("Mul", {x, z}); }
};

void read(NodeReader& node) {
  const std::string form = node.text("approximate", "none");
  if (form != "none" && form != "tanh") node.fail("attribute approximate = none or tanh", form);
  node.add(Gelu{.approximate_tanh = form == "tanh"});
}

}  // namespace

void Gelu::visit_fields(FieldVisitor& visit) { visit("approximate_tanh", approximate_tanh); }

Shape Gelu::infer(Shapes in) const { return only(kName, in); }

Cost Gelu::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Gelu::build(const BuildContext&) const {
  return BuiltLayer(
      [form = approximate_tanh](std::span<const Variable> x) { return gelu(OnVariables{}, form, x[0]); });
}

std::int32_t Gelu::lower(Lowering& to) const { return gelu(OnValues{to}, approximate_tanh, to.input()); }

std::string Gelu::write_onnx(OnnxWriter& to) const {
  const OnNames ops{to};
  return to.node("Identity", {gelu(ops, approximate_tanh, to.input())});
}

void Gelu::read_onnx(OnnxReaders& readers) { readers.on_arrays("Gelu", read); }

}  // namespace cbnet::kinds
