#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

struct evp_md_ctx_st;  // libcrypto's

namespace cbnet::data {

/// This is MD5 (RFC 1321), the checksum that the publishers of the datasets state. It tells a damaged
/// download from a whole one; it does not defend against forgery. Throws std::runtime_error where libcrypto
/// has none.
class Md5 {
 public:
  Md5();
  void update(const void* bytes, std::size_t size_bytes);
  /// Returns 32 hexadecimal digits; ends the computation.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// Returns the checksum of the file as it lies on the disk. InputError when it cannot be read.
std::string md5_file(const std::filesystem::path& path);

/// Returns the checksum of what the file holds once decompressed, which is that of md5_file for a plain file.
/// Files that were packed anew, as Debian's are, keep this one.
std::string md5_content(const std::filesystem::path& path);

}  // namespace cbnet::data
