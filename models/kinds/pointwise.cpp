#include "models/kinds/pointwise.h"

#include <cmath>

#include "autograd/ops/pointwise.h"
#include "models/kinds/common.h"
#include "models/kinds/mul.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(pointwise, Pointwise)

namespace cbnet::kinds {
namespace {

using Function = cbnet::Pointwise;

Function function_of(const std::string& name) {
  const std::optional<Function> function = parse_pointwise(name);
  require(function && is_unary(*function), Pointwise::kName, "there is no function '", name,
          "' of one number in tensor/pointwise.def");
  return *function;
}

Variable evaluate(Function function, const Variable& x, double a) {
  switch (function) {
#define UNARY(name, ...) \
  case Function::name:   \
    return cbnet::name(x);
#define UNARY_PARAMETER(name, ...) \
  case Function::name:             \
    return cbnet::name(x, a);
#define BINARY(name, ...) \
  case Function::name:    \
    break;
#include "tensor/pointwise.def"
  }
  throw std::logic_error("a function of two numbers");
}

/// The ONNX ops that are the function by themselves.
constexpr std::pair<const char*, const char*> kPlain[] = {{"Abs", "abs"}, {"Erf", "erf"}, {"Exp", "exp"},
                                                          {"Log", "log"}, {"Neg", "neg"}, {"Sqrt", "sqrt"}};

void read_clip(NodeReader& node) {
  constexpr double kInfinity = HUGE_VAL;
  const auto [low, high] = clip_bounds(node);
  if (low == -kInfinity && high == kInfinity) return node.pass_on();
  if (low > -kInfinity) node.add(Pointwise{.function = "clamp_min", .a = low});
  if (high < kInfinity)
    node.add(Pointwise{.function = "clamp_max", .a = high},
             {low > -kInfinity ? node.last() : node.position(0)});
}

void read_power(NodeReader& node) {
  const Tensor& exponent = node.constant(1);
  if (exponent.numel() != 1) node.fail("one exponent for all numbers", describe(exponent));
  node.add(Pointwise{.function = "pow", .a = exponent.item()});
}

/// min(max(alpha x + beta, 0), 1).
void add_hard_sigmoid(NodeReader& node, double alpha, double beta) {
  node.then(Pointwise{.function = "scale", .a = alpha});
  node.then(Pointwise{.function = "shift", .a = beta});
  node.then(Pointwise{.function = "clamp_min", .a = 0.0});
  node.then(Pointwise{.function = "clamp_max", .a = 1.0});
}

void read_hard_swish(NodeReader& node) {
  add_hard_sigmoid(node, 1.0 / 6.0, 0.5);
  node.add(Mul{}, {node.position(0), node.last()});
}

}  // namespace

std::pair<double, double> clip_bounds(NodeReader& node) {
  const bool inputs = node.opset() >= 11;
  const auto bound = [&](std::size_t i, const char* name, double open) {
    if (!inputs) return node.number(name, open);
    return node.has_input(i) ? node.constant(i).item() : open;
  };
  return {bound(1, "min", -HUGE_VAL), bound(2, "max", HUGE_VAL)};
}

void Pointwise::visit_fields(FieldVisitor& visit) {
  visit("function", function);
  visit("a", a);
}

Shape Pointwise::infer(Shapes in) const {
  function_of(function);
  require(std::isfinite(a), kName, "the parameter must be finite; got ", a);
  return only(kName, in);
}

Cost Pointwise::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Pointwise::build(const BuildContext&) const {
  return BuiltLayer([name = function_of(function), parameter = a](std::span<const Variable> x) {
    return evaluate(name, x[0], parameter);
  });
}

std::int32_t Pointwise::lower(Lowering& to) const { return to.push(function_of(function), to.input(), a); }

std::string Pointwise::write_onnx(OnnxWriter& to) const {
  for (const auto& [op, name] : kPlain) {
    if (function == name) return to.node(op);
  }
  const auto constant = [&] { return to.constant("a", Tensor::full({}, a)); };
  if (function == "pow") return to.node("Pow", {to.input(), constant()});
  if (function == "clamp_min") return to.node("Max", {to.input(), constant()});
  if (function == "clamp_max") return to.node("Min", {to.input(), constant()});
  if (function == "scale") return to.node("Mul", {to.input(), constant()});
  if (function == "shift") return to.node("Add", {to.input(), constant()});
  to.refuse("no op is the function " + function);
}

void Pointwise::read_onnx(OnnxReaders& readers) {
  for (const auto& [op, name] : kPlain)
    readers.on_arrays(op, [function = name](NodeReader& node) { node.add(Pointwise{.function = function}); });
  readers.on_arrays("Reciprocal",
                    [](NodeReader& node) { node.add(Pointwise{.function = "pow", .a = -1.0}); });
  readers.on_arrays("Pow", read_power);
  readers.on_arrays("Clip", read_clip);
  readers.on_arrays("HardSigmoid", [](NodeReader& node) {
    add_hard_sigmoid(node, node.number("alpha", 0.2), node.number("beta", 0.5));
  });
  readers.on_arrays("HardSwish", read_hard_swish);
}

}  // namespace cbnet::kinds
