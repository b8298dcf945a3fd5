#include <algorithm>
#include <cmath>
#include <set>

#include "models/json.h"
#include "models/onnx/graph_importer.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

constexpr std::int64_t kFirstOpset = 7;
constexpr std::int64_t kLastOpset = 17;
constexpr std::size_t kFileLimitBytes = std::size_t{1} << 30;
constexpr int kMaxLayers = 1'000;
constexpr std::int64_t kMostInput = std::int64_t{1} << 31;
constexpr int kMostNamed = 10;  // of what an error lists

}  // namespace

std::int64_t GraphImporter::opset_of(const onnx::ModelProto& model) const {
  for (const onnx::OperatorSetIdProto& set : model.opset_import()) {
    if (!set.domain().empty() && set.domain() != "ai.onnx") continue;
    if (set.version() < kFirstOpset || set.version() > kLastOpset)
      fail(concat("opset ", kFirstOpset, " to ", kLastOpset), concat(set.version()));
    return set.version();
  }
  fail("the opset of the standard operators", "none", "the file is damaged or is not an ONNX model");
}

void GraphImporter::read_initializers() {
  for (const onnx::TensorProto& proto : graph_.initializer()) {
    values_[proto.name()].constant = tensor_of(proto, concat(source_, ": weight '", proto.name(), "'"));
  }
}

std::string GraphImporter::read_input() {
  const onnx::ValueInfoProto* input = nullptr;
  for (const onnx::ValueInfoProto& candidate : graph_.input()) {
    if (values_.contains(candidate.name())) continue;  // old files list their weights as inputs
    if (input != nullptr)
      fail("a graph with one input", concat("'", input->name(), "' and '", candidate.name(), "'"));
    input = &candidate;
  }
  if (input == nullptr) fail("a graph with one input", "none");
  const onnx::TypeProto::Tensor& type = input->type().tensor_type();
  if (type.elem_type() != onnx::TensorProto::FLOAT || type.shape().dim_size() < 2) {
    fail(concat("input '", input->name(), "' of FLOAT, with a batch axis and at least one more"),
         concat("type ", type.elem_type(), ", ", type.shape().dim_size(), " axes"));
  }
  if (type.shape().dim(0).has_dim_value()) batch_ = type.shape().dim(0).dim_value();
  for (int axis = 1; axis < type.shape().dim_size(); ++axis) {
    const onnx::TensorShapeProto::Dimension& size = type.shape().dim(axis);
    if (!size.has_dim_value() || size.dim_value() < 1) {
      fail(concat("a known size for axis ", axis, " of input '", input->name(), "'"),
           size.has_dim_param() ? concat("'", size.dim_param(), "'") : "none");
    }
    declared_.push_back(size.dim_value());
  }
  bool known = true;
  for (const std::int64_t size : declared_) known = known && size <= kMostInput;
  if (!known) fail(concat("sizes of at most ", kMostInput), to_string(declared_));
  const bool reshapes = !options_.image.empty() && numel(declared_) == numel(options_.image);
  spec_.input = reshapes ? options_.image : declared_;
  shapes_ = {spec_.input};
  values_[input->name()].position = 0;
  return input->name();
}

std::string GraphImporter::chosen_output() const {
  std::string names;
  for (const onnx::ValueInfoProto& output : graph_.output()) {
    if (output.name() == options_.output) return output.name();
    names += (names.empty() ? "" : ", ") + output.name();
  }
  if (options_.output.empty() && graph_.output_size() == 1) return graph_.output(0).name();
  if (options_.output.empty()) fail("a graph with one output", names, "name one with --output");
  fail(concat("an output '", options_.output, "'"), names.empty() ? "no outputs" : names);
}

/// The nodes that `output` needs, in the graph's order.
std::vector<const onnx::NodeProto*> GraphImporter::nodes_for(const std::string& output) const {
  std::set<std::string> needed = {output};
  std::vector<const Node*> nodes;
  for (int i = graph_.node_size(); i-- > 0;) {
    const Node& node = graph_.node(i);
    const bool used = std::any_of(node.output().begin(), node.output().end(),
                                  [&](const std::string& name) { return needed.contains(name); });
    if (!used) continue;
    nodes.push_back(&node);
    for (const std::string& name : node.input()) needed.insert(name);
  }
  std::reverse(nodes.begin(), nodes.end());
  std::string unknown;
  int count = 0;
  for (const Node* node : nodes) {
    if (readers().contains(node->op_type()) && node->domain().empty()) continue;
    if (++count <= kMostNamed) unknown += (count == 1 ? "" : ", ") + node_name(*node);
  }
  if (count > kMostNamed) unknown += concat(" and ", count - kMostNamed, " more");
  if (!unknown.empty()) {
    std::string known;
    for (const auto& entry : readers()) known += (known.empty() ? "" : ", ") + entry.first;
    fail("the ops that cbnet has layers for: " + known, unknown);
  }
  return nodes;
}

