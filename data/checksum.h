#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace cbnet::data {

/// MD5 (RFC 1321), the checksum that the publishers of the datasets state. It tells a damaged download
/// from a whole one; it does not defend against forgery.
class Md5 {
 public:
  void update(const void* bytes, std::size_t size_bytes);
  /// 32 hexadecimal digits; ends the computation.
  std::string finish();

 private:
  void block(const unsigned char* bytes);

  std::array<std::uint32_t, 4> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  std::array<unsigned char, 64> pending_{};
  std::uint64_t total_bytes_ = 0;
};

/// Of the file as it lies on the disk. InputError when it cannot be read.
std::string md5_file(const std::filesystem::path& path);

/// Of what the file holds once decompressed; the same as md5_file for a plain file.
/// Files that were packed anew, as Debian's are, keep this one.
std::string md5_content(const std::filesystem::path& path);

}  // namespace cbnet::data
