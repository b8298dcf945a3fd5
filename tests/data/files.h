#pragma once

// Small files, good and bad, for the tests of this room.

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/error.h"
#include "tensor/io.h"

/// The expression throws cbnet::InputError, and the message has this in it.
#define CHECK_INPUT_ERROR(expression, part) \
  CHECK_THROWS_WITH_AS(expression, doctest::Contains(std::string(part).c_str()), cbnet::InputError)
#define CHECK_INVALID(expression, part) \
  CHECK_THROWS_WITH_AS(expression, doctest::Contains(std::string(part).c_str()), std::invalid_argument)

namespace cbnet::test {

/// A folder that goes away with its content.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "cbnet-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline void put(const std::string& path, std::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string idx_header(const std::vector<std::uint32_t>& sizes, int type = 0x08) {
  std::string out{'\0', '\0', static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 255);
  }
  return out;
}

/// Labels 0..9 0..9 …, and images whose pixels all equal their position modulo 256.
inline std::string idx_labels(std::uint32_t count) {
  std::string out = idx_header({count});
  for (std::uint32_t i = 0; i < count; ++i) out += static_cast<char>(i % 10);
  return out;
}
inline std::string idx_images(std::uint32_t count, std::uint32_t side = 28) {
  std::string out = idx_header({count, side, side});
  for (std::uint32_t i = 0; i < count; ++i) out.append(std::size_t{side} * side, static_cast<char>(i));
  return out;
}

/// A .npy file of format 1 (or 2), header padded as NumPy does.
inline std::string npy(const std::string& descr, const std::string& shape, const std::string& data,
                       const std::string& order = "False", int version = 1) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  const std::size_t preamble = version == 1 ? 10 : 12;
  while ((preamble + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  for (std::size_t i = 0; i < preamble - 8; ++i) out += static_cast<char>(header.size() >> (8 * i) & 255);
  return out + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline void add_to_zip(const std::string& path, const std::string& member, const std::string& content,
                       int method = ZIP_CM_DEFLATE, int flags = ZIP_CREATE) {
  int error = 0;
  zip_t* archive = zip_open(path.c_str(), flags, &error);
  REQUIRE(archive != nullptr);
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
  const zip_int64_t index = zip_file_add(archive, member.c_str(), source, ZIP_FL_OVERWRITE);
  REQUIRE(index >= 0);
  zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
  REQUIRE(zip_close(archive) == 0);
}

/// An archive of one member.
inline void put_zip(const std::string& path, const std::string& member, const std::string& content,
                    int method = ZIP_CM_DEFLATE) {
  add_to_zip(path, member, content, method, ZIP_CREATE | ZIP_TRUNCATE);
}

/// The four files of a tiny set under MNIST's names.
inline void put_dataset(const std::string& folder, std::uint32_t train = 20, std::uint32_t test = 10) {
  put(folder + "/train-images-idx3-ubyte.gz", gzip(idx_images(train)));
  put(folder + "/train-labels-idx1-ubyte.gz", gzip(idx_labels(train)));
  put(folder + "/t10k-images-idx3-ubyte", idx_images(test));
  put(folder + "/t10k-labels-idx1-ubyte", idx_labels(test));
}

inline std::string excerpt_folder() { return std::string(CBNET_SOURCE_DIR) + "/tests/golden/fmnist-excerpt"; }

// Clang names its sanitizers differently.
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

inline bool has_memory_limit() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;  // their shadow memory is terabytes of address space
#else
  return true;
#endif
}

/// Runs `parse` in a child that may take `extra_bytes` of address space on top of what it has. Returns
/// "InputError", "bad_alloc", "other exception", "no exception" or "crash".
inline std::string outcome_within(std::size_t extra_bytes, const std::function<void()>& parse) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t limit = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + extra_bytes;
    const rlimit limits{limit, limit};
    if (::setrlimit(RLIMIT_AS, &limits) != 0) ::_exit(9);
    try {
      parse();
    } catch (const InputError&) {
      ::_exit(1);
    } catch (const std::bad_alloc&) {
      ::_exit(2);
    } catch (...) {
      ::_exit(3);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status)) return "crash";
  const std::vector<std::string> outcomes{"no exception", "InputError", "bad_alloc", "other exception"};
  const auto code = static_cast<std::size_t>(WEXITSTATUS(status));
  return code < outcomes.size() ? outcomes[code] : "no limit could be set";
}

inline constexpr std::size_t kMiB = std::size_t{1} << 20;

}  // namespace cbnet::test
