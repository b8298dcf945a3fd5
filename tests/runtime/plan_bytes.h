#pragma once

#include <cstdint>
#include <string>

namespace cbnet::runtime::test {

/// The bytes of a plan with this payload, by the format that runtime/plan_file.h describes, without our
/// writer.
inline std::string sealed(const std::string& payload, std::uint32_t version = 3) {
  std::uint64_t checksum = 14695981039346656037U;  // FNV-1a
  for (const char byte : payload) {
    checksum ^= static_cast<std::uint8_t>(byte);
    checksum *= 1099511628211U;
  }
  std::string out = "cbnetpln";
  const auto put = [&out](std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255U);
  };
  put(version, 4);
  put(0, 4);
  put(payload.size(), 8);
  put(checksum, 8);
  return out + payload;
}

inline constexpr std::size_t kHeaderBytes = 32;

}  // namespace cbnet::runtime::test
