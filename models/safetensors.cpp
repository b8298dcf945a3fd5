#include "models/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "models/json.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

// The format allows 100 MB; the longest header here, a training's state with its log, has some 100 kB.
constexpr std::uint64_t kHeaderLimitBytes = 4 << 20;
constexpr std::size_t kFileLimitBytes = std::size_t{1} << 30;
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

/// The header says this about one tensor.
struct Entry {
  std::string name;
  StoredType type;
  Shape shape;
  std::uint64_t begin, end;  // in the data, bytes
};

[[noreturn]] void fail(const std::string& source, const std::string& expected, const std::string& found) {
  throw InputError(source, expected, found, "the file is damaged or is not a safetensors file");
}

Entry read_entry(const std::string& name, const Json& json, std::uint64_t data_size,
                 const std::string& source) {
  const auto type_name = json.at("dtype").get<std::string>();
  const std::optional<StoredType> type = stored_type(type_name);
  if (!type)
    fail(source, "dtype F32, F64, F16, BF16, U8, I32 or I64", concat("'", type_name, "' for ", name));
  std::vector<std::int64_t> offsets;
  get_whole(json.at("data_offsets"), offsets);
  if (offsets.size() != 2) fail(source, "two data_offsets", concat(offsets.size(), " for ", name));
  Entry entry{
      name, *type, {}, static_cast<std::uint64_t>(offsets[0]), static_cast<std::uint64_t>(offsets[1])};
  get_whole(json.at("shape"), entry.shape);
  if (entry.shape.size() > kMaxRank)
    fail(source, concat("at most ", kMaxRank, " axes"), concat(entry.shape.size(), " for ", name));
  if (entry.begin > entry.end || entry.end > data_size) {
    fail(source, concat("offsets inside the ", data_size, " data bytes"),
         concat("[", entry.begin, ", ", entry.end, ") for ", name));
  }
  const std::uint64_t size = entry.end - entry.begin;
  if (size % type->bytes != 0 || static_cast<std::uint64_t>(numel(entry.shape)) != size / type->bytes) {
    fail(source, concat("a byte range as long as shape ", to_string(entry.shape), " of ", type_name),
         concat(size, " bytes for ", name));
  }
  return entry;
}

/// Entries that overlap would make little data into much memory; no tensor is read before this.
void check_cover(const std::vector<Entry>& entries, std::uint64_t data_size, const std::string& source) {
  std::vector<const Entry*> order;
  order.reserve(entries.size());
  for (const Entry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
  });
  std::uint64_t covered = 0;
  for (const Entry* entry : order) {
    if (entry->begin != covered) {
      fail(source, "tensors that neither overlap nor leave holes",
           concat(entry->name, " at byte ", entry->begin, " where ", covered, " was expected"));
    }
    covered = entry->end;
  }
  if (covered != data_size) {
    fail(source, "tensors that fill the file", concat(data_size - covered, " bytes that belong to none"));
  }
}

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
    const Tensor dense = tensor.to(Device::cpu).contiguous();
    dispatch(dense.dtype(), [&](auto zero) {
      using T = decltype(zero);
      bytes.append(reinterpret_cast<const char*>(dense.data<T>()),
                   static_cast<std::size_t>(dense.numel()) * sizeof(T));
    });
  }
  return bytes;
}

SafetensorsFile parse_safetensors(const std::string& bytes, const std::string& source) {
  std::uint64_t header_size = 0;
  if (bytes.size() < 8) fail(source, "a safetensors header", concat("a file of ", bytes.size(), " bytes"));
  std::memcpy(&header_size, bytes.data(), 8);
  if (header_size > kHeaderLimitBytes || header_size > bytes.size() - 8) {
    fail(source,
         concat("a header that fits into the file of ", bytes.size(), " bytes and has at most ",
                kHeaderLimitBytes),
         concat("a header size of ", header_size));
  }
  const char* data = bytes.data() + 8 + header_size;
  const std::uint64_t data_size = bytes.size() - 8 - header_size;

  SafetensorsFile file;
  std::vector<Entry> entries;
  try {
    const Json header = parse_json(bytes.substr(8, static_cast<std::size_t>(header_size)), source);
    if (!header.is_object()) fail(source, "a JSON object as header", header.type_name());
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        for (const auto& [key, value] : entry.items())
          file.metadata.emplace_back(key, value.get<std::string>());
      } else {
        entries.push_back(read_entry(name, entry, data_size, source));
      }
    }
  } catch (const Json::exception& error) {
    fail(source, "a valid JSON header", error.what());
  } catch (const std::invalid_argument& error) {
    fail(source, "valid shapes", error.what());
  }
  check_cover(entries, data_size, source);
  for (const Entry& entry : entries)
    file.tensors.emplace_back(entry.name, read_tensor(entry.type, entry.shape, data + entry.begin));
  return file;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  write_file_atomic(path, serialize_safetensors(file));
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path, kFileLimitBytes), path.string());
}

}  // namespace cbnet
