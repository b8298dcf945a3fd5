#include "data/loaders/cifar10.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

#include "data/gzip.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 32, kPixels = 3 * kSide * kSide;
constexpr std::size_t kRecordBytes = 1 + kPixels;
constexpr std::size_t kBlockBytes = 512;  // of a tar archive
// Five batches are 154 MB.
constexpr std::size_t kMaxRecords = 350'000;

/// These are records one after the other.
struct Records {
  std::vector<std::uint8_t> labels, pixels;

  /// Reads up to `limit_bytes`, or to the end of the content.
  void read(ContentReader& reader, const std::string& source, std::uint64_t limit_bytes) {
    std::array<std::uint8_t, kRecordBytes> record;
    while (limit_bytes > 0) {
      const std::size_t got = reader.read(record.data(), std::min<std::uint64_t>(limit_bytes, kRecordBytes));
      if (got == 0) break;
      limit_bytes -= got;
      if (got < kRecordBytes)
        throw InputError(source, concat("whole records of ", kRecordBytes, " bytes"),
                         concat(got, " bytes behind the last of ", labels.size(), " (truncated)"),
                         "copy or download it again");
      if (record[0] > 9)
        throw InputError(source, "labels from 0 to 9",
                         concat("label ", int{record[0]}, " at position ", labels.size()),
                         "CIFAR-100 and other files are of another kind");
      if (labels.size() == kMaxRecords)
        throw InputError(source, concat("at most ", kMaxRecords, " pictures"), "more");
      labels.push_back(record[0]);
      pixels.insert(pixels.end(), record.begin() + 1, record.end());
    }
  }

  Split split() const {
    const auto n = static_cast<std::int64_t>(labels.size());
    return {Tensor::from(pixels, {n, 3, kSide, kSide}), Tensor::from(labels, {n})};
  }
};

bool is_tar(const std::string& file) {
  return fs::path(file).filename().string().find(".tar") != std::string::npos;
}

/// Tells which batch a file is by its name: 1 to 5, 0 for the test batch, nothing for others.
/// "data_batch_1.bin.gz", "test_batch-first1000.bin".
std::optional<int> batch_of(std::string_view name) {
  if (!name.ends_with(".bin") && !name.ends_with(".bin.gz")) return std::nullopt;
  if (name.starts_with("test_batch")) return 0;
  constexpr std::string_view kTrain = "data_batch_";
  if (!name.starts_with(kTrain) || name.size() <= kTrain.size()) return std::nullopt;
  const char digit = name[kTrain.size()];
  return digit >= '1' && digit <= '5' ? std::optional<int>(digit - '0') : std::nullopt;
}

/// Reads the members of a tar archive (POSIX ustar): a block of 512 bytes with the name and, in octal digits,
/// the size; then the content, filled up to blocks.
Records read_tar(const std::string& file, bool train) {
  ContentReader reader(file);
  Records out;
  std::array<char, kBlockBytes> header;
  int batches = 0;
  const int requested = train ? 5 : 1;
  while (batches < requested && reader.read(header.data(), kBlockBytes) == kBlockBytes && header[0] != '\0') {
    std::uint64_t size = 0;
    const char* digits =
        std::find_if(header.data() + 124, header.data() + 136, [](char c) { return c != ' '; });
    const auto parsed = std::from_chars(digits, header.data() + 136, size, 8);
    if (std::memcmp(header.data() + 257, "ustar", 5) != 0 || parsed.ec != std::errc())
      throw InputError(file, "a tar archive", "a block that is no header of a member",
                       "copy or download it again");
    const std::string_view path(header.data(), ::strnlen(header.data(), 100));
    const std::optional<int> batch = batch_of(path.substr(path.rfind('/') + 1));
    std::uint64_t left = (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    if (batch && (*batch > 0) == train) {
      const std::size_t before = out.labels.size();
      out.read(reader, concat(file, "[", path, "]"), size);
      if ((out.labels.size() - before) * kRecordBytes < size) break;
      left -= size;
      ++batches;
    }
    if (reader.skip(left) < left) break;
  }
  if (batches < requested)
    throw InputError(file,
                     concat("an archive of CIFAR-10 with ", requested, train ? " batches" : " test batch"),
                     concat(batches, " before its end"), "copy or download it again");
  reader.skip(~std::uint64_t{0});  // to gzip's checksum at the end
  return out;
}

/// Returns the folder with the batches at a path, or "".
std::string folder_at(const fs::path& path) {
  for (const fs::path& folder : {path, path / "cifar-10-batches-bin"}) {
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
      if (batch_of(at->path().filename().string())) return folder.string();
  }
  return "";
}

bool recognises(const fs::path& path) {
  std::error_code error;
  return (fs::is_regular_file(path, error) && is_tar(path.string())) || !folder_at(path).empty();
}

Dataset load(const fs::path& path, const PictureOptions& /*options*/) {
  const std::string folder = folder_at(path);
  // Any name in the folder leads to the batches.
  const std::string at = folder.empty() ? path.string() : (fs::path(folder) / "data_batch_1.bin").string();
  Dataset out;
  out.classes = class_names(DatasetId::cifar10);
  for (const bool train : {true, false}) {
    const std::vector<std::string> files = cifar10_files(at, train);
    if (files.empty()) continue;
    (train ? out.train : out.test) = read_cifar10(at, train);
    if (out.files != files) out.files.insert(out.files.end(), files.begin(), files.end());
  }
  return out;
}

}  // namespace

std::vector<std::string> cifar10_files(const std::string& file, bool train) {
  if (is_tar(file) || !batch_of(fs::path(file).filename().string())) return {file};
  const fs::path folder = fs::path(file).has_parent_path() ? fs::path(file).parent_path() : fs::path(".");
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::optional<int> batch = batch_of(at->path().filename().string());
    if (batch && (*batch > 0) == train) out.push_back(at->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Split read_cifar10(const std::string& file, bool train) {
  if (is_tar(file)) return read_tar(file, train).split();
  Records out;
  const std::vector<std::string> files = cifar10_files(file, train);
  bool whole = false;
  std::array<bool, 6> present{};
  for (const std::string& batch : files) {
    const std::string name = fs::path(batch).filename().string();
    present.at(static_cast<std::size_t>(batch_of(name).value_or(0))) = true;
    whole = whole || name.find("-first") == std::string::npos;
  }
  for (std::size_t i = 1; train && whole && i < present.size(); ++i) {
    if (!present.at(i))
      throw InputError(fs::path(file).parent_path().string(), "data_batch_1.bin to data_batch_5.bin",
                       concat("no data_batch_", i, ".bin"), "copy or unpack it again");
  }
  for (const std::string& batch : files) {
    ContentReader reader(batch);
    const std::size_t before = out.labels.size();
    out.read(reader, batch, reader.content_limit_bytes() + 1);
    if (out.labels.size() == before) throw InputError(batch, "pictures of CIFAR-10", "an empty file");
  }
  return out.split();
}

Loader cifar10_loader() {
  return {"cifar10", "CIFAR-10's folder cifar-10-batches-bin, or cifar-10-binary.tar.gz", recognises, load};
}

}  // namespace cbnet::data
