#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet {

/// A safetensors file is an 8-byte little-endian header size, a JSON header with every tensor's dtype, shape
/// and byte range, then the bytes. Metadata maps strings to strings.
/// Format: https://huggingface.co/docs/safetensors (format description).
struct SafetensorsFile {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<std::pair<std::string, Tensor>> tensors;

  /// Returns the entry's value, or null.
  const std::string* find_metadata(const std::string& key) const;
};

/// Returns the bytes of such a file; the same content gives the same bytes. Dtypes F32, F64, U8, I32, I64.
std::string serialize_safetensors(const SafetensorsFile& file);

/// Reads such a file's bytes. Throws InputError (with `source` as the file's name) for a header that is too
/// long, is not the JSON expected, names an unknown dtype, or has byte ranges that overlap, leave holes, miss
/// the shape or leave the file. F16 and BF16 tensors are read as f32.
SafetensorsFile parse_safetensors(const std::string& bytes, const std::string& source);

/// Writes a file; the previous one stays until the new one is complete.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);
SafetensorsFile read_safetensors(const std::filesystem::path& path);

}  // namespace cbnet
