#include "tests/house/house.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace cbnet::house {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

/// The one header in the root, a room of its own: a user's program includes it, and no room does.
constexpr const char* kRootHeader = "cbnet.h";

/// The arrows: what a room may include besides itself.
const std::map<std::string, Names>& arrows() {
  static const Names everything = {"tensor", "autograd", "layers", "optim", "data",
                                   "models", "runtime",  "train",  "cbnet", "energy"};
  static Names everything_and_console = everything;
  everything_and_console.insert("console");
  // Only their tests may look into the programs.
  static Names everything_and_programs = everything_and_console;
  everything_and_programs.insert({"bench", "cli", kRootHeader});
  static Names everything_and_root = everything;
  everything_and_root.insert(kRootHeader);
  static const std::map<std::string, Names> table = {
      {"tensor", {}},
      {"autograd", {"tensor"}},
      {"layers", {"autograd", "tensor"}},
      {"optim", {"autograd", "tensor"}},
      {"data", {"tensor"}},
      {"runtime", {"tensor"}},
      {"models", {"layers", "autograd", "tensor", "runtime"}},
      {"train", {"models", "optim", "data", "runtime", "layers", "autograd", "tensor"}},
      {"cbnet", {"train", "models", "optim", "data", "runtime", "layers", "autograd", "tensor"}},
      {"energy", {"tensor"}},
      {"console", everything},
      {"bench", everything_and_console},
      {"cli", everything_and_console},
      {"examples", everything_and_root},
      {kRootHeader, everything},
      {"tests", everything_and_programs},
  };
  return table;
}

/// Where a library's header may stand: a room, or one file of it.
const std::map<std::string, Names>& libraries() {
  static const std::map<std::string, Names> table = {
      {"pthread.h", {"tensor"}},
      {"sanitizer/allocator_interface.h", {"tests"}},
      {"sanitizer/common_interface_defs.h", {"tests/cuda/emulation/scheduler.cpp"}},
      {"sanitizer/tsan_interface.h", {"tests/cuda/emulation/scheduler.cpp"}},
      {"cblas.h", {"tensor/cpu/blas.cpp"}},
      {"openblas_config.h", {"tensor/cpu/blas.cpp"}},
      {"zlib.h", {"data", "tests"}},
      {"zip.h", {"data", "tests"}},
      {"png.h", {"data", "tests"}},
      {"jpeglib.h", {"data", "tests"}},
      {"openssl/evp.h", {"data"}},
      {"nlohmann/json.hpp", {"models", "train", "cbnet", "console", "bench", "cli", "tests"}},
      {"nlohmann/json_fwd.hpp", {"models", "train", "cbnet", "console", "bench", "cli", "tests"}},
      {"cxxopts.hpp", {"console"}},
      {"doctest/doctest.h", {"tests"}},
      {"torch/torch.h", {"tests", "bench/peers/train_torch.cpp"}},
      // One engine, one file.
      {"torch/script.h", {"bench/peers/engines/torch.cpp"}},
      {"torch/version.h", {"bench/peers/engines/torch.cpp"}},
      {"ATen/Parallel.h", {"bench/peers/engines/torch.cpp"}},
      {"dnnl.hpp", {"bench/peers/engines/onednn.cpp", "bench/peers/engines/onednn_network.cpp"}},
      {"dlib/dnn.h", {"bench/peers/engines/dlib.cpp"}},
      {"dlib/revision.h", {"bench/peers/engines/dlib.cpp"}},
      {"tiny_dnn/tiny_dnn.h", {"bench/peers/engines/tinydnn.cpp"}},
      {"onnx/onnx_pb.h", {"models/onnx/graph_reader.h", "models/onnx/graph_writer.h", "tests"}},
      {"onnx/checker.h", {"models/onnx/export.cpp"}},
      {"onnx/shape_inference/implementation.h", {"models/onnx/export.cpp"}},
      // Vector intrinsics and the questions about what the processor has.
      {"immintrin.h", {"tensor", "runtime", "bench/limits.cpp"}},
      {"arm_neon.h", {"tensor", "runtime"}},
      {"cpuid.h", {"tensor", "energy", "bench"}},
      {"sys/auxv.h", {"tensor", "energy", "bench"}},
      {"asm/hwcap.h", {"tensor"}},
      {"sanitizer/tsan_interface.h", {"tensor/parallel.cpp"}},
      {"sanitizer/allocator_interface.h", {"tests"}},
  };
  return table;
}

/// The C++20 library, less what the toolchain floor lacks (<format>, <source_location>).
const Names& standard_headers() {
  static const Names table = {"algorithm",     "any",
                              "array",         "atomic",
                              "barrier",       "bit",
                              "bitset",        "cassert",
                              "cctype",        "cerrno",
                              "cfenv",         "cfloat",
                              "charconv",      "chrono",
                              "cinttypes",     "climits",
                              "clocale",       "cmath",
                              "compare",       "complex",
                              "concepts",      "condition_variable",
                              "csetjmp",       "csignal",
                              "cstdarg",       "cstddef",
                              "cstdint",       "cstdio",
                              "cstdlib",       "cstring",
                              "ctime",         "deque",
                              "exception",     "execution",
                              "filesystem",    "forward_list",
                              "fstream",       "functional",
                              "future",        "initializer_list",
                              "iomanip",       "ios",
                              "iosfwd",        "iostream",
                              "istream",       "iterator",
                              "latch",         "limits",
                              "list",          "locale",
                              "map",           "memory",
                              "mutex",         "new",
                              "numbers",       "numeric",
                              "optional",      "ostream",
                              "queue",         "random",
                              "ranges",        "ratio",
                              "regex",         "semaphore",
                              "set",           "shared_mutex",
                              "span",          "sstream",
                              "stack",         "stdexcept",
                              "stop_token",    "streambuf",
                              "string",        "string_view",
                              "system_error",  "thread",
                              "tuple",         "type_traits",
                              "typeindex",     "typeinfo",
                              "unordered_map", "unordered_set",
                              "utility",       "valarray",
                              "variant",       "vector",
                              "version"};
  return table;
}

