#include "models/kinds/batch_norm.h"

#include <cmath>

#include "layers/batch_norm.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(batch_norm, BatchNorm)

namespace cbnet::kinds {

namespace {

constexpr const char* kParts[] = {"weight", "bias", "running_mean", "running_var"};

void read(NodeReader& node) {
  node.ignore("momentum");  // of training
  node.must_be("training_mode", 0);
  node.must_be("spatial", 1);
  node.require_one_output();
  node.add(BatchNorm{.epsilon = node.number("epsilon", 1e-5)});
  for (std::size_t i = 0; i < 4; ++i) node.weight(kParts[i], node.constant(i + 1));
}

}  // namespace

void BatchNorm::visit_fields(FieldVisitor& visit) { visit("epsilon", epsilon); }

Shape BatchNorm::infer(Shapes in) const {
  require(!only(kName, in).empty(), kName, "needs channels; got ", in[0]);
  return in[0];
}

Cost BatchNorm::cost(Shapes in, const Shape&) const { return {0, numel({2, in[0][0]})}; }

BuiltLayer BatchNorm::build(const BuildContext& context) const {
  return BuiltLayer(std::make_shared<cbnet::BatchNorm>(context.in[0].at(0), 0.1, epsilon, context.dtype));
}

/// In evaluation a factor and a summand for each channel.
std::int32_t BatchNorm::lower(Lowering& to) const {
  const auto values = [&](const char* part) { return to.weight(part).to_vector<double>(); };
  const std::vector<double> weight = values(kParts[0]), bias = values(kParts[1]), mean = values(kParts[2]),
                            variance = values(kParts[3]);
  std::vector<float> factor, summand;
  for (std::size_t c = 0; c < weight.size(); ++c) {
    const double scale = weight[c] / std::sqrt(variance[c] + epsilon);
    factor.push_back(static_cast<float>(scale));
    summand.push_back(static_cast<float>(bias[c] - scale * mean[c]));
  }
  const Shape shape = {static_cast<std::int64_t>(weight.size())};
  runtime::Node node;
  node.kind = runtime::Kind::affine;
  node.weight = Tensor::from(factor, shape);
  node.bias = Tensor::from(summand, shape);
  return to.push(std::move(node));
}

std::string BatchNorm::write_onnx(OnnxWriter& to) const {
  OnnxWriter::Names reads = to.inputs;
  for (const char* part : kParts) reads.push_back(to.weight(part));
  return to.node("BatchNormalization", reads, {{"epsilon", static_cast<float>(epsilon)}});
}

void BatchNorm::read_onnx(OnnxReaders& readers) { readers.on("BatchNormalization", read); }

}  // namespace cbnet::kinds
