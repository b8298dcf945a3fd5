#include "data/checksum.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "data/gzip.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 16;

// floor(2^32 * |sin(i + 1)|), i in radians (RFC 1321, section 3.4).
constexpr std::array<std::uint32_t, 64> kSines{
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

constexpr int kRotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

}  // namespace

void Md5::block(const unsigned char* bytes) {
  std::array<std::uint32_t, 16> words{};
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned char* w = bytes + 4 * i;
    words[i] = std::uint32_t{w[0]} | std::uint32_t{w[1]} << 8 | std::uint32_t{w[2]} << 16 |
               std::uint32_t{w[3]} << 24;
  }
  auto [a, b, c, d] = state_;
  for (std::uint32_t i = 0; i < 64; ++i) {
    const std::uint32_t round = i / 16;
    std::uint32_t mix = 0;
    std::uint32_t word = 0;
    if (round == 0) {
      mix = (b & c) | (~b & d);
      word = i;
    } else if (round == 1) {
      mix = (b & d) | (c & ~d);
      word = 5 * i + 1;
    } else if (round == 2) {
      mix = b ^ c ^ d;
      word = 3 * i + 5;
    } else {
      mix = c ^ (b | ~d);
      word = 7 * i;
    }
    const std::uint32_t sum = a + mix + words[word % 16] + kSines[i];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kRotations[round][i % 4]);
  }
  state_[0] += a;
  state_[1] += b;
  state_[2] += c;
  state_[3] += d;
}

void Md5::update(const void* bytes, std::size_t size_bytes) {
  const auto* next = static_cast<const unsigned char*>(bytes);
  while (size_bytes > 0) {
    const std::size_t held = total_bytes_ % 64;
    const std::size_t count = std::min(size_bytes, 64 - held);
    std::memcpy(pending_.data() + held, next, count);
    total_bytes_ += count;
    next += count;
    size_bytes -= count;
    if (held + count == 64) block(pending_.data());
  }
}

std::string Md5::finish() {
  const std::uint64_t total_bits = total_bytes_ * 8;
  const unsigned char one = 0x80;
  const unsigned char zero = 0;
  update(&one, 1);
  while (total_bytes_ % 64 != 56) update(&zero, 1);
  std::array<unsigned char, 8> length{};
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(total_bits >> (8 * i));
  update(length.data(), length.size());

  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint32_t word : state_) {
    for (int shift = 0; shift < 32; shift += 8) {
      text += kDigits[word >> (shift + 4) & 15];
      text += kDigits[word >> shift & 15];
    }
  }
  return text;
}

std::string md5_file(const std::filesystem::path& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (!file) throw InputError(path.string(), "a readable file", std::strerror(errno));
  Md5 md5;
  std::vector<unsigned char> chunk(kChunkBytes);
  std::size_t got = 0;
  while ((got = std::fread(chunk.data(), 1, chunk.size(), file.get())) > 0) md5.update(chunk.data(), got);
  if (std::ferror(file.get()) != 0) throw InputError(path.string(), "a readable file", std::strerror(errno));
  return md5.finish();
}

std::string md5_content(const std::filesystem::path& path) {
  ContentReader reader(path);
  Md5 md5;
  std::vector<unsigned char> chunk(kChunkBytes);
  std::size_t got = 0;
  while ((got = reader.read(chunk.data(), chunk.size())) > 0) md5.update(chunk.data(), got);
  return md5.finish();
}

}  // namespace cbnet::data
