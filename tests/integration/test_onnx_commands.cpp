#include <doctest/doctest.h>

#include <filesystem>

#include "models/onnx/onnx.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"
#include "tests/support/kinds.h"

using namespace cbnet::test;

namespace {

const std::string kTorchResnet = std::string(CBNET_SOURCE_DIR) + "/tests/golden/torch_resnet.onnx";

/// The kind of network that is trained elsewhere, as ONNX.
void write_perceptron(const std::string& file, const cbnet::Shape& input, std::int64_t classes) {
  cbnet::NetworkSpec spec;
  spec.input = input;
  spec.trunk = {cbnet::kinds::Flatten{}, cbnet::kinds::Linear{.out = 16}, cbnet::kinds::Relu{},
                cbnet::kinds::Linear{.out = classes}};
  cbnet::Model model;
  model.network = std::make_unique<cbnet::Network>(spec, 1);
  cbnet::export_onnx(file, {.classifier = &model});
}

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
                "expected lenet, branchynet, autoencoder, classifier, cbnet or another model");
  check_refused(cbnet_run({"export", "--run", folder / "none", "--model", "lenet", "--onnx", onnx}),
                "no such folder");
  check_refused(
      cbnet_run({"export", "--run", trained_run(), "--model", "lenet", "--batched", "--onnx", onnx}),
      "--batched concerns side exits");
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

TEST_CASE("networks from rows of pixels work in every command; what cannot be used is refused at import") {
  if (!has_onnx()) return;
  const TempFolder folder;
  const std::string run = folder / "run", json = folder / "e.json";
  std::filesystem::copy(trained_run(), run);
  write_perceptron(folder / "784.onnx", {784}, 10);
  write_perceptron(folder / "28.onnx", {28, 28}, 10);
  write_perceptron(folder / "letters.onnx", {784}, 47);
  write_perceptron(folder / "wide.onnx", {1, 32, 32}, 10);
  const auto import = [&](const char* name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"import", "--onnx", folder / (std::string(name) + ".onnx"), "--output",
                                   "logits", "--out",  run + "/mine_" + name + ".safetensors"};
    words.insert(words.end(), more.begin(), more.end());
    return cbnet_run(words);
  };
  check_refused(import("letters"), "expected a network of 28x28 grey pictures in 10 classes");
  check_refused(import("wide"), "found one of 32x32 grey pictures in 10 classes");
  check_refused(import("784", {"--dataset", "mnist"}), "expected a run folder of mnist; found one of fmnist");
  for (const char* name : {"784", "28"}) {
    const ProgramResult imported = import(name);
    INFO(imported.err);
    REQUIRE(imported.exit_code == 0);
    CHECK(imported.out.find("dataset fmnist") != std::string::npos);
  }
  const std::string plan = run + "/mine_784.int8.plan",
                    image = excerpt_folder() + "/t10k-images-idx3-ubyte.gz#0";
  const ProgramResult compiled =
      cbnet_run({"compile", "--run", run, "--model", "mine_784", "--dataset", "fmnist", "--data-dir",
                 excerpt_folder(), "--precision", "int8", "--out", plan, "--quiet"});
  CHECK(compiled.exit_code == 0);
  CHECK(compiled.out.find("17 images that may have trained it") != std::string::npos);
  CHECK(cbnet_run({"predict", "--run", run, "--model", "mine_28", image}).exit_code == 0);
  CHECK(cbnet_run({"export", "--run", run, "--model", "mine_784", "--onnx", folder / "o.onnx"}).exit_code ==
        0);
  REQUIRE(
      cbnet_run({"eval", "--run", run, "--dataset", "fmnist", "--data-dir", excerpt_folder(), "--json", json})
          .exit_code == 0);
  CHECK(read_json(json)["models"].size() == 7);
  CHECK_FALSE(read_json(json).contains("unusable"));
  const auto bench = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--run", run, "--quiet", "--json", json});
    const ProgramResult result = run_program("cbnet_bench", words);
    INFO(result.err);
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");
    return result.out;
  };
  CHECK(bench({"accuracy", "--data-dir", excerpt_folder()}).find("| mine_28 |") != std::string::npos);
  CHECK(bench({"table2", "--threads", "1", "--data-dir", excerpt_folder()}).find("mine_784, int8") !=
        std::string::npos);
  CHECK(bench({"roofline", "--repeats", "1", "--block-s", "0.0002"}).find("\nmine_784\n") !=
        std::string::npos);
}
