#include "data/official.h"

#include <array>
#include <filesystem>
#include <system_error>

#include "data/checksum.h"
#include "data/download.h"
#include "data/npz.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

// These are the gzip checksums as the publishers and the common loaders state them; the content checksums
// were computed from files whose gzip checksum, or whose origin, is the publisher's. That of KMNIST's
// training images is not known.
constexpr std::array<OfficialFile, 4> kMnist{{
    {"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"},
    {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"},
    {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"},
    {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"},
}};
constexpr std::array<OfficialFile, 4> kFashionMnist{{
    {"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"},
    {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"},
    {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"},
    {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"},
}};
constexpr std::array<OfficialFile, 4> kKmnist{{
    {"train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7", ""},
    {"train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344", "949e75301f8813e0dc5800dcc320fc52"},
    {"t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7", "bf305b8cd328700fbc17f5acbc2856d2"},
    {"t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134", "9f55f451c0988b028eccdf7d5cc265ab"},
}};

constexpr std::array<OfficialFile, 1> kCifar10{
    {{"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", ""}}};

VerifiedFile verify_file(const OfficialFile& official, const std::string& path) {
  VerifiedFile out;
  out.path = path;
  out.file_md5 = md5_file(path);
  out.verdict = Verdict::official;
  if (out.file_md5 == official.gzip_md5) return out;
  out.content_md5 = md5_content(path);
  if (*official.content_md5 != '\0' && out.content_md5 == official.content_md5) {
    out.verdict = Verdict::repacked;
    return out;
  }
  out.verdict = Verdict::unknown;
  const std::string name = std::filesystem::path(path).filename().string();
  if (name.ends_with(".bin") || name.ends_with(".bin.gz")) {
    out.note = "a file of the unpacked archive, for which no checksum is published";
  } else if (name.find("-first") != std::string::npos) {
    out.note = "a subset, for which no checksum is published";
  } else if (is_zip(path)) {
    out.note = "an .npz file, for which no checksum is known";
  } else if (*official.content_md5 == '\0') {
    out.note = concat("expected md5 ", official.gzip_md5, " of the gzip, found ", out.file_md5,
                      "; that of the content is not known");
  } else {
    out.verdict = Verdict::differs;
    out.note = concat("expected md5 ", official.gzip_md5, " of the gzip or ", official.content_md5,
                      " of the content, found ", out.file_md5, " and ", out.content_md5);
  }
  return out;
}

}  // namespace

std::span<const OfficialFile> official_files(DatasetId id) {
  if (id == DatasetId::cifar10) return kCifar10;
  if (id == DatasetId::fmnist) return kFashionMnist;
  if (id == DatasetId::kmnist) return kKmnist;
  return kMnist;
}

std::vector<std::string> official_hosts(DatasetId id) {
  switch (id) {
    case DatasetId::fmnist:
      return {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
              "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"};
    case DatasetId::kmnist:
      return {"http://codh.rois.ac.jp/kmnist/dataset/kmnist/"};
    case DatasetId::cifar10:
      return {"https://www.cs.toronto.edu/~kriz/"};
    case DatasetId::mnist:
      break;
  }
  return {"https://ossci-datasets.s3.amazonaws.com/mnist/",
          "https://storage.googleapis.com/cvdf-datasets/mnist/"};
}

void download_dataset(DatasetId id, const std::string& folder, const std::vector<std::string>& base_urls,
                      bool progress) {
  const std::vector<std::string> hosts = base_urls.empty() ? official_hosts(id) : base_urls;
  DownloadOptions options;
  options.progress = progress;
  if (id == DatasetId::cifar10) options.max_bytes = std::int64_t{400} << 20;
  for (const OfficialFile& file : official_files(id)) {
    const std::string target = (std::filesystem::path(folder) / file.name).string();
    std::error_code error;
    // A copy that was packed anew serves as well.
    const bool same_content = *file.content_md5 != '\0' && std::filesystem::is_regular_file(target, error) &&
                              md5_file(target) != file.gzip_md5 && md5_content(target) == file.content_md5;
    if (same_content) continue;
    std::vector<std::string> urls;
    urls.reserve(hosts.size());
    for (const std::string& host : hosts) urls.push_back(host + file.name);
    download(urls, target, file.gzip_md5, options);
  }
}

const char* to_string(Verdict verdict) {
  constexpr const char* kNames[] = {"official", "repacked", "differs", "unknown"};
  return kNames[static_cast<int>(verdict)];
}

std::vector<VerifiedFile> verify_dataset(DatasetId id, const FoundFiles& files) {
  std::vector<VerifiedFile> out;
  const std::vector<std::string> paths = files.all();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!paths[i].empty())
      out.push_back(verify_file(official_files(id)[i % official_files(id).size()], paths[i]));
  }
  return out;
}

}  // namespace cbnet::data
