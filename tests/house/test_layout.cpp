#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/house/house.h"

using namespace cbnet::house;
namespace fs = std::filesystem;

namespace {

/// Public headers without a test file of their own, each with its reason.
const std::map<std::string, std::string>& tested_elsewhere() {
  static const std::map<std::string, std::string> table = {
      {"autograd/ops/ops.h", "as cbnet.h"},
      {"cbnet.h", "includes alone, which test_includes counts and examples/ and tests/install use"},
      {"tensor/calls.h",
       "the arguments of a backend's functions, which test_backend and the tests of ops fill"},
      {"tensor/cpu/functions.h", "the CPU backend, which every op's test and tests/conformance try"},
      {"tensor/reference/functions.h", "as tensor/cpu/functions.h"},
      {"tensor/image_move.h", "tests/data/test_augment.cpp and tests/cuda/test_augment.cpp"},
      {"tensor/cuda/functions.h", "the CUDA backend, which every op's test tries on the emulated device"},
      {"tensor/cuda/context.h", "tests/cuda/test_emulation.cpp"},
      {"tensor/cuda/launch.h", "tests/cuda/test_emulation.cpp"},
      {"tensor/cuda/network.h", "tests/cuda/test_device_plan.cpp"},
      {"tensor/cuda/limits.h", "tests/cuda/test_commands.cpp, through cbnet_bench"},
      {"runtime/device_plan.h", "tests/cuda/test_device_plan.cpp"},
      {"cbnet/device_predictor.h", "tests/cuda/test_commands.cpp, through the programs"},
      {"tensor/cpu/kernels/isa_table.h",
       "a table of pointers; each kernel in it has its test, over every ISA"},
      {"tensor/cpu/kernels/split.h", "kernels and what packs for them cut by it; test_gemm tries every rest"},
      {"tensor/cpu/kernels/exit.h", "tests/runtime/test_exit.cpp"},
      {"tensor/cpu/kernels/fused_conv2d.h", "tests/runtime/test_conv.cpp"},
      {"tensor/cpu/kernels/channels.h", "tests/runtime/test_channels.cpp"},
      {"tensor/cpu/kernels/channels_u8.h", "tests/runtime/test_channels_u8.cpp"},
      {"runtime/steps/plain.h", "tests/runtime/test_plan.cpp runs every kind"},
      {"tensor/cpu/kernels/linear.h", "tests/runtime/test_linear.cpp"},
      {"tensor/cpu/kernels/winograd.h", "tests/runtime/test_winograd.cpp"},
      {"energy/clock.h", "one clock, which test_meter reads"},
      {"models/onnx/onnx.h", "optional: tests/onnx, where the build has it"},
      {"models/onnx/graph_reader.h", "as models/onnx/onnx.h"},
      {"models/onnx/graph_writer.h", "as models/onnx/onnx.h"},
      {"models/onnx_node.h", "a struct that onnx_reader.h reads and onnx_writer.h writes"},
      {"models/onnx_writer.h",
       "an interface; test_layer writes every layer kind through it where ONNX is built"},
      {"models/kinds/common.h", "helpers of several layer kinds, whose tests call them"},
      {"models/kinds/join.h", "what test_add and test_mul share"},
      {"energy/kind.h", "an enum and its names, which test_power_model and test_meter check"},
  };
  return table;
}

/// Words that mark unfinished work; in pieces, so that this file does not mark itself.
const std::regex& unfinished() {
  static const std::string words =
      std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X|HA" + "CK|T" + "BD|W" + "IP)\\b";
  static const std::string phrases =
      std::string("|[Nn]ot (yet )?imple") + "mented|[Uu]nimple" + "mented|[Ll]orem ip" + "sum";
  static const std::regex pattern(words + phrases, std::regex::optimize);
  return pattern;
}

bool is_binary(const std::string& text) { return text.substr(0, 8192).find('\0') != std::string::npos; }

bool is_code(const std::string& path) {
  return is_cpp(path) || path.ends_with(".cmake") || path.ends_with("CMakeLists.txt") ||
         path.ends_with(".sh") || path.ends_with(".py") || path.starts_with("scripts/");
}

/// The lines of `text` with a mark, as "path:line: text".
std::vector<std::string> marks(const std::string& path, const std::string& text) {
  std::vector<std::string> found;
  int number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    // A regular expression over an endless line (embedded data) overruns the stack.
    if (line.size() < 4096 && std::regex_search(line, unfinished())) {
      found.push_back(path + ":" + std::to_string(number) + ": " + line);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("every public header has a test file") {
  const std::vector<std::string> files = files_in_tree();
  std::set<std::string> tests;  // "tensor/test_shape"
  for (const std::string& path : files) {
    if (!path.starts_with("tests/") || !path.ends_with(".cpp")) continue;
    const std::string below = path.substr(6);
    tests.insert(room_of(below) + "/" + fs::path(below).stem().string());
  }
  std::map<std::string, std::string> excused = tested_elsewhere();
  for (const std::string& path : files) {
    if (!path.ends_with(".h") || path.ends_with(".inc.h") || !is_library_room(room_of(path))) continue;
    const bool tested = tests.count(room_of(path) + "/test_" + fs::path(path).stem().string()) != 0;
    const bool is_excused = excused.erase(path) != 0;
    if (!tested && !is_excused)
      FAIL_CHECK(path << " has no test file, and is not named in tested_elsewhere()");
    if (tested && is_excused)
      FAIL_CHECK(path << " has a test file by now; take it out of tested_elsewhere()");
  }
  for (const auto& [path, reason] : excused) {
    FAIL_CHECK("tested_elsewhere() names a header that is gone: " << path << " (" << reason << ")");
  }
}

TEST_CASE("no source file is longer than 450 lines") {
  for (const std::string& path : files_in_tree()) {
    if (!is_code(path)) continue;
    const std::string text = read_text(path);
    const auto lines = std::count(text.begin(), text.end(), '\n');
    CHECK_MESSAGE(lines <= 450, path << " has " << lines << " lines; a file holds one idea");
  }
}

TEST_CASE("nothing in the tree is marked as unfinished") {
  CHECK(marks("a.cpp", std::string("int x;\n  // TO") + "DO: think\n").size() == 1);
  CHECK(marks("a.cpp", std::string("throw Error(\"not imple") + "mented\");").size() == 1);
  CHECK(marks("a.sh", "mktemp -t cbnet.XXXXXX").empty());
  for (const std::string& path : files_in_tree()) {
    const std::string text = read_text(path);
    if (is_binary(text)) continue;
    for (const std::string& line : marks(path, text)) {
      FAIL_CHECK(line);
    }
  }
}
