#include "models/onnx/graph_reader.h"

#include <algorithm>
#include <cstring>

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

std::string node_name(const onnx::NodeProto& node) {
  std::string name = node.name();
  if (name.empty() && node.output_size() > 0) name = node.output(0);
  return "'" + name + "' (" + node.op_type() + ")";
}

Attributes::Attributes(const onnx::NodeProto& node, std::string source)
    : node_(node), source_(std::move(source)) {}

void Attributes::fail(const std::string& expected, const std::string& found) const {
  throw InputError(concat(source_, ": node ", node_name(node_)), expected, found);
}

const onnx::AttributeProto* Attributes::find(const std::string& name,
                                             onnx::AttributeProto::AttributeType type) {
  known_.push_back(name);
  for (const onnx::AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() != name) continue;
    if (attribute.type() != type) {
      fail(concat("attribute ", name, " of type ", onnx::AttributeProto::AttributeType_Name(type)),
           "another type");
    }
    return &attribute;
  }
  return nullptr;
}

std::int64_t Attributes::integer(const std::string& name, std::int64_t usual) {
  const onnx::AttributeProto* found = find(name, onnx::AttributeProto::INT);
  return found == nullptr ? usual : found->i();
}

double Attributes::number(const std::string& name, double usual) {
  const onnx::AttributeProto* found = find(name, onnx::AttributeProto::FLOAT);
  return found == nullptr ? usual : static_cast<double>(found->f());
}

std::string Attributes::text(const std::string& name, const std::string& usual) {
  const onnx::AttributeProto* found = find(name, onnx::AttributeProto::STRING);
  return found == nullptr ? usual : found->s();
}

std::vector<std::int64_t> Attributes::integers(const std::string& name, std::vector<std::int64_t> usual) {
  const onnx::AttributeProto* found = find(name, onnx::AttributeProto::INTS);
  return found == nullptr ? usual : std::vector<std::int64_t>(found->ints().begin(), found->ints().end());
}

std::int64_t Attributes::same(const std::string& name, std::size_t count, std::int64_t usual) {
  const std::vector<std::int64_t> values = integers(name, std::vector<std::int64_t>(count, usual));
  const bool all = values.size() == count &&
                   std::all_of(values.begin(), values.end(), [&](std::int64_t v) { return v == values[0]; });
  if (!all) fail(concat("attribute ", name, " with ", count, " equal values"), to_string(values));
  return values[0];
}

void Attributes::must_be(const std::string& name, std::int64_t value) {
  const std::int64_t found = integer(name, value);
  if (found != value) fail(concat("attribute ", name, " = ", value), concat(found));
}

void Attributes::require_all_known() const {
  for (const onnx::AttributeProto& attribute : node_.attribute()) {
    if (std::find(known_.begin(), known_.end(), attribute.name()) == known_.end())
      fail("no attributes besides those that cbnet knows", concat("'", attribute.name(), "'"));
  }
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
