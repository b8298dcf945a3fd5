// The ONNX standard's own node tests, from wherever they lie: which are loaded, which are right, by op. A
// folder of them holds folders with model.onnx and test_data_set_0/{input,output}_0.pb.
//
// A network has one input. So a test is tried in two ways, and the first that is loaded counts: its first
// input is that of the network, the others are weights; all of its inputs are parts of one, which slices take
// apart again. What opsets before 7 say is read as opset 7, which says the same of these ops.

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <set>

#include "models/onnx/graph_reader.h"
#include "tensor/io.h"
#include "tests/onnx/graphs.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

namespace fs = std::filesystem;

/// Why a test is not one for this program.
struct Skipped {
  std::string why;
};

/// The standard's own tolerances, about: |got - expected| <= 1e-5 + 1e-4 |expected|.
bool is_close(float got, float expected) {
  if (std::isnan(expected) || std::isinf(expected))
    return got == expected || (std::isnan(got) && std::isnan(expected));
  return std::fabs(got - expected) <= 1e-5F + 1e-4F * std::fabs(expected);
}

class NodeTest {
 public:
  explicit NodeTest(const fs::path& folder) {
    if (!model_.ParseFromString(read_file(folder / "model.onnx"))) throw Skipped{"no model"};
    onnx::OperatorSetIdProto& opset = *model_.mutable_opset_import(0);
    opset.set_version(std::max<std::int64_t>(opset.version(), 7));
    op_ = model_.graph().node_size() == 1 ? model_.graph().node(0).op_type() : "several";
    if (op_ == "several") {
      for (const onnx::NodeProto& node : model_.graph().node()) op_ = node.op_type();
    }
    const fs::path data = folder / "test_data_set_0";
    for (int i = 0; i < model_.graph().input_size(); ++i) inputs_.push_back(tensor_in(data, "input", i));
    for (int i = 0; i < model_.graph().output_size(); ++i) outputs_.push_back(tensor_in(data, "output", i));
  }

  const std::string& op() const { return op_; }

  /// Throws Skipped where there is nothing to load, InputError where it is refused; returns what is wrong.
  std::string run() const {
    if (inputs_.empty()) throw Skipped{"no input"};
    if (outputs_[0].data_type() != onnx::TensorProto::FLOAT) throw Skipped{"its output is not FLOAT"};
    if (inputs_[0].data_type() != onnx::TensorProto::FLOAT) throw Skipped{"its input is not FLOAT"};
    const auto compared = [&](const onnx::ModelProto& proto, const Tensor& x) -> std::optional<std::string> {
      try {
        return compare(proto, x);
      } catch (const InputError&) {
        return std::nullopt;
      }
    };
    const Tensor x = tensor_of(inputs_[0]);
    std::optional<std::string> wrong = compared(with_weights(), x);
    if (!wrong && are_images()) wrong = compared(with_parts(), all_parts());
    return wrong ? *wrong : compare(with_weights(), x);  // throws once more
  }

 private:
  static onnx::TensorProto tensor_in(const fs::path& folder, const char* what, int i) {
    onnx::TensorProto out;
    const fs::path file = folder / concat(what, "_", i, ".pb");
    if (!fs::exists(file) || !out.ParseFromString(read_file(file))) throw Skipped{"no tensors"};
    return out;
  }
  static Tensor tensor_of(const onnx::TensorProto& proto) {
    return ProtoReader("test").tensor(proto, "tensor");
  }

  onnx::ModelProto with_weights() const {
    onnx::ModelProto out = model_;
    for (std::size_t i = 1; i < inputs_.size(); ++i) {
      onnx::TensorProto& weight = *out.mutable_graph()->add_initializer();
      weight = inputs_[i];
      weight.set_name(model_.graph().input(static_cast<int>(i)).name());
    }
    return out;
  }

  /// All inputs are FLOAT, of as many images.
  bool are_images() const {
    return inputs_.size() > 1 &&
           std::all_of(inputs_.begin(), inputs_.end(), [&](const onnx::TensorProto& each) {
             return each.data_type() == onnx::TensorProto::FLOAT && each.dims_size() >= 2 &&
                    each.dims(0) == inputs_[0].dims(0);
           });
  }

