#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/house/house.h"

using namespace cbnet::house;

namespace {

/// True when the one line is forbidden in the file.
bool breaks(const std::string& path, const std::string& line) {
  return !forbidden_includes(path, "#pragma once\n" + line + "\n").empty();
}

}  // namespace

TEST_CASE("a planted include that breaks an arrow is seen") {
  CHECK(breaks("tensor/tensor.h", "#include \"autograd/variable.h\""));
  CHECK(breaks("autograd/tape.cpp", "#include \"layers/module.h\""));
  CHECK(breaks("layers/linear.cpp", "#include \"optim/adam.h\""));
  CHECK(breaks("runtime/plan.h", "#include \"autograd/variable.h\""));
  CHECK(breaks("energy/meter.cpp", "#include \"data/dataset.h\""));
  CHECK(breaks("cbnet/train.cpp", "#include \"energy/meter.h\""));
  CHECK(breaks("models/lenet.cpp", "  #  include \"data/dataset.h\""));
  CHECK(breaks("bench/main.cpp", "#include \"cli/options.h\""));
  CHECK(breaks("cbnet/train.cpp", "#include \"tests/support/tiny.h\""));
  CHECK(forbidden_includes("tensor/a.h", "\n#include \"optim/adam.h\"").at(0) ==
        "tensor/a.h:2: #include \"optim/adam.h\": tensor may not include optim");
}

TEST_CASE("a planted include that is not by full path is seen") {
  CHECK(breaks("tensor/tensor.cpp", "#include \"tensor.h\""));
  CHECK(breaks("tensor/cpu/kernels/pool2d.cpp", "#include \"../tensor.h\""));
  CHECK(breaks("autograd/tape.cpp", "#include \"autograd/../tensor/tensor.h\""));
  CHECK(breaks("autograd/tape.cpp", "#include <tensor/tensor.h>"));
  CHECK(breaks("runaway/file.cpp", "int x;"));
  CHECK(breaks("layers/linear.cpp", "#include \"cbnet.h\""));
  CHECK(breaks("other.h", "#include \"tensor/tensor.h\""));
}

TEST_CASE("a planted library header in the wrong place is seen") {
  CHECK(breaks("tensor/parallel.cpp", "#include <omp.h>"));
  CHECK(breaks("runtime/plan.cpp", "#include <pthread.h>"));
  CHECK(breaks("tensor/cpu/blas.h", "#include <cblas.h>"));
  CHECK(breaks("tensor/cpu/blas.cpp", "#include <cuda_runtime.h>"));
  CHECK(breaks("tensor/cuda/backend.h", "#include <cublas_v2.h>"));
  CHECK(breaks("tensor/io.cpp", "#include <zlib.h>"));
  CHECK(breaks("cbnet/train.cpp", "#include <png.h>"));
  CHECK(breaks("cli/predict.cpp", "#include <jpeglib.h>"));
  CHECK(breaks("cbnet/train.cpp", "#include <openssl/evp.h>"));
  CHECK(breaks("data/npz.cpp", "#include <nlohmann/json.hpp>"));
  CHECK(breaks("cbnet/train.cpp", "#include <cxxopts.hpp>"));
  CHECK(breaks("layers/linear.cpp", "#include <doctest/doctest.h>"));
  CHECK(breaks("autograd/ops/relu.cpp", "#include <immintrin.h>"));
  CHECK(breaks("bench/main.cpp", "#include <boost/format.hpp>"));
  CHECK(breaks("bench/peers/engines/ort.cpp", "#include <dnnl.hpp>"));
  CHECK(breaks("bench/protocol.cpp", "#include <immintrin.h>"));
  CHECK(breaks("tensor/error.h", "#include <format>"));
}

