#include "data/checksum.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "data/gzip.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

void check(bool ok) {
  if (!ok) throw std::runtime_error("libcrypto computes no MD5; hint: is it set to FIPS mode?");
}

/// Returns the checksum of what `read(bytes, count)` gives, until it gives nothing.
template <class Read>
std::string md5_of(const Read& read) {
  Md5 md5;
  std::vector<unsigned char> chunk(std::size_t{1} << 16);
  for (std::size_t got = 0; (got = read(chunk.data(), chunk.size())) > 0;) md5.update(chunk.data(), got);
  return md5.finish();
}

}  // namespace

void Md5::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Md5::Md5() : context_(EVP_MD_CTX_new()) {
  check(context_ && EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) == 1);
}

void Md5::update(const void* bytes, std::size_t size_bytes) {
  check(EVP_DigestUpdate(context_.get(), bytes, size_bytes) == 1);
}

std::string Md5::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size_bytes = 0;
  check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size_bytes) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size_bytes; ++i) text += {kDigits[digest[i] >> 4], kDigits[digest[i] & 15]};
  return text;
}

std::string md5_file(const std::filesystem::path& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (!file) throw InputError(path.string(), "a readable file", std::strerror(errno));
  std::string sum =
      md5_of([&](void* bytes, std::size_t count) { return std::fread(bytes, 1, count, file.get()); });
  if (std::ferror(file.get()) != 0) throw InputError(path.string(), "a readable file", std::strerror(errno));
  return sum;
}

std::string md5_content(const std::filesystem::path& path) {
  ContentReader reader(path);
  return md5_of([&](unsigned char* bytes, std::size_t count) { return reader.read(bytes, count); });
}

}  // namespace cbnet::data
