#include "models/onnx/graph_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

#include "models/onnx_reader.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxRank = 8;

std::string type_name(int dtype) {
  return onnx::TensorProto::DataType_IsValid(dtype)
             ? onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(dtype))
             : std::to_string(dtype);
}

/// Returns as many elements as the shape has, from raw bytes where there are some, else from the field for
/// their type.
template <class Stored, class Kept, class Field>
Tensor elements(const Field& field, const std::optional<std::string_view>& raw, const Shape& shape,
                const std::string& where) {
  const auto count = static_cast<std::size_t>(numel(shape));
  const std::size_t found = raw ? raw->size() / sizeof(Stored) : static_cast<std::size_t>(field.size());
  if (found != count || (raw && raw->size() % sizeof(Stored) != 0)) {
    throw InputError(where, concat(count, " values for shape ", to_string(shape)), concat(found),
                     "the file is damaged");
  }
  std::vector<Kept> values(count);
  if (raw) {
    for (std::size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, raw->data() + i * sizeof value, sizeof value);
      values[i] = static_cast<Kept>(value);
    }
  } else {
    std::transform(field.begin(), field.end(), values.begin(),
                   [](auto value) { return static_cast<Kept>(value); });
  }
  return Tensor::from(values, shape);
}

Shape shape_of(const onnx::TensorProto& proto, const std::string& where) {
  if (proto.dims_size() > kMaxRank)
    throw InputError(where, concat("at most ", kMaxRank, " axes"), concat(proto.dims_size()));
  Shape shape(proto.dims().begin(), proto.dims().end());
  for (const std::int64_t size : shape) {
    if (size < 0 || size > (std::int64_t{1} << 31))
      throw InputError(where, "sizes of 0 to 2^31", to_string(shape), "the file is damaged");
  }
  try {
    static_cast<void>(numel(shape));
  } catch (const std::invalid_argument& error) {
    throw InputError(where, "a shape that memory can hold", error.what(), "the file is damaged");
  }
  return shape;
}

/// Bytes of one element; 0 for types that are not read.
std::size_t element_bytes(int dtype) {
  switch (dtype) {
    case onnx::TensorProto::BOOL:
      return 1;
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
      return 4;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
      return 8;
    default:
      return 0;
  }
}

/// A tensor's data lie here in another file.
struct External {
  External(const onnx::TensorProto& proto, const std::string& where) {
    for (const onnx::StringStringEntryProto& entry : proto.external_data()) {
      const std::string& text = entry.value();
      if (entry.key() == "location") location = text;
      if (entry.key() != "offset" && entry.key() != "length") continue;
      std::uint64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size())
        throw InputError(where, concat("a number of bytes as ", entry.key(), " of its data"), text);
      if (entry.key() == "offset")
        offset = number;
      else
        length = number;
    }
  }
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

/// The file called `location`, of the folder and not behind a path or a link that leaves it.
fs::path file_in(const fs::path& folder, const std::string& location, const std::string& where) {
  const fs::path file = folder / location;
  std::error_code error;
  const fs::path within = fs::relative(fs::weakly_canonical(file, error), fs::canonical(folder, error));
  if (location.empty() || fs::path(location).is_absolute() || within.empty() || *within.begin() == "..")
    throw InputError(where, "its data in a file of the model's folder", concat("'", location, "'"));
  if (!fs::is_regular_file(file, error))
    throw InputError(where, concat("its data in the file ", file.string()), "no such file",
                     "keep it beside the model");
  return file;
}

}  // namespace

OnnxNode ProtoReader::node(const onnx::NodeProto& proto) {
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
        value = tensor(attribute.t(), concat("node ", node_name(out)));
        break;
      default:
        break;
    }
    out.attributes.emplace_back(attribute.name(), std::move(value));
  }
  return out;
}

std::string ProtoReader::external_bytes(const onnx::TensorProto& proto, std::size_t needed,
                                        const std::string& where) {
  if (folder_.empty())
    throw InputError(where, "its data in the same file", "data in another file", "import it from its folder");
  const External data(proto, where);
  const fs::path file = file_in(folder_, data.location, where);
  if (data.length.value_or(needed) != needed)
    throw InputError(where, concat(needed, " bytes"), concat(*data.length), "the file is damaged");
  bytes_read_ += needed;
  if (needed > kOnnxLimitBytes || bytes_read_ > kOnnxLimitBytes)
    throw InputError(where, concat("data of at most ", kOnnxLimitBytes, " bytes together"), "more");
  std::error_code error;
  const std::uint64_t size = fs::file_size(file, error);
  if (error || data.offset > size || needed > size - data.offset)
    throw InputError(where, concat(needed, " bytes from ", data.offset, " in ", file.string()),
                     concat("a file of ", size), "it is truncated, or of another model");
  std::string bytes(needed, '\0');
  std::ifstream in(file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(data.offset));
  if (!in.read(bytes.data(), static_cast<std::streamsize>(needed)))
    throw InputError(where, concat("a readable file ", file.string()), "one that is not");
  return bytes;
}

Tensor ProtoReader::tensor(const onnx::TensorProto& proto, const std::string& name) {
  const std::string where = concat(source_, ": ", name);
  const Shape shape = shape_of(proto, where);
  const std::size_t each = element_bytes(proto.data_type());
  std::optional<std::string_view> raw;
  std::string external;
  if (each > 0 && (proto.data_location() == onnx::TensorProto::EXTERNAL || proto.external_data_size() > 0)) {
    external = external_bytes(proto, each * static_cast<std::size_t>(numel(shape)), where);
    raw = external;
  } else if (proto.has_raw_data()) {
    raw = proto.raw_data();
  }
  switch (proto.data_type()) {
    case onnx::TensorProto::FLOAT:
      return elements<float, float>(proto.float_data(), raw, shape, where);
    case onnx::TensorProto::DOUBLE:
      return elements<double, float>(proto.double_data(), raw, shape, where);
    case onnx::TensorProto::INT64:
      return elements<std::int64_t, std::int64_t>(proto.int64_data(), raw, shape, where);
    case onnx::TensorProto::INT32:
      return elements<std::int32_t, std::int64_t>(proto.int32_data(), raw, shape, where);
    case onnx::TensorProto::BOOL:
      return elements<std::uint8_t, std::int64_t>(proto.int32_data(), raw, shape, where);
    default:
      throw InputError(where, "a tensor of FLOAT, DOUBLE, INT32, INT64 or BOOL",
                       type_name(proto.data_type()));
  }
}

}  // namespace cbnet
