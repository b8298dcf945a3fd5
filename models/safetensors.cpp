#include "models/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "tensor/io.h"

namespace cbnet {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kHeaderLimitBytes = 100'000'000;  // the format's own limit
constexpr int kMaxRank = 8;

const char* format_name(DType dtype) {
  constexpr const char* kNames[] = {"F32", "F64", "U8", "I32", "I64"};
  return kNames[static_cast<int>(dtype)];
}

struct StoredType {
  DType dtype;        // in memory
  std::size_t bytes;  // in the file
  enum { same, f16, bf16 } encoding = same;
};

std::optional<StoredType> stored_type(const std::string& name) {
  for (const DType dtype : {DType::f32, DType::f64, DType::u8, DType::i32, DType::i64}) {
    if (name == format_name(dtype)) return StoredType{dtype, size_bytes(dtype)};
  }
  if (name == "F16") return StoredType{DType::f32, 2, StoredType::f16};
  if (name == "BF16") return StoredType{DType::f32, 2, StoredType::bf16};
  return std::nullopt;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFFU : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

Tensor read_tensor(const StoredType& type, const Shape& shape, const char* bytes) {
  Tensor out = Tensor::empty(shape, type.dtype);
  const auto count = static_cast<std::size_t>(out.numel());
  if (type.encoding == StoredType::same) {
    dispatch(type.dtype, [&](auto zero) {
      if (count > 0) std::memcpy(out.data<decltype(zero)>(), bytes, count * type.bytes);
    });
    return out;
  }
  auto* values = out.data<float>();
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t word = 0;
    std::memcpy(&word, bytes + 2 * i, 2);
    values[i] = type.encoding == StoredType::f16
                    ? half_to_float(word)
                    : std::bit_cast<float>(static_cast<std::uint32_t>(word) << 16);
  }
  return out;
}

struct Range {
  std::uint64_t begin, end;
  std::string name;
};

}  // namespace

const std::string* SafetensorsFile::find_metadata(const std::string& key) const {
  for (const auto& [name, value] : metadata) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string serialize_safetensors(const SafetensorsFile& file) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian");
  Json header = Json::object();
  if (!file.metadata.empty()) {
    Json metadata = Json::object();
    for (const auto& [key, value] : file.metadata) metadata[key] = value;
    header["__metadata__"] = std::move(metadata);
  }
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    require(name != "__metadata__" && !header.contains(name), "safetensors", "tensor name '", name,
            "' is reserved or used twice");
    const std::uint64_t size = static_cast<std::uint64_t>(tensor.numel()) * size_bytes(tensor.dtype());
    header[name] = {{"dtype", format_name(tensor.dtype())},
                    {"shape", tensor.shape()},
                    {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // keeps the data aligned

  std::string bytes(8, '\0');
  const std::uint64_t header_size = text.size();
  std::memcpy(bytes.data(), &header_size, 8);
  bytes.reserve(8 + text.size() + offset);
  bytes += text;
  for (const auto& [name, tensor] : file.tensors) {
    const Tensor dense = tensor.contiguous();
    dispatch(dense.dtype(), [&](auto zero) {
      using T = decltype(zero);
      bytes.append(reinterpret_cast<const char*>(dense.data<T>()),
                   static_cast<std::size_t>(dense.numel()) * sizeof(T));
    });
  }
  return bytes;
}

SafetensorsFile parse_safetensors(const std::string& bytes, const std::string& source) {
  const auto fail = [&](const std::string& expected, const std::string& found) {
    throw InputError(source, expected, found, "the file is damaged or is not a safetensors file");
  };
  std::uint64_t header_size = 0;
  if (bytes.size() < 8) fail("a safetensors header", concat("a file of ", bytes.size(), " bytes"));
  std::memcpy(&header_size, bytes.data(), 8);
  if (header_size > kHeaderLimitBytes || header_size > bytes.size() - 8) {
    fail(concat("a header that fits into the file of ", bytes.size(), " bytes"),
         concat("a header size of ", header_size));
  }
  const char* data = bytes.data() + 8 + header_size;
  const std::uint64_t data_size = bytes.size() - 8 - header_size;

  SafetensorsFile file;
  std::vector<Range> ranges;
  try {
    const Json header =
        Json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<std::ptrdiff_t>(header_size));
    if (!header.is_object()) fail("a JSON object as header", header.type_name());
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        for (const auto& [key, value] : entry.items())
          file.metadata.emplace_back(key, value.get<std::string>());
        continue;
      }
      const auto type_name = entry.at("dtype").get<std::string>();
      const std::optional<StoredType> type = stored_type(type_name);
      if (!type) fail("dtype F32, F64, F16, BF16, U8, I32 or I64", concat("'", type_name, "' for ", name));
      const auto shape = entry.at("shape").get<Shape>();
      if (shape.size() > kMaxRank)
        fail(concat("at most ", kMaxRank, " axes"), concat(shape.size(), " for ", name));
      const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
      const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
      if (begin > end || end > data_size) {
        fail(concat("offsets inside the ", data_size, " data bytes"),
             concat("[", begin, ", ", end, ") for ", name));
      }
      if ((end - begin) % type->bytes != 0 ||
          static_cast<std::uint64_t>(numel(shape)) != (end - begin) / type->bytes) {
        fail(concat("a byte range as long as shape ", to_string(shape), " of ", type_name),
             concat(end - begin, " bytes for ", name));
      }
      ranges.push_back({begin, end, name});
      file.tensors.emplace_back(name, read_tensor(*type, shape, data + begin));
    }
  } catch (const Json::exception& error) {
    fail("a valid JSON header", error.what());
  } catch (const std::invalid_argument& error) {
    fail("valid shapes", error.what());
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t covered = 0;
  for (const Range& range : ranges) {
    if (range.begin != covered) {
      fail("tensors that neither overlap nor leave holes",
           concat(range.name, " at byte ", range.begin, " where ", covered, " was expected"));
    }
    covered = range.end;
  }
  if (covered != data_size) {
    fail("tensors that fill the file", concat(data_size - covered, " bytes that belong to none"));
  }
  return file;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  write_file_atomic(path, serialize_safetensors(file));
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path), path.string());
}

}  // namespace cbnet
