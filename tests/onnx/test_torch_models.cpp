// Networks as PyTorch exported them (tests/onnx/make_torch_models.py), against PyTorch's own outputs.

#include <doctest/doctest.h>

#include "autograd/tape.h"
#include "models/onnx/onnx.h"
#include "models/safetensors.h"
#include "tests/conformance/results.h"
#include "tests/support/record.h"
#include "tests/support/temp_folder.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("networks exported from PyTorch give PyTorch's outputs") {
  for (const std::string name : {"torch_lenet", "torch_resnet"}) {
    CAPTURE(name);
    const std::string path = std::string(CBNET_SOURCE_DIR) + "/tests/golden/" + name;
    const Model model = import_onnx(path + ".onnx", {});
    const SafetensorsFile stored = read_safetensors(path + ".safetensors");
    REQUIRE(stored.tensors.size() == 2);
    const NoGrad no_grad;
    const Variable y = model.network->forward(Variable(stored.tensors[0].second));
    const double error = relative_error(y.value(), stored.tensors[1].second, 1e-30);
    CHECK(error <= 1e-5);
    // Out and in again, to the bit.
    const TempFolder folder;
    export_onnx(folder / "m.onnx", {.classifier = &model});
    const Model again = import_onnx(folder / "m.onnx", {.output = "logits"});
    const Variable once_more = again.network->forward(Variable(stored.tensors[0].second));
    const double change = relative_error(once_more.value(), y.value(), 1e-30);
    CHECK(change == 0.0);
    record("onnx_import", name, {static_cast<double>(y.shape()[0]), error, change});
  }
}