TEST_CASE("files compiled per ISA take nothing of the C++ library but its integers") {
  CHECK(breaks("tensor/cpu/kernels/isa/avx2.cpp", "#include <algorithm>"));
  CHECK(breaks("tensor/cpu/kernels/isa/avx2.cpp", "#include <cmath>"));
  CHECK(breaks("tensor/cpu/kernels/gemv.inc.h", "#include <vector>"));
  CHECK_FALSE(breaks("tensor/cpu/kernels/gemv.inc.h", "#include <cstdint>"));
  CHECK_FALSE(breaks("tensor/cpu/kernels/isa/avx2.cpp", "#include <immintrin.h>"));
}

TEST_CASE("what a file compiled per ISA includes through others is as bare") {
  std::vector<std::string> waiting;
  for (const std::string& path : files_in_tree()) {
    if (path.find("/kernels/isa/") != std::string::npos) waiting.push_back(path);
  }
  REQUIRE_FALSE(waiting.empty());
  const std::regex pattern("#\\s*include\\s*([<\"])([^>\"]+)[>\"]");
  std::set<std::string> seen;
  while (!waiting.empty()) {
    const std::string path = waiting.back();
    waiting.pop_back();
    if (!seen.insert(path).second) continue;
    const std::string text = read_text(path);
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
      const std::string line = (*match)[0];
      CHECK_MESSAGE(forbidden_includes(room_of(path) + "/kernels/isa/any.cpp", line).empty(),
                    path << " is part of a file compiled per ISA and says " << line);
      if ((*match)[1] == "\"") waiting.push_back((*match)[2]);
    }
  }
}

TEST_CASE("what the table allows passes") {
  CHECK_FALSE(breaks("tensor/thread_team.cpp", "#include <pthread.h>"));
  CHECK_FALSE(breaks("tensor/cpu/blas.cpp", "#include <cblas.h>"));
  CHECK_FALSE(breaks("tensor/cuda/gemm.cu", "#include <cublas_v2.h>"));
  CHECK_FALSE(breaks("data/gzip.cpp", "#include <zlib.h>"));
  CHECK_FALSE(breaks("models/spec_json.cpp", "#include <nlohmann/json.hpp>"));
  CHECK_FALSE(breaks("cbnet/record.cpp", "#include <nlohmann/json.hpp>"));
  CHECK_FALSE(breaks("console/options.h", "#include <cxxopts.hpp>"));
  CHECK_FALSE(breaks("cli/main.cpp", "#include \"console/options.h\""));
  CHECK_FALSE(breaks("bench/main.cpp", "#include \"energy/meter.h\""));
  CHECK_FALSE(breaks("tests/bench/test_report.cpp", "#include \"bench/report.h\""));
  CHECK_FALSE(breaks("layers/linear.cpp", "#include \"tensor/tensor.h\""));
  CHECK_FALSE(breaks("energy/meter.cpp", "#include <unistd.h>"));
  CHECK_FALSE(breaks("examples/first_network.cpp", "#include \"cbnet.h\""));
  CHECK_FALSE(breaks("tensor/tensor.h", "// like #include \"optim/adam.h\""));
}

TEST_CASE("cbnet.h has every op, layer and optimizer") {
  const std::string header = read_text("cbnet.h") + read_text("autograd/ops/ops.h");
  for (const std::string& path : files_in_tree()) {
    const bool for_users =
        path.starts_with("autograd/") || path.starts_with("layers/") || path.starts_with("optim/");
    if (!for_users || !path.ends_with(".h")) continue;
    CHECK_MESSAGE(header.find("#include \"" + path + "\"") != std::string::npos, path);
  }
}

TEST_CASE("every include in the tree keeps to the arrows") {
  std::set<std::string> rooms;
  for (const std::string& path : files_in_tree()) {
    if (!is_cpp(path)) continue;
    // A consumer of the installed library lives outside the house.
    if (path.starts_with("tests/install/consumer/")) continue;
    rooms.insert(room_of(path));
    for (const std::string& line : forbidden_includes(path, read_text(path))) {
      FAIL_CHECK(line);
    }
  }
  CHECK(rooms.count("tensor") == 1);
  CHECK(rooms.count("tests") == 1);
}
