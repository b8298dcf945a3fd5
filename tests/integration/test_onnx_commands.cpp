#include <doctest/doctest.h>

#include <filesystem>

#include "models/onnx/onnx.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;

namespace {

const std::string kTorchResnet = std::string(CBNET_SOURCE_DIR) + "/tests/golden/torch_resnet.onnx";

bool has_onnx() { return cbnet::onnx_description() != "not built in"; }

}  // namespace

TEST_CASE("a build without ONNX says how to get one") {
  if (has_onnx()) return;
  const TempFolder folder;
  check_refused(
      cbnet_run({"export", "--run", trained_run(), "--model", "lenet", "--onnx", folder / "m.onnx"}),
      "this build has no ONNX; hint: install libonnx-dev");
  check_refused(cbnet_run({"import", "--onnx", kTorchResnet, "--out", folder / "m.safetensors"}),
                "this build has no ONNX");
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("export and import refuse what makes no sense, and write nothing") {
  const TempFolder folder;
  const std::string onnx = folder / "m.onnx", out = folder / "m.safetensors";
  check_refused(cbnet_run({"export", "--run", trained_run(), "--model", "vgg", "--onnx", onnx}),
                "expected lenet, branchynet, autoencoder, classifier, cbnet or an imported model");
  check_refused(cbnet_run({"export", "--run", folder / "none", "--model", "lenet", "--onnx", onnx}),
                "no such folder");
  check_refused(
      cbnet_run({"export", "--run", trained_run(), "--model", "lenet", "--batched", "--onnx", onnx}),
      "--batched concerns branchynet");
  check_refused(cbnet_run({"import", "--onnx", kTorchResnet, "--out", folder / "m.onnx"}),
                "--out must end in .safetensors");
  check_refused(cbnet_run({"import", "--onnx", kTorchResnet, "--out", folder / "lenet.safetensors"}),
                "--out may not be called lenet");
  check_refused(cbnet_run({"import", "--onnx", kTorchResnet, "--out", out, "--deviation", "0"}),
                "--deviation must be positive");
  if (has_onnx()) {
    check_refused(cbnet_run({"import", "--onnx", excerpt_folder() + "/LICENSE", "--out", out}),
                  "an ONNX model");
    const ProgramResult full = cbnet_run({"export", "--run", trained_run(), "--model", "lenet", "--onnx",
                                          excerpt_folder() + "/LICENSE/m.onnx"});
    CHECK(full.exit_code != 0);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("an imported network is one of the run's models") {
  if (!has_onnx()) return;
  const TempFolder folder;
  const std::string run = folder / "run";
  const ProgramResult imported = cbnet_run(
      {"import", "--onnx", kTorchResnet, "--out", run + "/resnet.safetensors", "--dataset", "fmnist"});
  INFO(imported.err);
  REQUIRE(imported.exit_code == 0);
  CHECK(imported.out.find("345,280 MACs") != std::string::npos);
  const auto with_excerpt = [](std::vector<std::string> words) {
    const std::vector<std::string> data = {"--data-dir", excerpt_folder()};
    words.insert(words.end(), data.begin(), data.end());
    return words;
  };
  const ProgramResult info = cbnet_run({"info", "--model", run + "/resnet.safetensors"});
  CHECK(info.out.find("batch_norm") != std::string::npos);
  const std::string json = folder / "e.json";
  const ProgramResult eval =
      cbnet_run(with_excerpt({"eval", "--run", run, "--dataset", "fmnist", "--json", json}));
  INFO(eval.err);
  REQUIRE(eval.exit_code == 0);
  CHECK(read_json(json)["models"]["resnet"]["macs_by_exit"] == Json{345280});
  const ProgramResult predict =
      cbnet_run({"predict", "--run", run, excerpt_folder() + "/t10k-images-idx3-ubyte.gz#0"});
  CHECK(predict.exit_code == 0);
  const ProgramResult table2 =
      run_program("cbnet_bench", with_excerpt({"table2", "--run", run, "--threads", "1", "--json", json}));
  INFO(table2.err);
  REQUIRE(table2.exit_code == 0);
  CHECK(table2.out.find("resnet") != std::string::npos);
  CHECK(read_json(json)["rows"][0]["model"] == "resnet");
  // Beside the paper's models, and out again.
  const ProgramResult again =
      cbnet_run({"export", "--run", run, "--model", "resnet", "--onnx", folder / "again.onnx"});
  CHECK(again.exit_code == 0);
  check_refused(cbnet_run({"eval", "--run", run, "--dataset", "fmnist", "--model", "other"}), "got 'other'");
}
