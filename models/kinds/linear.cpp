#include "models/kinds/linear.h"

#include "layers/linear.h"
#include "models/kinds/add.h"
#include "models/kinds/common.h"
#include "models/kinds/pointwise.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(linear, Linear)

namespace cbnet::kinds {
namespace {

/// y = alpha A B + beta C, where A is one row per image, B a constant, and C one or computed.
void read(NodeReader& node) {
  node.must_be("transA", 0);
  const bool transposed = node.integer("transB", 0) != 0;
  const double alpha = node.number("alpha", 1.0), beta = node.number("beta", 1.0);
  const Tensor& given = node.constant(1);
  if (given.rank() != 2) node.fail("a matrix of weights", to_string(given.shape()));
  Tensor weight = (transposed ? given : given.permute({1, 0})).clone();
  if (alpha != 1.0) weight.scale(alpha);
  const bool has_c = node.has_input(2), bias = has_c && node.is_constant(2);
  const std::int64_t features = weight.size(0);
  node.add(Linear{.out = features, .bias = bias});
  node.weight("weight", std::move(weight));
  if (has_c && !bias) {
    const std::int64_t product = node.last();
    node.add(Pointwise{.function = "scale", .a = beta}, {node.position(2)});
    return node.add(Add{}, {product, node.last()});
  }
  if (!bias) return;
  const Tensor& stored = node.constant(2);
  const bool fits =
      stored.numel() == 1 || (stored.numel() == features && stored.rank() > 0 && stored.size(-1) == features);
  if (!fits || !is_floating(stored.dtype()))
    node.fail(concat("a bias of ", features, " numbers"), describe(stored));
  Tensor values = Tensor::empty({features});
  values.copy_from(stored.numel() == 1 ? stored.view({1}).expand({features}) : stored.view({features}));
  if (beta != 1.0) values.scale(beta);
  node.weight("bias", std::move(values));
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

void Linear::read_onnx(OnnxReaders& readers) { readers.on("Gemm", read); }

}  // namespace cbnet::kinds
