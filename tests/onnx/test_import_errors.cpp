// What cbnet has no layer for, and what is damaged: one error that names the node.

#include <doctest/doctest.h>
#include <onnx/onnx_pb.h>

#include <functional>

#include "models/onnx/onnx.h"
#include "models/zoo.h"
#include "tensor/io.h"
#include "tests/onnx/networks.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

onnx::ModelProto classifier() {
  const TempFolder folder;
  Model model;
  model.network = random_network(classifier_spec());
  export_onnx(folder / "m.onnx", {.classifier = &model});
  onnx::ModelProto proto;
  REQUIRE(proto.ParseFromString(read_file(folder / "m.onnx")));
  return proto;
}

/// The message that a change to a good model brings about.
std::string refusal(const std::function<void(onnx::ModelProto&)>& change) {
  onnx::ModelProto proto = classifier();
  change(proto);
  try {
    import_onnx_bytes(proto.SerializeAsString(), "m.onnx", {.output = "logits"});
  } catch (const InputError& error) {
    return error.what();
  }
  return "not refused";
}

onnx::NodeProto& node(onnx::ModelProto& proto, int i) { return *proto.mutable_graph()->mutable_node(i); }

onnx::AttributeProto& attribute(onnx::NodeProto& node, const std::string& name) {
  for (onnx::AttributeProto& found : *node.mutable_attribute()) {
    if (found.name() == name) return found;
  }
  onnx::AttributeProto& added = *node.add_attribute();
  added.set_name(name);
  return added;
}

void check_refusal(const char* says, const std::function<void(onnx::ModelProto&)>& change) {
  const std::string message = refusal(change);
  INFO("message: " << message);
  CHECK(message.starts_with("m.onnx"));
  CHECK_MESSAGE(message.find(says) != std::string::npos, "expected in it: " << says);
}

}  // namespace

TEST_CASE("ops and attributes without a layer are named with their node") {
  check_refusal("'trunk.2' (Loop), 'trunk.5' (CumSum)", [](onnx::ModelProto& p) {
    node(p, 2).set_op_type("Loop");
    node(p, 5).set_op_type("CumSum");
  });
  check_refusal("'trunk.0' (Conv)", [](onnx::ModelProto& p) { node(p, 0).set_domain("com.example"); });
  check_refusal("node 'trunk.0' (Conv): expected attribute strides with 2 values; found (1,1,2)",
                [](onnx::ModelProto& p) { attribute(node(p, 0), "strides").add_ints(2); });
  const auto automatic = [](onnx::ModelProto& p, const char* value) {
    onnx::AttributeProto& pad = attribute(node(p, 0), "auto_pad");
    pad.set_type(onnx::AttributeProto::STRING);
    pad.set_s(value);
  };
  check_refusal("node 'trunk.0' (Conv): expected pads or auto_pad; found both",
                [&](onnx::ModelProto& p) { automatic(p, "SAME_LOWER"); });
  check_refusal("expected attribute auto_pad = NOTSET, VALID, SAME_UPPER or SAME_LOWER; found SAME",
                [&](onnx::ModelProto& p) {
                  for (int i = 0; i < 4; ++i) attribute(node(p, 0), "pads").set_ints(i, 0);
                  automatic(p, "SAME");
                });
  check_refusal("found 'novelty'", [](onnx::ModelProto& p) { attribute(node(p, 1), "novelty"); });
  check_refusal("attribute group of type INT; found another type", [](onnx::ModelProto& p) {
    attribute(node(p, 0), "group").set_type(onnx::AttributeProto::FLOAT);
  });
}

TEST_CASE("graphs that do not hold together are refused") {
  check_refusal("an ONNX model", [](onnx::ModelProto& p) { p.clear_graph(); });
  check_refusal("opset 7 to 23; found 99",
                [](onnx::ModelProto& p) { p.mutable_opset_import(0)->set_version(99); });
  check_refusal("an output 'logits'", [](onnx::ModelProto& p) { p.mutable_graph()->clear_output(); });
  check_refusal("a graph with one input; found none",
                [](onnx::ModelProto& p) { p.mutable_graph()->clear_input(); });
  check_refusal("a graph with one input; found 'pixels' and 'more'", [](onnx::ModelProto& p) {
    *p.mutable_graph()->add_input() = p.graph().input(0);
    p.mutable_graph()->mutable_input(1)->set_name("more");
  });
  check_refusal("a known size for axis 2", [](onnx::ModelProto& p) {
    p.mutable_graph()
        ->mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim(2)
        ->clear_dim_value();
  });
  check_refusal("inputs that are made before they are read; found 'nowhere'",
                [](onnx::ModelProto& p) { node(p, 3).set_input(0, "nowhere"); });
  check_refusal("inputs that are made before they are read",
                [](onnx::ModelProto& p) { node(p, 1).set_input(0, "trunk.5"); });
  check_refusal("input 0 to come from the network's input; found the constant 'trunk.0.weight'",
                [](onnx::ModelProto& p) { node(p, 0).set_input(0, "trunk.0.weight"); });
  check_refusal("node 'trunk.7' (Gemm): expected sizes that fit",
                [](onnx::ModelProto& p) { node(p, 7).set_input(0, "trunk.5"); });
}

TEST_CASE("weights that are not what they promise are refused") {
  const auto weight = [](onnx::ModelProto& p) -> onnx::TensorProto& {
    return *p.mutable_graph()->mutable_initializer(0);
  };
  check_refusal("weight 'trunk.0.weight': expected 150 values for shape (6,1,5,5); found 125",
                [&](onnx::ModelProto& p) { weight(p).set_dims(0, 6); });
  check_refusal("sizes of 0 to 2^31", [&](onnx::ModelProto& p) { weight(p).set_dims(0, -6); });
  check_refusal("a tensor of FLOAT, DOUBLE, INT32, INT64 or BOOL; found STRING",
                [&](onnx::ModelProto& p) { weight(p).set_data_type(onnx::TensorProto::STRING); });
  check_refusal("its data in the same file",
                [&](onnx::ModelProto& p) { weight(p).set_data_location(onnx::TensorProto::EXTERNAL); });
  check_refusal("finite weights", [&](onnx::ModelProto& p) {
    weight(p).mutable_raw_data()->replace(0, 4, std::string("\0\0\xc0\x7f", 4));
  });
  check_refusal("at most 8 axes", [&](onnx::ModelProto& p) {
    for (int i = 0; i < 9; ++i) weight(p).add_dims(1);
  });
}

TEST_CASE("bytes that are no model are refused") {
  CHECK_THROWS_SAYING(import_onnx_bytes("hello", "x.onnx", {}), InputError, "x.onnx: expected an ONNX model");
  CHECK_THROWS_SAYING(import_onnx("/nonexistent.onnx", {}), InputError, "a readable file");
  const std::string good = classifier().SerializeAsString();
  CHECK_THROWS_SAYING(
      import_onnx_bytes(good, "m.onnx", {}), InputError,
      "a graph with one output; found label, probabilities, logits; hint: name one with --output");
  for (std::size_t size = 0; size < good.size(); size += 97) {
    CHECK_THROWS_AS(import_onnx_bytes(good.substr(0, size), "m.onnx", {.output = "logits"}), InputError);
  }
}
