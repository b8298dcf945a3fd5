// One function per ONNX op: from a node to a layer.

#include "models/onnx/graph_importer.h"

namespace cbnet {

const std::map<std::string, GraphImporter::Reader>& GraphImporter::readers() {
  static const std::map<std::string, Reader> table = {
      {"Conv", &GraphImporter::convolution},
      {"Gemm", &GraphImporter::gemm},
      {"MatMul", &GraphImporter::matmul},
      {"Add", &GraphImporter::elementwise},
      {"Mul", &GraphImporter::elementwise},
      {"MaxPool", &GraphImporter::pool},
      {"AveragePool", &GraphImporter::pool},
      {"GlobalAveragePool", &GraphImporter::activation},
      {"Relu", &GraphImporter::activation},
      {"LeakyRelu", &GraphImporter::activation},
      {"Sigmoid", &GraphImporter::activation},
      {"Tanh", &GraphImporter::activation},
      {"Softmax", &GraphImporter::softmax},
      {"LogSoftmax", &GraphImporter::softmax},
      {"Flatten", &GraphImporter::flatten},
      {"Reshape", &GraphImporter::reshape},
      {"Transpose", &GraphImporter::transpose},
      {"Concat", &GraphImporter::concatenate},
      {"BatchNormalization", &GraphImporter::batch_norm},
      {"Dropout", &GraphImporter::pass_on},
      {"Identity", &GraphImporter::pass_on},
      {"Constant", &GraphImporter::make_constant},
  };
  return table;
}

void GraphImporter::convolution(const Node& node, Attributes& attributes) {
  const Tensor& weight = constant(node, 1, attributes);
  if (weight.rank() != 4 || weight.size(2) != weight.size(3))
    attributes.fail("a square 2-d kernel (O,C,K,K)", to_string(weight.shape()));
  const std::int64_t kernel = weight.size(2);
  LayerSpec layer = spec::plain(LayerKind::conv2d);
  layer.out = weight.size(0);
  layer.kernel_size = attributes.same("kernel_shape", 2, kernel);
  if (layer.kernel_size != kernel)
    attributes.fail(concat("kernel_shape ", kernel, ", as its weight"), concat(layer.kernel_size));
  layer.stride = attributes.same("strides", 2, 1);
  layer.dilation = attributes.same("dilations", 2, 1);
  layer.padding = attributes.same("pads", 4, 0);
  layer.groups = attributes.integer("group", 1);
  if (const std::string padding = attributes.text("auto_pad", "NOTSET");
      padding != "NOTSET" && padding != "VALID")
    attributes.fail("attribute auto_pad = NOTSET or VALID", padding);
  layer.bias = has_input(node, 2);
  add_layer(node, layer, {layer_input(node, 0, attributes)});
  add_weight("weight", weight);
  if (layer.bias) add_weight("bias", constant(node, 2, attributes));
}

void GraphImporter::pool(const Node& node, Attributes& attributes) {
  const bool average = node.op_type() == "AveragePool";
  LayerSpec layer = spec::plain(average ? LayerKind::avg_pool2d : LayerKind::max_pool2d);
  layer.kernel_size = attributes.same("kernel_shape", 2, 0);
  layer.stride = attributes.same("strides", 2, 1);
  layer.padding = attributes.same("pads", 4, 0);
  layer.ceil_mode = attributes.integer("ceil_mode", 0) != 0;
  if (average)
    layer.count_include_pad = attributes.integer("count_include_pad", 0) != 0;
  else
    layer.dilation = attributes.same("dilations", 2, 1);
  if (!average) attributes.must_be("storage_order", 0);
  if (const std::string padding = attributes.text("auto_pad", "NOTSET");
      padding != "NOTSET" && padding != "VALID")
    attributes.fail("attribute auto_pad = NOTSET or VALID", padding);
  if (node.output_size() > 1) attributes.fail("one output", concat(node.output_size()));
  add_layer(node, layer, {layer_input(node, 0, attributes)});
}

void GraphImporter::gemm(const Node& node, Attributes& attributes) {
  attributes.must_be("transA", 0);
  const bool transposed = attributes.integer("transB", 0) != 0;
  const double alpha = attributes.number("alpha", 1.0), beta = attributes.number("beta", 1.0);
  const Tensor& given = constant(node, 1, attributes);
  if (given.rank() != 2) attributes.fail("a matrix of weights", to_string(given.shape()));
  Tensor weight = (transposed ? given : given.permute({1, 0})).clone();
  if (alpha != 1.0) weight.scale(alpha);
  const bool bias = has_input(node, 2);
  const std::int64_t features = weight.size(0);
  add_layer(node, spec::linear(features, bias), {layer_input(node, 0, attributes)});
  add_weight("weight", std::move(weight));
  if (!bias) return;
  const Tensor& stored = constant(node, 2, attributes);
  const bool fits =
      stored.numel() == 1 || (stored.numel() == features && stored.rank() > 0 && stored.size(-1) == features);
  if (!fits || !is_floating(stored.dtype()))
    attributes.fail(concat("a bias of ", features, " numbers"), describe(stored));
  Tensor values = Tensor::empty({features});
  values.copy_from(stored.numel() == 1 ? stored.view({1}).expand({features}) : stored.view({features}));
  if (beta != 1.0) values.scale(beta);
  add_weight("bias", std::move(values));
}

void GraphImporter::matmul(const Node& node, Attributes& attributes) {
  const std::int64_t left = layer_input(node, 0, attributes);
  if (!value(node, 1, attributes).is_constant()) {
    add_layer(node, spec::plain(LayerKind::matmul), {left, layer_input(node, 1, attributes)});
    return;
  }
  const Tensor& weight = constant(node, 1, attributes);
  if (weight.rank() != 2 || shape_at(left).size() != 1) {
    attributes.fail("one row per image times a matrix",
                    concat(to_string(shape_at(left)), " times ", to_string(weight.shape())));
  }
  add_layer(node, spec::linear(weight.size(1), false), {left});
  add_weight("weight", weight.permute({1, 0}).clone());
}

void GraphImporter::elementwise(const Node& node, Attributes& attributes) {
  LayerSpec layer = spec::plain(node.op_type() == "Add" ? LayerKind::add : LayerKind::mul);
  // Both commute: the constant may stand on either side.
  const int side = value(node, 0, attributes).is_constant() ? 0 : 1;
  const std::int64_t other = layer_input(node, 1 - side, attributes);
  if (!value(node, side, attributes).is_constant()) {
    add_layer(node, layer, {other, layer_input(node, side, attributes)});
    return;
  }
  Tensor stored = constant(node, side, attributes);
  Shape shape = stored.shape();
  // A leading 1 is the batch axis.
  if (shape.size() == shape_at(other).size() + 1 && shape[0] == 1) shape.erase(shape.begin());
  if (shape.empty()) shape = {1};
  layer.shape = shape;
  add_layer(node, layer, {other});
  add_weight("value", stored.view(shape));
}

void GraphImporter::activation(const Node& node, Attributes& attributes) {
  static const std::map<std::string, LayerKind> kinds = {{"Relu", LayerKind::relu},
                                                         {"LeakyRelu", LayerKind::leaky_relu},
                                                         {"Sigmoid", LayerKind::sigmoid},
                                                         {"Tanh", LayerKind::tanh},
                                                         {"GlobalAveragePool", LayerKind::global_avg_pool2d}};
  LayerSpec layer = spec::plain(kinds.at(node.op_type()));
  if (layer.kind == LayerKind::leaky_relu) layer.p = attributes.number("alpha", 0.01);
  add_layer(node, layer, {layer_input(node, 0, attributes)});
}

void GraphImporter::softmax(const Node& node, Attributes& attributes) {
  const std::int64_t from = layer_input(node, 0, attributes);
  const auto rank = static_cast<std::int64_t>(shape_at(from).size()) + 1;
  // Before opset 13 all axes from `axis` on were one; along the last axis alone both mean the same.
  const std::int64_t axis = attributes.integer("axis", opset_ < 13 ? 1 : -1);
  if (axis != -1 && axis != rank - 1) attributes.fail("the last axis", concat("axis ", axis));
  add_layer(node, spec::plain(node.op_type() == "Softmax" ? LayerKind::softmax : LayerKind::log_softmax),
            {from});
}

void GraphImporter::batch_norm(const Node& node, Attributes& attributes) {
  LayerSpec layer = spec::plain(LayerKind::batch_norm);
  layer.epsilon = attributes.number("epsilon", 1e-5);
  attributes.ignore("momentum");  // of training
  attributes.must_be("training_mode", 0);
  attributes.must_be("spatial", 1);
  for (int i = 1; i < node.output_size(); ++i) {
    if (!node.output(i).empty()) attributes.fail("one output", concat(node.output_size()));
  }
  add_layer(node, layer, {layer_input(node, 0, attributes)});
  const char* names[] = {"gamma", "beta", "running_mean", "running_var"};
  for (int i = 0; i < 4; ++i) add_weight(names[i], constant(node, i + 1, attributes));
}

void GraphImporter::reshape(const Node& node, Attributes& attributes) {
  attributes.must_be("allowzero", 0);
  const std::int64_t from = layer_input(node, 0, attributes);
  const Shape& sample = shape_at(from);
  const Tensor& wanted = constant(node, 1, attributes);
  if (wanted.dtype() != DType::i64 || wanted.rank() != 1 || wanted.numel() < 2)
    attributes.fail("a shape with a batch axis and at least one more", describe(wanted));
  const auto target = wanted.to_vector<std::int64_t>();
  const auto refuse = [&] {
    attributes.fail(concat("a shape that keeps the batch and the ", numel(sample), " values of an image"),
                    to_string(target));
  };
  if (target[0] != 0 && target[0] != -1 && target[0] != batch_) refuse();
  Shape shape(target.begin() + 1, target.end());
  std::int64_t* open = nullptr;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && i < sample.size()) shape[i] = sample[i];
    if (shape[i] == -1 && open == nullptr && target[0] != -1) {
      open = &shape[i];
      continue;
    }
    if (shape[i] < 1 || shape[i] > numel(sample)) refuse();
    known *= shape[i];
    if (known > numel(sample)) refuse();
  }
  if (open != nullptr) *open = numel(sample) / known;
  if (numel(shape) != numel(sample)) refuse();
  LayerSpec layer = spec::plain(shape.size() == 1 ? LayerKind::flatten : LayerKind::unflatten);
  if (shape.size() > 1) layer.shape = shape;
  add_layer(node, layer, {from});
}

