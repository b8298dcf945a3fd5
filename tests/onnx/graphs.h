#pragma once

// Small ONNX graphs, and what the networks and plans that they become answer.

#include <onnx/onnx_pb.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "models/compile.h"
#include "models/onnx/graph_writer.h"
#include "models/onnx/onnx.h"
#include "runtime/plan.h"

namespace cbnet::testing {

/// A graph of one opset with the input "x", whose batch is open, and the output "y".
class SmallGraph {
 public:
  explicit SmallGraph(const Shape& sample, std::int64_t opset = 13)
      : writer_(*model_.mutable_graph(), *model_.mutable_graph()) {
    model_.set_ir_version(8);
    model_.mutable_graph()->set_name("small");
    model_.add_opset_import()->set_version(opset);
    writer_.input("x", "N", sample);
    model_.mutable_graph()->add_output()->set_name("y");
  }

  /// A node that makes "y", or the value called `name`.
  onnx::NodeProto& op(const std::string& type, const GraphWriter::Names& reads,
                      const OnnxNode::Attributes& attributes = {}, const std::string& name = "y") {
    return writer_.node(type, name, reads, attributes);
  }
  std::string constant(const std::string& name, const Tensor& value) { return writer_.weight(name, value); }
  std::string numbers(const std::string& name, const std::vector<std::int64_t>& values) {
    return writer_.integers(name, values);
  }
  onnx::ModelProto& proto() { return model_; }
  Model imported() const { return import_onnx_bytes(model_.SerializeAsString(), "m.onnx", {}); }
  /// The message of its refusal.
  std::string refusal() const {
    try {
      imported();
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  }

 private:
  onnx::ModelProto model_;
  GraphWriter writer_;
};

inline void set_text(onnx::NodeProto& node, const std::string& name, const std::string& value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

inline Tensor eager_answer(const Model& model, const Tensor& x) {
  const NoGrad no_grad;
  return model.network->forward(Variable(x)).value().contiguous();
}

inline std::vector<float> plan_answer(const Model& model, const Tensor& x, Isa isa) {
  const runtime::Plan plan(autoencoder_graph(*model.network, 1.0), isa);
  runtime::Workspace workspace(plan);
  const auto got = plan.run(x.contiguous().data<float>(), x.size(0), workspace).output;
  return {got.begin(), got.end()};
}

}  // namespace cbnet::testing
