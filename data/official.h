#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset_id.h"
#include "data/locate.h"

namespace cbnet::data {

/// This is a file as its publisher offers it. An empty checksum is not known.
struct OfficialFile {
  const char* name;
  const char* gzip_md5;
  const char* content_md5;
};

/// Lists train images, train labels, test images and test labels; of CIFAR-10 one archive with all of them.
std::span<const OfficialFile> official_files(DatasetId id);

/// Returns base addresses, each ending in '/', in the order in which they are tried.
std::vector<std::string> official_hosts(DatasetId id);

/// Downloads what is missing of the files into `folder`, from `base_urls` or else the official hosts.
/// Throws as download() does.
void download_dataset(DatasetId id, const std::string& folder, const std::vector<std::string>& base_urls,
                      bool progress);

enum class Verdict : std::uint8_t {
  official,  ///< the published gzip, byte for byte
  repacked,  ///< other packing, same content
  differs,   ///< readable, but neither
  unknown    ///< no checksum is published that could decide
};

const char* to_string(Verdict verdict);

struct VerifiedFile {
  std::string path;
  Verdict verdict;
  std::string file_md5, content_md5;
  /// This is one line for people: what was expected where the file differs.
  std::string note;
};

/// Holds each found file against the official checksums. InputError when one cannot be read.
std::vector<VerifiedFile> verify_dataset(DatasetId id, const FoundFiles& files);

}  // namespace cbnet::data