bool is_posix(const std::string& header) {
  static const Names table = {"dirent.h", "dlfcn.h",  "errno.h",  "fcntl.h",   "fnmatch.h", "glob.h",
                              "netdb.h",  "poll.h",   "pwd.h",    "pthread.h", "sched.h",   "signal.h",
                              "spawn.h",  "stdio.h",  "stdlib.h", "string.h",  "termios.h", "time.h",
                              "unistd.h", "malloc.h", "math.h",   "stdint.h",  "stddef.h"};
  return table.count(header) != 0 || header.starts_with("sys/") || header.starts_with("linux/") ||
         header.starts_with("netinet/") || header.starts_with("arpa/");
}

bool is_cuda_header(const std::string& header) {
  static const std::regex pattern(
      R"((cuda|cublas|cudnn|curand|nvml|nvrtc|nvtx|mma|cooperative_groups|cub/|thrust/).*)");
  return std::regex_match(header, pattern);
}

/// Compiled once per ISA with that ISA's flags: an inline symbol of the C++ library made here could be
/// linked into baseline code.
bool is_isa_file(const std::string& path) {
  return path.find("/kernels/isa/") != std::string::npos || path.ends_with(".inc.h");
}

bool may_stand_in(const Names& places, const std::string& path) {
  return places.count(room_of(path)) != 0 || places.count(path) != 0;
}

/// Why `path` may not include the header <name>; empty when it may.
std::string judge_external(const std::string& path, const std::string& name) {
  if (is_isa_file(path)) {
    static const Names allowed = {"cstdint", "cstddef", "immintrin.h", "arm_neon.h"};
    return allowed.count(name) != 0 ? "" : "a file compiled per ISA includes <cstdint> and <cstddef> at most";
  }
  if (is_cuda_header(name)) {
    static const Names for_others = {"tensor/cuda/backend.h", "tensor/cuda/limits.h",
                                     "tensor/cuda/network.h"};
    const bool allowed = (path.starts_with("tensor/cuda/") && for_others.count(path) == 0) ||
                         path.starts_with("tests/cuda/emulation/");
    return allowed ? "" : "CUDA stays in tensor/cuda, and out of the headers that others include";
  }
  if (const auto library = libraries().find(name); library != libraries().end()) {
    return may_stand_in(library->second, path) ? "" : "this library has no business here";
  }
  if (standard_headers().count(name) != 0 || is_posix(name)) return "";
  return "unknown header; a new dependency is entered in tests/house/house.cpp";
}

/// Why `path` may not include the header "name"; empty when it may.
std::string judge_local(const std::string& path, const std::string& name) {
  if (name.find("..") != std::string::npos) return "includes are by full path from the root, without ..";
  const std::string from = room_of(path);
  const std::string to = room_of(name);
  if (to.empty() || arrows().count(to) == 0) return "includes are by full path from the root";
  if (from == to) return "";
  return arrows().at(from).count(to) != 0 ? "" : from + " may not include " + to;
}

}  // namespace

std::string read_text(const std::string& path) {
  std::ifstream in(fs::path(CBNET_SOURCE_DIR) / path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> files_in_tree() {
  Names ignored = {".git"};
  std::istringstream lines(read_text(".gitignore"));
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 2 && line.front() == '/' && line.back() == '/') {
      ignored.insert(line.substr(1, line.size() - 2));
    }
  }
  const fs::path root(CBNET_SOURCE_DIR);
  std::vector<std::string> files;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::end(entry); ++entry) {
    const std::string path = fs::relative(entry->path(), root).generic_string();
    if (entry->is_directory() && ignored.count(path) != 0) entry.disable_recursion_pending();
    // In a work tree of git, .git is a file.
    if (entry->is_regular_file() && ignored.count(path) == 0) files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_cpp(const std::string& path) {
  return path.ends_with(".h") || path.ends_with(".cpp") || path.ends_with(".cu") || path.ends_with(".cuh");
}

std::string room_of(const std::string& path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string::npos) return path == kRootHeader ? path : "";
  return path.substr(0, slash);
}

bool is_library_room(const std::string& room) {
  static const Names programs = {"console", "bench", "cli", "examples", "tests"};
  return arrows().count(room) != 0 && programs.count(room) == 0;
}

std::vector<std::string> forbidden_includes(const std::string& path, const std::string& text) {
  if (arrows().count(room_of(path)) == 0) return {path + ": not in a room of the house"};
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<std::string> found;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch match;
    if (!std::regex_search(line, match, pattern)) continue;
    const bool local = match[1] == "\"";
    const std::string reason = local ? judge_local(path, match[2]) : judge_external(path, match[2]);
    if (!reason.empty()) {
      found.push_back(path + ":" + std::to_string(number) + ": " + match[0].str() + ": " + reason);
    }
  }
  return found;
}

}  // namespace cbnet::house