const GraphImporter::Value& GraphImporter::value(const Node& node, int i, Attributes& attributes) const {
  if (!has_input(node, i)) attributes.fail(concat("an input ", i), "none");
  const auto found = values_.find(node.input(i));
  if (found == values_.end())
    attributes.fail("inputs that are made before they are read", concat("'", node.input(i), "'"));
  return found->second;
}

std::int64_t GraphImporter::layer_input(const Node& node, int i, Attributes& attributes) const {
  const Value& found = value(node, i, attributes);
  if (found.is_constant()) {
    attributes.fail(concat("input ", i, " to come from the network's input"),
                    concat("the constant '", node.input(i), "'"));
  }
  return found.position;
}

const Tensor& GraphImporter::constant(const Node& node, int i, Attributes& attributes) const {
  const Value& found = value(node, i, attributes);
  if (!found.is_constant())
    attributes.fail(concat("input ", i, " to be a constant"), concat("'", node.input(i), "', computed"));
  return found.constant;
}

void GraphImporter::add_layer(const Node& node, LayerSpec layer, std::vector<std::int64_t> inputs) {
  const auto last = static_cast<std::int64_t>(spec_.trunk.size());
  if (last >= kMaxLayers) fail(concat("at most ", kMaxLayers, " layers"), "more");
  if (inputs.size() != 1 || inputs[0] != last) layer.inputs = std::move(inputs);
  spec_.trunk.push_back(std::move(layer));
  try {
    // One layer's shape, not all of them again: this is a loop over nodes.
    shapes_.push_back(next_shape(spec_.trunk.back(), static_cast<std::size_t>(last), shapes_));
  } catch (const std::invalid_argument& error) {
    throw InputError(concat(source_, ": node ", node_name(node)), "sizes that fit", error.what());
  }
  if (node.output_size() > 0) values_[node.output(0)] = {last + 1, {}};
}

/// Of the layer added last.
void GraphImporter::add_weight(const char* name, Tensor tensor) {
  weights_.emplace_back(concat("trunk.", spec_.trunk.size() - 1, ".", name), std::move(tensor));
}

void GraphImporter::read_node(const Node& node) {
  Attributes attributes(node, source_);
  (this->*readers().at(node.op_type()))(node, attributes);
  attributes.require_all_known();
}

/// From the shape of the images to that of the graph's input.
void GraphImporter::take_images() {
  if (spec_.input == declared_) return;
  LayerSpec layer = spec::plain(declared_.size() == 1 ? LayerKind::flatten : LayerKind::unflatten);
  if (declared_.size() > 1) layer.shape = declared_;
  add_layer(Node(), layer, {static_cast<std::int64_t>(spec_.trunk.size())});
}

NetworkSpec GraphImporter::run() {
  read_initializers();
  const std::string input = read_input();
  const std::string output = chosen_output();
  const std::vector<const Node*> nodes = nodes_for(output);
  take_images();
  values_[input] = {static_cast<std::int64_t>(spec_.trunk.size()), {}};
  for (const Node* node : nodes) read_node(*node);
  const auto made = values_.find(output);
  if (made == values_.end() || made->second.is_constant() ||
      made->second.position != static_cast<std::int64_t>(spec_.trunk.size()))
    fail(concat("output '", output, "' to be made by the last layer that it needs"), "another");
  spec_.name = "imported";
  return spec_;
}

Model import_onnx_bytes(const std::string& bytes, const std::string& source, const OnnxImport& options) {
  onnx::ModelProto proto;
  if (!proto.ParseFromString(bytes) || !proto.has_graph()) {
    throw InputError(source, "an ONNX model", concat(bytes.size(), " bytes that are none"),
                     "the file is damaged or of another format");
  }
  GraphImporter importer(proto, source, options);
  const NetworkSpec spec = importer.run();
  Model out;
  out.info.model = "imported";
  out.info.dataset = options.dataset;
  out.info.normalisation = options.normalisation;
  check(options.normalisation, spec.input);
  out.info.provenance =
      Json{
          {"imported", {{"producer", proto.producer_name()}, {"producer_version", proto.producer_version()}}}}
          .dump(-1, ' ', false, Json::error_handler_t::replace);
  std::int64_t present = 0;
  for (const auto& [name, tensor] : importer.weights()) {
    present += tensor.numel();
    if (!is_floating(tensor.dtype()) || !all_finite(tensor))
      throw InputError(source, "finite weights", concat(describe(tensor), " with others in ", name));
  }
  // As for a checkpoint: no network is built that the file has no weights for.
  if (const std::int64_t promised = total_cost(spec).parameters; promised > present)
    throw InputError(source, concat(promised, " weights, as its layers need"), concat(present));
  try {
    out.network = std::make_unique<Network>(spec);
    out.network->load_state_dict(importer.weights());
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "weights that fit its layers", error.what());
  }
  out.network->eval();
  return out;
}

Model import_onnx(const std::filesystem::path& path, const OnnxImport& options) {
  return import_onnx_bytes(read_file(path, kFileLimitBytes), path.string(), options);
}

}  // namespace cbnet
