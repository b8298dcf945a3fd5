#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace cbnet {

/// The bytes of a file. InputError when it is missing, is not a regular file or exceeds `limit_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes = std::size_t{1} << 30);

/// Writes the whole file or leaves the previous one untouched: bytes go to "<path>.tmp", are flushed to
/// the disk and renamed over `path`. Creates missing parent folders; follows links; what is no regular file,
/// such as /dev/stdout, is written to as it is.
/// Throws std::runtime_error with the system's reason and a hint (full disk, no permission, read-only).
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

}  // namespace cbnet
