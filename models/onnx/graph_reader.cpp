#include "models/onnx/graph_reader.h"

#include <algorithm>
#include <cstring>

#include "models/onnx_reader.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr std::int64_t kMaxRank = 8;

std::string type_name(int dtype) {
  return onnx::TensorProto::DataType_IsValid(dtype)
             ? onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(dtype))
             : std::to_string(dtype);
}

/// The elements, from wherever the writer put them; `count` of them.
template <class T, class Field>
Tensor elements(const onnx::TensorProto& proto, const Field& field, const Shape& shape,
                const std::string& source) {
  const auto count = static_cast<std::size_t>(numel(shape));
  const std::string& raw = proto.raw_data();
  const bool packed = proto.has_raw_data();
  const std::size_t found = packed ? raw.size() / sizeof(T) : static_cast<std::size_t>(field.size());
  if (found != count || (packed && raw.size() % sizeof(T) != 0)) {
    throw InputError(source, concat(count, " values for shape ", to_string(shape)), concat(found),
                     "the file is damaged");
  }
  std::vector<T> values(count);
  if (packed) {
    if (count > 0) std::memcpy(values.data(), raw.data(), raw.size());
  } else {
    std::copy(field.begin(), field.end(), values.begin());
  }
  return Tensor::from(values, shape);
}

}  // namespace

OnnxNode node_of(const onnx::NodeProto& proto, const std::string& source) {
  OnnxNode out{proto.op_type(), proto.name(), proto.domain(), {}, {}};
  out.inputs.assign(proto.input().begin(), proto.input().end());
  out.outputs.assign(proto.output().begin(), proto.output().end());
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    OnnxNode::Value value;
    switch (attribute.type()) {
      case onnx::AttributeProto::INT:
        value = attribute.i();
        break;
      case onnx::AttributeProto::FLOAT:
        value = attribute.f();
        break;
      case onnx::AttributeProto::STRING:
        value = attribute.s();
        break;
      case onnx::AttributeProto::INTS:
        value = std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end());
        break;
      case onnx::AttributeProto::FLOATS:
        value = std::vector<float>(attribute.floats().begin(), attribute.floats().end());
        break;
      case onnx::AttributeProto::TENSOR:
        value = tensor_of(attribute.t(), concat(source, ": node ", node_name(out)));
        break;
      default:
        break;
    }
    out.attributes.emplace_back(attribute.name(), std::move(value));
  }
  return out;
}

Tensor tensor_of(const onnx::TensorProto& proto, const std::string& source) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL || proto.external_data_size() > 0) {
    throw InputError(source, "its data in the same file", "data in another file",
                     "save the model as one file");
  }
  if (proto.dims_size() > kMaxRank) {
    throw InputError(source, concat("at most ", kMaxRank, " axes"), concat(proto.dims_size()));
  }
  Shape shape(proto.dims().begin(), proto.dims().end());
  for (const std::int64_t size : shape) {
    if (size < 0 || size > (std::int64_t{1} << 31))
      throw InputError(source, "sizes of 0 to 2^31", to_string(shape), "the file is damaged");
  }
  try {
    static_cast<void>(numel(shape));
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "a shape that memory can hold", error.what(), "the file is damaged");
  }
  switch (proto.data_type()) {
    case onnx::TensorProto::FLOAT:
      return elements<float>(proto, proto.float_data(), shape, source);
    case onnx::TensorProto::DOUBLE:
      return elements<double>(proto, proto.double_data(), shape, source).to(DType::f32);
    case onnx::TensorProto::INT64:
      return elements<std::int64_t>(proto, proto.int64_data(), shape, source);
    default:
      throw InputError(source, "a tensor of FLOAT, DOUBLE or INT64", type_name(proto.data_type()));
  }
}

}  // namespace cbnet
