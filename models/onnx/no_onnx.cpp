// Stands in for ONNX in a build without it.
#include "models/onnx/onnx.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

[[noreturn]] void refuse() {
  throw std::invalid_argument(
      "[onnx] this build has no ONNX; hint: install libonnx-dev, libprotobuf-dev and protobuf-compiler, then "
      "build with `cmake --preset release -DCBNET_ONNX=ON && cmake --build --preset release`");
}

}  // namespace

std::string onnx_description() { return "not built in"; }

void export_onnx(const std::filesystem::path&, const OnnxExport&) { refuse(); }

Model import_onnx(const std::filesystem::path&, const OnnxImport&) { refuse(); }

Model import_onnx_bytes(const std::string&, const std::string&, const OnnxImport&) { refuse(); }

}  // namespace cbnet
