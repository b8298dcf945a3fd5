#include <algorithm>
#include <filesystem>
#include <set>

#include "models/json.h"
#include "models/kinds/unflatten.h"
#include "models/onnx/graph_reader.h"
#include "models/onnx/onnx.h"
#include "models/onnx_reader.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

constexpr std::int64_t kFirstOpset = 7;
constexpr std::int64_t kLastOpset = 23;
constexpr std::int64_t kMaxInput = std::int64_t{1} << 31;
constexpr int kMaxNamed = 10;  // of what an error lists

/// Turns the nodes that one output needs into a list of layers and their weights.
class GraphImporter {
 public:
  /// Reads a graph of batches of images; with `one_image`, a graph of one image, whose batch axis, of size 1
  /// or not there, is an axis like others.
  GraphImporter(const onnx::ModelProto& model, std::string source, const OnnxImport& options,
                std::filesystem::path folder, bool one_image)
      : graph_(model.graph()),
        source_(std::move(source)),
        proto_(source_, std::move(folder)),
        options_(options),
        one_image_(one_image),
        layers_(source_, opset_of(model)) {}

  /// The layers, and the weights of those that have some.
  OnnxLayers run() {
    for (const onnx::TensorProto& proto : graph_.initializer())
      layers_.set_constant(proto.name(), proto_.tensor(proto, concat("weight '", proto.name(), "'")));
    const onnx::ValueInfoProto& input = find_input();
    const std::string output = chosen_output();
    const std::vector<OnnxNode> nodes = nodes_for(output);
    read_input(input);
    for (const OnnxNode& node : nodes) layers_.read(node);
    if (!layers_.is_last(output))
      fail(concat("output '", output, "' to be made by the last layer that it needs"), "another");
    layers_.drop_batch_of(output);
    if (layers_.spec.trunk.empty()) layers_.add(kinds::reshape_to(layers_.spec.input));
    layers_.spec.name = "imported";
    return std::move(layers_);
  }

 private:
  [[noreturn]] void fail(const std::string& expected, const std::string& found,
                         const std::string& hint = "") const {
    throw InputError(source_, expected, found, hint);
  }

  std::int64_t opset_of(const onnx::ModelProto& model) const {
    for (const onnx::OperatorSetIdProto& set : model.opset_import()) {
      if (!set.domain().empty() && set.domain() != "ai.onnx") continue;
      if (set.version() < kFirstOpset || set.version() > kLastOpset)
        fail(concat("opset ", kFirstOpset, " to ", kLastOpset), concat(set.version()));
      return set.version();
    }
    fail("the opset of the standard operators", "none", "the file is damaged or is not an ONNX model");
  }

  const onnx::ValueInfoProto& find_input() const {
    const onnx::ValueInfoProto* input = nullptr;
    for (const onnx::ValueInfoProto& candidate : graph_.input()) {
      if (layers_.knows(candidate.name())) continue;  // old files list their weights as inputs
      if (input != nullptr)
        fail("a graph with one input", concat("'", input->name(), "' and '", candidate.name(), "'"));
      input = &candidate;
    }
    if (input == nullptr) fail("a graph with one input", "none");
    return *input;
  }

  /// The graph's input and what stands in front of its first node.
  void read_input(const onnx::ValueInfoProto& input) {
    const onnx::TypeProto::Tensor& type = input.type().tensor_type();
    const std::int64_t batch = type.shape().dim_size() > 0 ? type.shape().dim(0).dim_value() : 0;
    const bool array = one_image_ && (type.shape().dim_size() == 1 || batch != 1);
    if (type.elem_type() != onnx::TensorProto::FLOAT || type.shape().dim_size() < (array ? 1 : 2)) {
      fail(concat("input '", input.name(), "' of FLOAT, with a batch axis and at least one more"),
           concat("type ", type.elem_type(), ", ", type.shape().dim_size(), " axes"));
    }
    Shape declared;
    for (int axis = array ? 0 : 1; axis < type.shape().dim_size(); ++axis) {
      const onnx::TensorShapeProto::Dimension& size = type.shape().dim(axis);
      if (size.dim_value() < 1 && axis > 0 &&
          options_.image.size() + 1 == static_cast<std::size_t>(type.shape().dim_size())) {
        declared.push_back(options_.image[static_cast<std::size_t>(axis) - 1]);
        continue;
      }
      if (size.dim_value() < 1) {
        fail(concat("a known size for axis ", axis, " of input '", input.name(), "'"),
             size.has_dim_param() ? concat("'", size.dim_param(), "'") : "none");
      }
      declared.push_back(size.dim_value());
    }
    if (*std::max_element(declared.begin(), declared.end()) > kMaxInput)
      fail(concat("sizes of at most ", kMaxInput), to_string(declared));
    const bool reshapes = !options_.image.empty() && numel(declared) == numel(options_.image);
    if (array && !options_.image.empty() && !reshapes)
      fail(concat("an input of one image, ", options_.image), to_string(declared));
    using Input = OnnxLayers::Input;
    layers_.set_input(input.name(), reshapes ? options_.image : declared,
                      array       ? 1
                      : batch > 0 ? batch
                                  : -1,
                      array        ? Input::array
                      : one_image_ ? Input::one_image
                                   : Input::images);
    // From the shape of the images to that of the graph's input.
    if (layers_.spec.input != declared) {
      layers_.add(kinds::reshape_to(declared));
    }
    layers_.rename(input.name());
  }

