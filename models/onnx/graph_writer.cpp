#include "models/onnx/graph_writer.h"

#include "tensor/error.h"

namespace cbnet {
namespace {

void add_attribute(onnx::NodeProto& node, const std::string& name, const OnnxNode::Value& value) {
  onnx::AttributeProto& out = *node.add_attribute();
  out.set_name(name);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    out.set_type(onnx::AttributeProto::INT);
    out.set_i(*integer);
  } else if (const auto* number = std::get_if<float>(&value)) {
    out.set_type(onnx::AttributeProto::FLOAT);
    out.set_f(*number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    out.set_type(onnx::AttributeProto::STRING);
    out.set_s(*text);
  } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
    out.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t each : *integers) out.add_ints(each);
  } else {
    throw std::logic_error("no attribute of this type is written: " + name);
  }
}

void set_type(onnx::ValueInfoProto& value, const std::string& name, int dtype, const std::string& batch,
              const Shape& sample) {
  value.set_name(name);
  onnx::TypeProto::Tensor& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(dtype);
  onnx::TensorShapeProto::Dimension& first = *type.mutable_shape()->add_dim();
  if (batch.empty())
    first.set_dim_value(1);
  else
    first.set_dim_param(batch);
  for (const std::int64_t size : sample) type.mutable_shape()->add_dim()->set_dim_value(size);
}

}  // namespace

onnx::NodeProto& GraphWriter::node(const std::string& op, const std::string& name, const Names& inputs,
                                   const OnnxNode::Attributes& attributes) {
  onnx::NodeProto& out = *graph_.add_node();
  out.set_op_type(op);
  out.set_name(name);
  for (const std::string& input : inputs) out.add_input(input);
  out.add_output(name);
  for (const auto& [key, value] : attributes) add_attribute(out, key, value);
  return out;
}

std::string GraphWriter::weight(const std::string& name, const Tensor& value) {
  onnx::TensorProto& out = *weights_.add_initializer();
  out.set_name(name);
  for (const std::int64_t size : value.shape()) out.add_dims(size);
  const Tensor dense = value.to(Device::cpu).contiguous();
  const auto raw = [&](int dtype, const auto* elements) {
    out.set_data_type(dtype);
    // Little-endian, as every machine that cbnet builds on.
    out.set_raw_data(elements, static_cast<std::size_t>(dense.numel()) * sizeof(*elements));
  };
  if (value.dtype() == DType::i64)
    raw(onnx::TensorProto::INT64, dense.data<std::int64_t>());
  else if (value.dtype() == DType::f64)
    raw(onnx::TensorProto::DOUBLE, dense.data<double>());
  else
    raw(onnx::TensorProto::FLOAT, dense.data<float>());
  return name;
}

std::string GraphWriter::integers(const std::string& name, const std::vector<std::int64_t>& values) {
  return weight(name, Tensor::from(values, {static_cast<std::int64_t>(values.size())}));
}

std::string GraphWriter::scalar(const std::string& name, float value) {
  return weight(name, Tensor::full({}, static_cast<double>(value)));
}

void GraphWriter::input(const std::string& name, const std::string& batch, const Shape& sample) {
  set_type(*graph_.add_input(), name, onnx::TensorProto::FLOAT, batch, sample);
}

void GraphWriter::output(const std::string& name, int dtype, const std::string& batch, const Shape& sample) {
  set_type(*graph_.add_output(), name, dtype, batch, sample);
}

}  // namespace cbnet
