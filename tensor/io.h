#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace cbnet {

/// Reads the bytes of a file, of a pipe or a device up to its end, or of the standard input for "-". Nothing
/// is sought in it. InputError when it is missing, is a folder or exceeds `limit_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes = std::size_t{1} << 30);

/// A target is what a path to write to stands for once links are followed.
struct WriteTarget {
  /// This is the descriptor of this process that "-", /dev/stdout, /dev/fd/3 and the like name; else -1.
  int descriptor = -1;
  /// Where no descriptor is named, this is the path of the file, which need not exist.
  std::filesystem::path file;
};
WriteTarget write_target(const std::filesystem::path& path);

/// Writes the whole file or leaves the previous one untouched: bytes go to a file of a fresh name beside it,
/// are flushed to the disk, and renamed over `path`. Owner, group and permissions of a previous file are kept
/// as far as the system lets them; a new one gets what the umask leaves. Creates missing parent folders.
/// A link stays a link, and what it leads to is written. What no file can replace is written to as it is,
/// from where it stands: a descriptor, "-" (the standard output), a pipe, a device. Throws std::runtime_error
/// with the system's reason and a hint (full disk, no permission, read-only).
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

/// This is a fresh folder among the system's temporary files, which goes with all that is in it.
class TemporaryFolder {
 public:
  /// Throws std::runtime_error when none can be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace cbnet