  onnx::ModelProto with_parts() const {
    onnx::ModelProto out = model_;
    onnx::GraphProto& graph = *out.mutable_graph();
    graph.clear_node();
    graph.clear_input();
    GraphWriter writer(graph, graph);
    const bool lists = model_.opset_import(0).version() >= 10;
    std::int64_t at = 0;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const std::string &name = model_.graph().input(static_cast<int>(i)).name(), part = name + ".part";
      Shape shape(inputs_[i].dims().begin(), inputs_[i].dims().end());
      const std::int64_t size = numel(shape) / shape[0];
      if (lists)
        writer.node("Slice", part,
                    {"all", writer.integers(part + ".start", {at}),
                     writer.integers(part + ".end", {at + size}), writer.integers(part + ".axis", {1})});
      else
        writer.node("Slice", part, {"all"},
                    {{"starts", Shape{at}}, {"ends", Shape{at + size}}, {"axes", Shape{1}}});
      shape[0] = 0;  // as it is
      writer.node("Reshape", name, {part, writer.integers(part + ".shape", shape)});
      at += size;
    }
    writer.input("all", "N", {at});
    for (const onnx::NodeProto& node : model_.graph().node()) *graph.add_node() = node;
    return out;
  }

  Tensor all_parts() const {
    std::vector<Tensor> parts;
    std::int64_t columns = 0;
    for (const onnx::TensorProto& each : inputs_) {
      parts.push_back(tensor_of(each).view({each.dims(0), -1}));
      columns += parts.back().size(1);
    }
    Tensor out = Tensor::empty({parts[0].size(0), columns});
    std::int64_t at = 0;
    for (const Tensor& part : parts) {
      out.slice(1, at, at + part.size(1)).copy_from(part);
      at += part.size(1);
    }
    return out;
  }

  /// What is wrong with the outputs of the network and of the plans.
  std::string compare(const onnx::ModelProto& proto, const Tensor& x) const {
    std::string wrong;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const Model model = import_onnx_bytes(proto.SerializeAsString(), "test",
                                            {.output = proto.graph().output(static_cast<int>(i)).name()});
      const Tensor expected = tensor_of(outputs_[i]);
      // All axes may be those of one image, which answers without a batch axis, unless that is of size 1.
      const bool one_image = model.network->spec().input.size() == x.shape().size();
      const Tensor images = one_image ? x.unsqueeze(0) : x;
      const Tensor y = eager_answer(model, images);
      const Shape image(y.shape().begin() + 1, y.shape().end());
      if (y.shape() != expected.shape() && !(y.size(0) == 1 && image == expected.shape()))
        wrong += concat(" shape ", y.shape(), " instead of ", expected.shape());
      else
        wrong += difference("network", y.to_vector<float>(), expected);
      for (const Isa isa : available_isas()) {
        try {
          wrong += difference("plan", plan_answer(model, images, isa), expected);
        } catch (const std::invalid_argument& refused) {
          wrong += concat(" plan refused: ", refused.what());
        }
      }
    }
    return wrong;
  }

  static std::string difference(const char* who, const std::vector<float>& got, const Tensor& expected) {
    const std::vector<float> values = expected.to_vector<float>();
    if (got.size() != values.size())
      return concat(" ", who, ": ", got.size(), " numbers instead of ", values.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (!is_close(got[i], values[i]))
        return concat(" ", who, ": ", got[i], " instead of ", values[i], " at ", i);
    }
    return "";
  }

  onnx::ModelProto model_;
  std::string op_;
  std::vector<onnx::TensorProto> inputs_, outputs_;
};

struct Count {
  int right = 0, refused = 0, wrong = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool verbose = std::find(words.begin(), words.end(), "--verbose") != words.end();
  std::vector<fs::path> folders;
  for (const std::string& word : words) {
    if (word == "--verbose") continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(word))
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  std::map<std::string, Count> by_op;
  int skipped = 0;
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    std::string op = "?";
    const auto tell = [&](const char* what, const std::string& why) {
      std::cout << what << " " << name << " (" << op << "): " << why << "\n";
    };
    try {
      const NodeTest test(folder);
      op = test.op();
      const std::string wrong = test.run();
      ++(wrong.empty() ? by_op[op].right : by_op[op].wrong);
      if (!wrong.empty()) tell("wrong  ", wrong);
    } catch (const Skipped& skip) {
      ++skipped;
      if (verbose) tell("skipped", skip.why);
    } catch (const InputError& error) {
      ++by_op[op].refused;
      if (verbose) tell("refused", error.what());
    } catch (const std::exception& error) {
      ++by_op[op].wrong;
      tell("wrong  ", error.what());
    }
  }
  Count all;
  const auto text = [](const Count& count) {
    return concat(count.right, " right, ", count.refused, " refused, ", count.wrong, " wrong");
  };
  for (const auto& [op, count] : by_op) {
    all.right += count.right;
    all.refused += count.refused;
    all.wrong += count.wrong;
    if (count.right + count.wrong > 0) std::cout << op << ": " << text(count) << "\n";
  }
  std::cout << "all ops: " << text(all) << "; " << skipped << " without FLOAT in and out\n";
  return all.wrong > 0 || all.right == 0 ? 1 : 0;
}
