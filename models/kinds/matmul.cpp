#include "models/kinds/matmul.h"

#include "autograd/ops/matmul.h"
#include "models/kinds/common.h"
#include "models/kinds/linear.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(matmul, Matmul)

namespace cbnet::kinds {

namespace {

void read(NodeReader& node) {
  if (!node.is_constant(1)) return node.add(Matmul{}, {node.position(0), node.position(1)});
  const Tensor& weight = node.constant(1);
  if (weight.rank() != 2 || node.shape().size() != 1)
    node.fail("one row per image times a matrix",
              concat(to_string(node.shape()), " times ", to_string(weight.shape())));
  node.add(Linear{.out = weight.size(1), .bias = false});
  node.weight("weight", weight.permute({1, 0}).clone());
}

}  // namespace

void Matmul::visit_fields(FieldVisitor&) {}

Shape Matmul::infer(Shapes in) const {
  check_inputs(kName, in, 2);
  require(in[0].size() == 2 && in[1].size() == 2 && in[0][1] == in[1][0], kName,
          "needs (M,K) and (K,N); got ", in[0], " and ", in[1]);
  return {in[0][0], in[1][1]};
}

Cost Matmul::cost(Shapes in, const Shape& made) const { return {numel({made[0], in[0][1], made[1]}), 0}; }

BuiltLayer Matmul::build(const BuildContext&) const {
  return BuiltLayer([](std::span<const Variable> x) { return matmul(x[0], x[1]); });
}

std::int32_t Matmul::lower(Lowering& to) const { return to.push(runtime::Kind::matmul); }

std::string Matmul::write_onnx(OnnxWriter& to) const { return to.node("MatMul"); }

void Matmul::read_onnx(OnnxReaders& readers) { readers.on("MatMul", read); }

}  // namespace cbnet::kinds
