#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace cbnet::data {

/// Reads the content of a plain or gzip file, in order, through a fixed buffer; of a pipe or, as "-", of the
/// standard input, which is taken into memory. Which of the two it is, the first two bytes say (1f 8b), never
/// the name. Members of a gzip file may follow one another (RFC 1952, section 2.2), and zero bytes may follow
/// the last one, as `gzip -t` has it; anything else there is an error.
class ContentReader {
 public:
  /// Throws InputError when the file is missing, unreadable or a folder.
  explicit ContentReader(const std::filesystem::path& path);
  ~ContentReader();
  ContentReader(const ContentReader&) = delete;
  ContentReader& operator=(const ContentReader&) = delete;

  /// Reads up to `size_bytes` bytes; fewer only at the end of the content.
  /// Throws InputError when the gzip data is truncated, corrupt or followed by something else.
  std::size_t read(void* target, std::size_t size_bytes);

  /// Reads and forgets; returns how many bytes there were, at most `size_bytes`.
  std::uint64_t skip(std::uint64_t size_bytes);

  /// Goes back to the beginning, of a pipe as well.
  void rewind();

  bool compressed() const;
  /// Returns the size of the file itself, as it lies on the disk.
  std::uint64_t file_size_bytes() const;
  /// No content of this file can be longer: its size when plain, 1,100 times that when gzip (deflate
  /// reaches 1,032). What a header promises is held against this before any memory is taken.
  std::uint64_t content_limit_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One byte of gzip or deflate stands for at most so many, rounded up.
inline constexpr std::uint64_t kMaxInflation = 1100;

}  // namespace cbnet::data
