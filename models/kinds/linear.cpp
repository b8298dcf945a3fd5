#include "models/kinds/linear.h"

#include "layers/linear.h"
#include "models/kinds/add.h"
#include "models/kinds/common.h"
#include "models/kinds/join.h"
#include "models/kinds/matmul.h"
#include "models/kinds/pointwise.h"
#include "models/kinds/transpose.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(linear, Linear)

namespace cbnet::kinds {
namespace {

Tensor scaled(const Tensor& value, double by) {
  Tensor out = value.clone();
  if (by != 1.0) out.scale(by);
  return out;
}

/// Gemm computes y = alpha A B + beta C, where A and B may be transposed; these are its attributes and
/// inputs.
struct Gemm {
  explicit Gemm(NodeReader& node)
      : transposed{node.integer("transA", 0) != 0, node.integer("transB", 0) != 0},
        alpha(node.number("alpha", 1.0)),
        beta(node.number("beta", 1.0)) {}

  /// Returns constant matrix i as its attribute turns it, and turned once more where `turn`.
  Tensor matrix(const NodeReader& node, std::size_t i, bool turn) const {
    const Tensor& given = node.constant(i);
    if (given.rank() != 2) node.fail("a matrix of weights", to_string(given.shape()));
    return transposed[i] != turn ? given.permute({1, 0}) : given;
  }

  bool transposed[2];
  double alpha, beta;
};

/// A is one row of every image, B a constant, and C one or computed.
void read_row(NodeReader& node, const Gemm& gemm) {
  if (gemm.transposed[0]) node.fail("attribute transA = 0, so that images stay apart", "1");
  Tensor weight = scaled(gemm.matrix(node, 1, true), gemm.alpha);
  const bool has_c = node.has_input(2), bias = has_c && node.is_constant(2);
  const std::int64_t features = weight.size(0);
  node.add(Linear{.out = features, .bias = bias});
  node.weight("weight", std::move(weight));
  if (has_c && !bias) {
    const std::int64_t product = node.last();
    node.add(Pointwise{.function = "scale", .a = gemm.beta}, {node.position(2)});
    return node.add(Add{}, {product, node.last()});
  }
  if (!bias) return;
  const Tensor& stored = node.constant(2);
  const bool fits =
      stored.numel() == 1 || (stored.numel() == features && stored.rank() > 0 && stored.size(-1) == features);
  if (!fits || !is_floating(stored.dtype()))
    node.fail(concat("a bias of ", features, " numbers"), describe(stored));
  Tensor values = Tensor::empty({features});
  values.copy_from(stored.numel() == 1 ? stored.reshape({1}).expand({features}) : stored.reshape({features}));
  node.weight("bias", scaled(values, gemm.beta));
}

/// A and B are matrices of one image, or constants, but not both.
void read_matrices(NodeReader& node, const Gemm& gemm) {
  const std::size_t computed = node.is_constant(0) ? 1 : 0;
  const auto operand = [&](std::size_t i) {
    if (node.is_constant(i)) return add_constant(node, node.position(computed), gemm.matrix(node, i, false));
    if (!gemm.transposed[i]) return node.position(i);
    node.add(Transpose{{1, 0}}, {node.position(i)});
    return node.last();
  };
  const std::int64_t a = operand(0);
  if (node.is_constant(1))
    add_rows_product(node, a, gemm.matrix(node, 1, true));
  else
    node.add(Matmul{}, {a, operand(1)});
  if (gemm.alpha != 1.0) node.then(Pointwise{.function = "scale", .a = gemm.alpha});
  if (!node.has_input(2)) return;
  const std::int64_t product = node.last();
  if (node.is_constant(2))
    return join_constant<Add>(node, product, scaled(constant_of_sample(node, 2, computed), gemm.beta));
  node.add(Pointwise{.function = "scale", .a = gemm.beta}, {node.position(2)});
  node.add(Add{}, {product, node.last()});
}

void read(NodeReader& node) {
  const Gemm gemm(node);
  if (node.batch_axes() == 1)
    read_row(node, gemm);
  else
    read_matrices(node, gemm);
}

}  // namespace

void Linear::visit_fields(FieldVisitor& visit) {
  visit("out", out);
  visit("bias", bias);
}

Shape Linear::infer(Shapes in) const {
  const Shape& x = only(kName, in);
  check_sizes(kName, {out});
  require(x.size() == 1 && out >= 1, kName, "needs (features) and at least one output; got ", x,
          "; hint: flatten first");
  return {out};
}

Cost Linear::cost(Shapes in, const Shape&) const {
  return {numel({in[0][0], out}), numel({in[0][0] + (bias ? 1 : 0), out})};
}

BuiltLayer Linear::build(const BuildContext& context) const {
  return BuiltLayer(std::make_shared<cbnet::Linear>(context.in[0].at(0), out, context.from.weights, bias,
                                                    context.init, context.dtype));
}

std::int32_t Linear::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::linear;
  node.dense.in = to.in().at(0);
  node.dense.out = out;
  node.dense.fp32 = to.weight("weight").to_vector<float>();
  if (bias) node.dense.bias = to.weight("bias").to_vector<float>();
  return to.push(std::move(node));
}

std::string Linear::write_onnx(OnnxWriter& to) const {
  OnnxWriter::Names reads = {to.input(), to.weight("weight")};
  if (bias) reads.push_back(to.weight("bias"));
  return to.node("Gemm", reads, {{"transB", std::int64_t{1}}});
}

void Linear::read_onnx(OnnxReaders& readers) { readers.on_arrays("Gemm", read); }

}  // namespace cbnet::kinds