  std::string chosen_output() const {
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
  std::vector<OnnxNode> nodes_for(const std::string& output) {
    std::set<std::string> needed = {output};
    std::vector<OnnxNode> nodes;
    for (int i = graph_.node_size(); i-- > 0;) {
      const onnx::NodeProto& node = graph_.node(i);
      const bool used = std::any_of(node.output().begin(), node.output().end(),
                                    [&](const std::string& name) { return needed.contains(name); });
      if (!used) continue;
      nodes.push_back(proto_.node(node));
      for (std::string& name : nodes.back().outputs) {
        if (!needed.contains(name)) name.clear();
      }
      for (const std::string& name : node.input()) {
        needed.insert(name);
        layers_.count_reader(name);
      }
    }
    layers_.count_reader(output);
    std::reverse(nodes.begin(), nodes.end());
    require_known(nodes);
    return nodes;
  }

  void require_known(const std::vector<OnnxNode>& nodes) const {
    const auto& table = OnnxReaders::all().table();
    std::string unknown;
    int count = 0;
    for (const OnnxNode& node : nodes) {
      if (table.contains(node.op) && (node.domain.empty() || node.domain == "ai.onnx")) continue;
      if (++count <= kMaxNamed) unknown += (count == 1 ? "" : ", ") + node_name(node);
    }
    if (count == 0) return;
    if (count > kMaxNamed) unknown += concat(" and ", count - kMaxNamed, " more");
    std::string known;
    for (const auto& entry : table) known += (known.empty() ? "" : ", ") + entry.first;
    fail("the ops that cbnet has layers for: " + known, unknown);
  }

  const onnx::GraphProto& graph_;
  std::string source_;
  ProtoReader proto_;
  const OnnxImport& options_;
  const bool one_image_;
  OnnxLayers layers_;
};

/// Returns the layers of a graph of batches; one whose nodes mix the batch with other axes is read once more
/// as a graph of one image.
OnnxLayers layers_of(const onnx::ModelProto& proto, const std::string& source, const OnnxImport& options,
                     const std::filesystem::path& folder) {
  try {
    return GraphImporter(proto, source, options, folder, false).run();
  } catch (const InputError& first) {
    try {
      return GraphImporter(proto, source, options, folder, true).run();
    } catch (const InputError&) {
      throw InputError(first);
    }
  }
}

Model import_from(const std::string& bytes, const std::string& source, const OnnxImport& options,
                  const std::filesystem::path& folder) {
  onnx::ModelProto proto;
  if (!proto.ParseFromString(bytes) || !proto.has_graph()) {
    throw InputError(source, "an ONNX model", concat(bytes.size(), " bytes that are none"),
                     "the file is damaged or of another format");
  }
  const OnnxLayers layers = layers_of(proto, source, options, folder);
  Model out;
  out.info.model = "imported";
  out.info.dataset = options.dataset;
  out.info.normalisation = options.normalisation;
  check(options.normalisation, layers.spec.input);
  out.info.provenance =
      Json{
          {"imported", {{"producer", proto.producer_name()}, {"producer_version", proto.producer_version()}}}}
          .dump(-1, ' ', false, Json::error_handler_t::replace);
  std::int64_t present = 0;
  for (const auto& [name, tensor] : layers.weights) {
    present += tensor.numel();
    if (!is_floating(tensor.dtype()) || !all_finite(tensor))
      throw InputError(source, "finite weights", concat(describe(tensor), " with others in ", name));
  }
  // As for a checkpoint: no network is built that the file has no weights for.
  if (const std::int64_t promised = total_cost(layers.spec).parameters; promised > present)
    throw InputError(source, concat(promised, " weights, as its layers need"), concat(present));
  try {
    out.network = std::make_unique<Network>(layers.spec);
    out.network->load_state_dict(layers.weights);
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "weights that fit its layers", error.what());
  }
  out.network->eval();
  return out;
}

}  // namespace

Model import_onnx_bytes(const std::string& bytes, const std::string& source, const OnnxImport& options) {
  return import_from(bytes, source, options, {});
}

Model import_onnx(const std::filesystem::path& path, const OnnxImport& options) {
  return import_from(read_file(path, kOnnxLimitBytes), path.string(), options,
                     path == "-" ? "" : std::filesystem::absolute(path).parent_path());
}

}  // namespace cbnet
