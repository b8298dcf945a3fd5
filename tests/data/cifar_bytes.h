#pragma once

// CIFAR-10's binary files, made up, and a tar archive around them.

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace cbnet::test {

/// `count` records: record i has label i modulo 10, and every byte of channel c is 10 i + c.
inline std::string cifar_batch(int count, int first = 0) {
  std::string out;
  for (int i = first; i < first + count; ++i) {
    out += static_cast<char>(i % 10);
    for (int c = 0; c < 3; ++c) out.append(1024, static_cast<char>(10 * i + c));
  }
  return out;
}

/// A tar archive (ustar) of files by name.
inline std::string tar(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string out;
  for (const auto& [name, content] : files) {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    char size[13];
    std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(content.size()));
    header.replace(124, 11, size, 11);
    header[156] = '0';
    header.replace(257, 5, "ustar");
    out += header + content;
    out.resize((out.size() + 511) / 512 * 512, '\0');
  }
  return out + std::string(1024, '\0');
}

/// The official archive's files, `count` records in each.
inline std::vector<std::pair<std::string, std::string>> cifar_files(int count) {
  const std::string folder = "cifar-10-batches-bin/";
  std::vector<std::pair<std::string, std::string>> out{{folder + "batches.meta.txt", "airplane\n"},
                                                       {folder + "test_batch.bin", cifar_batch(count, 7)}};
  for (int i = 0; i < 5; ++i)
    out.emplace_back(folder + "data_batch_" + std::to_string(i + 1) + ".bin", cifar_batch(count, i * count));
  return out;
}

}  // namespace cbnet::test