void GraphImporter::flatten(const Node& node, Attributes& attributes) {
  const std::int64_t from = layer_input(node, 0, attributes);
  const auto rank = static_cast<std::int64_t>(shape_at(from).size()) + 1;
  const std::int64_t axis = attributes.integer("axis", 1);
  if (axis != 1 && axis != 1 - rank) attributes.fail("attribute axis = 1", concat(axis));
  add_layer(node, spec::plain(LayerKind::flatten), {from});
}

void GraphImporter::transpose(const Node& node, Attributes& attributes) {
  LayerSpec layer = spec::plain(LayerKind::transpose);
  const std::vector<std::int64_t> permutation = attributes.integers("perm", {});
  if (permutation.empty() || permutation[0] != 0)
    attributes.fail("attribute perm with the batch axis in its place", to_string(permutation));
  for (std::size_t i = 1; i < permutation.size(); ++i) {
    if (permutation[i] < 1) attributes.fail("every axis once", to_string(permutation));
    layer.shape.push_back(permutation[i] - 1);
  }
  add_layer(node, layer, {layer_input(node, 0, attributes)});
}

void GraphImporter::concatenate(const Node& node, Attributes& attributes) {
  std::vector<std::int64_t> inputs;
  for (int i = 0; i < node.input_size(); ++i) inputs.push_back(layer_input(node, i, attributes));
  if (inputs.empty()) attributes.fail("at least one input", "none");
  const auto rank = static_cast<std::int64_t>(shape_at(inputs[0]).size()) + 1;
  std::int64_t axis = attributes.integer("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 1 || axis >= rank) attributes.fail("an axis behind the batch", concat("axis ", axis));
  add_layer(node, spec::join(LayerKind::concat, {}, axis - 1), inputs);
}

/// Dropout and Identity, which change nothing in evaluation.
void GraphImporter::pass_on(const Node& node, Attributes& attributes) {
  attributes.ignore("ratio");
  attributes.ignore("seed");
  attributes.ignore("is_test");
  Value passed = value(node, 0, attributes);
  if (node.op_type() == "Dropout" && has_input(node, 2))
    attributes.fail("dropout of evaluation", "an input that may ask for training");
  if (node.output_size() > 0) values_[node.output(0)] = std::move(passed);
}

void GraphImporter::make_constant(const Node& node, Attributes& attributes) {
  if (node.attribute_size() != 1 || node.attribute(0).name() != "value" || node.output_size() < 1)
    attributes.fail("the attribute value", concat(node.attribute_size(), " attributes"));
  attributes.ignore("value");
  values_[node.output(0)].constant =
      tensor_of(node.attribute(0).t(), concat(source_, ": node ", node_name(node)));
}

}  // namespace cbnet
