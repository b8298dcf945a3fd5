#include "bench/runs.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cbnet/compression.h"
#include "cbnet/run_folder.h"
#include "models/compile.h"
#include "models/zoo.h"
#include "runtime/plan_file.h"
#include "runtime/quantize.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

namespace {

Model lenet() {
  Model model;
  model.info.model = "lenet";
  model.info.dataset = "fmnist";
  model.network = std::make_unique<Network>(lenet_spec(), 1);
  return model;
}

/// A plan as `cbnet compile` writes it.
void write_plan(const std::filesystem::path& file, const CompiledInfo& info) {
  runtime::Graph graph = fold(model_graph(lenet()));
  for (runtime::Node& node : graph.nodes) {
    if (node.kind == runtime::Kind::linear) node.dense = runtime::convert(node.dense, info.precision);
  }
  graph.provenance = to_json(info);
  runtime::save_graph(file, graph);
}

CompiledInfo bf16_info() {
  CompiledInfo info;
  info.model = "lenet";
  info.dataset = "fmnist";
  info.precision = runtime::Precision::bf16;
  info.validation_images = 1000;
  info.accuracy = 0.898;
  info.fp32_accuracy = 0.9;
  info.macs_by_exit = {1140070};
  info.parameter_count = 67824;
  return info;
}

}  // namespace

TEST_CASE("runs: a folder without models is refused") {
  const testing::TempFolder folder;
  CHECK_THROWS_SAYING(load_contenders(folder.path(), {Engine::plan}), InputError, "trained models");
}

TEST_CASE("runs: a compiled plan stands behind its model, one that lost too much is left out") {
  const testing::TempFolder folder;
  const Model model = lenet();
  save_model(RunFolder(folder.path()).model_file("lenet"), *model.network, model.info);
  CompiledInfo info = bf16_info();
  write_plan(folder / "lenet.bf16.plan", info);
  write_plan(folder / "lenet.fp8.plan", info);  // of no precision that is looked for

  const Contenders all = load_contenders(folder.path(), {Engine::plan, Engine::eager});
  REQUIRE(all.timed.size() == 3);
  CHECK(all.left_out.empty());
  CHECK(all.timed[0].precision == "fp32");
  CHECK(all.timed[0].reference != nullptr);
  CHECK(all.timed[1].precision == "bf16");
  CHECK(all.timed[1].engine == Engine::plan);
  CHECK(all.timed[1].reference == nullptr);
  // The two linear layers folded into one; convolutions and biases in f32.
  CHECK(all.timed[1].predictor->weight_bytes() == 4 * (130 + 1260 + 5020 + 10) + 2 * (720 * 10));
  CHECK(all.timed[2].engine == Engine::eager);
  CHECK(all.timed[2].reference == nullptr);

  info.accuracy = 0.8979;
  write_plan(folder / "lenet.bf16.plan", info);
  const Contenders fewer = load_contenders(folder.path(), {Engine::plan});
  CHECK(fewer.timed.size() == 1);
  REQUIRE(fewer.left_out.size() == 1);
  CHECK(fewer.left_out[0].model == "lenet");
  CHECK(fewer.left_out[0].precision == "bf16");
  CHECK(fewer.left_out[0].accuracy == 0.8979);
  CHECK(fewer.left_out[0].fp32_accuracy == 0.9);
}

TEST_CASE("runs: a plan of something else than its name says is left out, and so is a damaged one") {
  const testing::TempFolder folder;
  const Model model = lenet();
  save_model(RunFolder(folder.path()).model_file("lenet"), *model.network, model.info);
  const auto left_out = [&](const std::string& part) {
    const Contenders found = load_contenders(folder.path(), {Engine::plan, Engine::eager});
    CHECK(found.timed.size() == 2);
    REQUIRE(found.unusable.size() == 1);
    CHECK(found.unusable[0].name == "lenet.bf16.plan");
    CHECK_MESSAGE(testing::contains(found.unusable[0].reason, part), found.unusable[0].reason);
  };
  const auto refused = [&](const CompiledInfo& info, const char* part) {
    write_plan(folder / "lenet.bf16.plan", info);
    left_out(part);
  };
  CompiledInfo info = bf16_info();
  info.model = "cbnet";
  refused(info, "found cbnet of fmnist in bf16");
  info = bf16_info();
  info.dataset = "mnist";
  refused(info, "found lenet of mnist in bf16");
  info = bf16_info();
  info.precision = runtime::Precision::fp32;
  refused(info, "expected lenet of fmnist in bf16; found lenet of fmnist in fp32");
  info = bf16_info();
  info.macs_by_exit = {1, 2};
  refused(info, "expected the multiply-adds to 1 exits; found 2");
  info = bf16_info();
  info.made_from = files_checksum(RunFolder(folder.path()), "lenet");
  write_plan(folder / "lenet.bf16.plan", info);
  CHECK(load_contenders(folder.path(), {Engine::plan}).unusable.empty());
  save_model(RunFolder(folder.path()).model_file("lenet"), Network(lenet_spec(), 2), model.info);
  left_out("found one of a model that has changed since");
  write_file_atomic(folder / "lenet.bf16.plan", "no plan");
  left_out("a plan that begins with 'cbnetpln'");
}

TEST_CASE("runs: a model that cannot be loaded, or of another dataset, stops no other") {
  const testing::TempFolder folder;
  const RunFolder run(folder.path());
  Model model = lenet();
  save_model(run.model_file("lenet"), *model.network, model.info);
  write_file_atomic(run.model_file("branchynet"), "damaged");
  write_file_atomic(run.model_file("foreign"), "no model at all");
  model.info.model = "imported";
  model.info.dataset = "mnist";
  save_model(run.model_file("other"), *model.network, model.info);
  model.info.dataset = "unknown";
  save_model(run.model_file("stranger"), *model.network, model.info);
  const RunModels models = load_models(folder.path());
  REQUIRE(models.usable.size() == 1);
  CHECK(models.usable[0]->name() == "lenet");
  REQUIRE(models.unusable.size() == 4);
  CHECK(models.unusable[0].name == "branchynet");
  CHECK(models.unusable[1].name == "foreign");
  CHECK(models.unusable[2].name == "other");
  CHECK(
      testing::contains(models.unusable[2].reason, "expected a model of fmnist as the others; found mnist"));
  CHECK(testing::contains(models.unusable[3].reason, "found unknown"));
  std::filesystem::remove(run.model_file("lenet"));
  std::filesystem::remove(run.model_file("other"));
  std::filesystem::remove(run.model_file("stranger"));
  CHECK_THROWS_SAYING(load_models(folder.path()), InputError, "branchynet.safetensors");
}
