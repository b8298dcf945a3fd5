#include "data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::data {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 16;
constexpr unsigned char kMagic[2] = {0x1f, 0x8b};
// This is far more than any of the datasets' files, packed or not.
constexpr std::size_t kMaxHeldBytes = std::size_t{1} << 30;
// These are 15 bits of window, and a gzip wrapper rather than zlib's own.
constexpr int kGzipWindowBits = 15 + 16;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

struct ContentReader::State {
  std::string path;
  std::unique_ptr<std::FILE, CloseFile> file;
  std::string held;  // instead of `file`: what cannot be read twice, such as a pipe
  std::size_t held_at = 0;
  std::uint64_t file_size_bytes = 0;
  bool compressed = false;
  bool member_ended = false;
  bool padded = false;
  z_stream inflater{};
  std::array<unsigned char, kChunkBytes> input{};

  ~State() {
    if (compressed) inflateEnd(&inflater);
  }

  void open(const std::filesystem::path& name) {
    path = name.string();
    std::error_code error;
    const auto status = std::filesystem::status(name, error);
    if (name != "-" && !std::filesystem::exists(status))
      throw InputError(path, "a readable file", "no such file");
    if (name == "-" || !std::filesystem::is_regular_file(status)) {
      held = read_file(name, kMaxHeldBytes);
      file_size_bytes = held.size();
    } else {
      file.reset(std::fopen(path.c_str(), "rbe"));
      if (!file) throw InputError(path, "a readable file", std::strerror(errno));
      file_size_bytes = std::filesystem::file_size(name, error);
      if (error) throw InputError(path, "a readable file", error.message());
    }
    refill();
    if (inflater.avail_in >= 2 && std::equal(kMagic, kMagic + 2, inflater.next_in)) {
      if (inflateInit2(&inflater, kGzipWindowBits) != Z_OK) throw std::bad_alloc();
      compressed = true;
    }
  }

  void rewind() {
    if (file) std::rewind(file.get());
    held_at = 0;
    member_ended = false;
    padded = false;
    if (compressed) inflateReset(&inflater);
    refill();
  }

  void refill() {
    if (!file) {
      const std::size_t count = std::min(held.size() - held_at, kChunkBytes);
      inflater.next_in = reinterpret_cast<unsigned char*>(held.data()) + held_at;
      inflater.avail_in = static_cast<uInt>(count);
      held_at += count;
      return;
    }
    inflater.next_in = input.data();
    inflater.avail_in = static_cast<uInt>(std::fread(input.data(), 1, input.size(), file.get()));
    if (std::ferror(file.get()) != 0) throw InputError(path, "a readable file", std::strerror(errno));
  }

  std::size_t read_plain(unsigned char* target, std::size_t size_bytes) {
    std::size_t done = 0;
    while (done < size_bytes) {
      if (inflater.avail_in == 0) refill();
      if (inflater.avail_in == 0) break;
      const std::size_t count = std::min<std::size_t>(size_bytes - done, inflater.avail_in);
      std::memcpy(target + done, inflater.next_in, count);
      inflater.next_in += count;
      inflater.avail_in -= static_cast<uInt>(count);
      done += count;
    }
    return done;
  }

  std::size_t read_gzip(unsigned char* target, std::size_t size_bytes) {
    std::size_t done = 0;
    while (done < size_bytes) {
      if (inflater.avail_in == 0) refill();
      if (member_ended) {
        if (at_end()) break;
        start_next_member();
      }
      if (inflater.avail_in == 0) {
        throw InputError(path, "a whole gzip file",
                         concat("its end after ", file_size_bytes, " bytes (truncated)"),
                         "copy or download it again");
      }
      const std::size_t count = std::min(size_bytes - done, std::size_t{1} << 30);
      inflater.next_out = target + done;
      inflater.avail_out = static_cast<uInt>(count);
      const int result = inflate(&inflater, Z_NO_FLUSH);
      done += count - inflater.avail_out;
      if (result == Z_STREAM_END) {
        member_ended = true;
      } else if (result == Z_MEM_ERROR) {
        throw std::bad_alloc();
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        throw_corrupt(inflater.msg != nullptr ? inflater.msg : "data that needs a dictionary");
      }
    }
    return done;
  }

  /// Tells, behind a member, whether nothing but zero bytes, with which tapes and some servers fill up, is
  /// left.
  bool at_end() {
    for (;;) {
      for (; inflater.avail_in > 0 && *inflater.next_in == 0; --inflater.avail_in) {
        ++inflater.next_in;
        padded = true;
      }
      if (inflater.avail_in > 0) return false;
      refill();
      if (inflater.avail_in == 0) return true;
    }
  }

  void start_next_member() {
    if (padded || inflater.next_in[0] != kMagic[0]) throw_corrupt("other bytes behind its end");
    inflateReset(&inflater);
    member_ended = false;
  }

  [[noreturn]] void throw_corrupt(const std::string& found) const {
    throw InputError(path, "a whole gzip file", concat("corrupt data: ", found), "copy or download it again");
  }
};

ContentReader::ContentReader(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->open(path);
}

ContentReader::~ContentReader() = default;

std::size_t ContentReader::read(void* target, std::size_t size_bytes) {
  auto* bytes = static_cast<unsigned char*>(target);
  return state_->compressed ? state_->read_gzip(bytes, size_bytes) : state_->read_plain(bytes, size_bytes);
}

std::uint64_t ContentReader::skip(std::uint64_t size_bytes) {
  std::array<unsigned char, kChunkBytes> chunk;
  std::uint64_t done = 0;
  while (done < size_bytes) {
    const std::size_t requested =
        static_cast<std::size_t>(std::min<std::uint64_t>(size_bytes - done, chunk.size()));
    const std::size_t got = read(chunk.data(), requested);
    done += got;
    if (got < requested) break;
  }
  return done;
}

void ContentReader::rewind() { state_->rewind(); }

bool ContentReader::compressed() const { return state_->compressed; }
std::uint64_t ContentReader::file_size_bytes() const { return state_->file_size_bytes; }
std::uint64_t ContentReader::content_limit_bytes() const {
  return state_->file_size_bytes * (state_->compressed ? kMaxInflation : 1);
}

}  // namespace cbnet::data
