#include "cbnet/compression.h"

#include <cmath>

#include "models/checkpoint.h"
#include "runtime/plan.h"
#include "tensor/error.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/kinds.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;
using runtime::Precision;

namespace {

const data::Dataset& bars() {
  static const data::Dataset dataset = bar_dataset(600, 100);
  return dataset;
}

const RunFolder& trained() {
  static const TempFolder folder;
  static const RunFolder run = [] {
    PipelineOptions options;
    options.recipe = short_recipe();
    options.model = "cbnet";
    RunFolder made(folder / "run");
    run_pipeline(bars(), made, options);
    return made;
  }();
  return run;
}

std::int64_t weight_bytes(const runtime::Graph& graph) {
  std::int64_t sum = 0;
  for (const runtime::Node& node : graph.nodes) sum += node_weight_bytes(node);
  return sum;
}

}  // namespace

TEST_CASE("compress refuses what makes no sense") {
  CompressionOptions options;
  options.sparsity = 1.0;
  CHECK_THROWS_SAYING(compress(trained(), "cbnet", bars(), options), std::invalid_argument,
                      "sparsity must be");
  options.sparsity = 0.5;
  options.precision = Precision::bf16;
  CHECK_THROWS_SAYING(compress(trained(), "cbnet", bars(), options), std::invalid_argument, "not bf16");
  options.precision = Precision::fp32;
  CHECK_THROWS_SAYING(compress(trained(), "classifier", bars(), options), std::invalid_argument, "to prune");
  const data::Dataset other = bar_dataset(500, 100);
  CHECK_THROWS_SAYING(compress(trained(), "cbnet", other, {}), InputError,
                      "the training set it was trained on");
}

TEST_CASE("fewer bits: dense layers shrink, convolutions stay, the accuracy is judged on validation images") {
  const runtime::Graph fp32 = compress(trained(), "cbnet", bars(), {});
  const CompiledInfo plain = compiled_info_from_json(fp32.provenance, "test");
  CHECK(plain.accuracy == plain.fp32_accuracy);
  CHECK(plain.fp32_accuracy > 0.9);
  CHECK(plain.validation_images == 50);
  CHECK(plain.macs_by_exit == std::vector<std::int64_t>{665'600 + 220'150});
  for (const Precision precision : {Precision::bf16, Precision::int8}) {
    CompressionOptions options;
    options.precision = precision;
    std::string said;
    options.say = [&](const std::string& line) { said += line + "\n"; };
    const runtime::Graph graph = compress(trained(), "cbnet", bars(), options);
    const CompiledInfo info = compiled_info_from_json(graph.provenance, "test");
    CHECK(info.precision == precision);
    CHECK(info.fp32_accuracy == plain.fp32_accuracy);
    CHECK(info.accuracy >= plain.fp32_accuracy - 0.04);
    CHECK(weight_bytes(graph) < weight_bytes(fp32) / (precision == Precision::int8 ? 3 : 1));
    CHECK(contains(said, "classifier.trunk.0: conv2d stays fp32"));
    for (const runtime::Node& node : graph.nodes) {
      if (node.kind == runtime::Kind::linear)
        CHECK((node.dense.precision == precision) == (node.dense.in * node.dense.out >= kMinWeights));
    }
  }
}

TEST_CASE("fewer weights: blocks are gone, and fine-tuning finds the images again") {
  CompressionOptions options;
  options.precision = Precision::int8;
  options.sparsity = 0.5;
  const runtime::Graph graph = compress(trained(), "autoencoder", bars(), options);
  const CompiledInfo info = compiled_info_from_json(graph.provenance, "test");
  CHECK(info.sparsity == 0.5);
  CHECK(info.accuracy >= info.fp32_accuracy - 0.1);
  std::int64_t masked = 0;
  for (const runtime::Node& node : graph.nodes) {
    if (node.dense.mask.kept.empty()) continue;
    ++masked;
    const auto kept = std::count(node.dense.mask.kept.begin(), node.dense.mask.kept.end(), 1);
    const auto blocks = static_cast<std::ptrdiff_t>(node.dense.mask.kept.size());
    CHECK(kept == blocks - blocks / 2);
  }
  CHECK(masked >= 3);
  // The model files of the run stay as they were.
  CHECK(compiled_info_from_json(compress(trained(), "autoencoder", bars(), {}).provenance, "test").accuracy ==
        info.fp32_accuracy);
}

TEST_CASE("an imported network is calibrated and judged on training images, and says so") {
  const TempFolder folder;
  const RunFolder run(folder.path());
  Model model;
  model.info.model = "imported";
  model.info.dataset = "unknown";
  NetworkSpec spec;
  spec.input = {1, 28, 28};
  spec.trunk = {kinds::Flatten{}, kinds::Linear{.out = 20}, kinds::Relu{}, kinds::Linear{.out = 10},
                kinds::Softmax{}};
  model.network = std::make_unique<Network>(spec, 1);
  save_model(run.model_file("mine"), *model.network, model.info);
  CompressionOptions options;
  options.precision = Precision::int8;
  const auto info_of = [&] {
    return compiled_info_from_json(compress(run, "mine", bars(), options).provenance, "mine");
  };
  const CompiledInfo plain = info_of();
  CHECK(plain.may_have_trained);
  CHECK(plain.made_from == files_checksum(run, "mine"));
  CHECK(plain.dataset == "fmnist");
  CHECK(plain.validation_images == 50);
  options.sparsity = 0.5;
  CHECK(info_of().accuracy > plain.accuracy);  // fine-tuning is its first training
  model.info.dataset = "mnist";
  save_model(run.model_file("mine"), *model.network, model.info);
  CHECK_THROWS_SAYING(compress(run, "mine", bars(), options), InputError, "give --dataset mnist");
}

TEST_CASE("convolutions are converted where bytes are faster, and answers stay what they were") {
  const TempFolder folder;
  const RunFolder run(folder.path());
  Model model;
  model.info.model = "imported";
  model.info.dataset = "unknown";
  NetworkSpec spec;
  spec.input = {1, 28, 28};
  for (const std::int64_t stride : {2, 1, 2})
    spec.trunk.insert(
        spec.trunk.end(),
        {kinds::Conv2d{.out = 48, .kernel_size = 3, .stride = stride, .padding = 1}, kinds::Relu{}});
  spec.trunk.insert(spec.trunk.end(), {kinds::MaxPool2d{.kernel_size = 2, .stride = 2}, kinds::Flatten{},
                                       kinds::Linear{.out = 10}});
  model.network = std::make_unique<Network>(spec, 1);
  save_model(run.model_file("mine"), *model.network, model.info);
  const runtime::Graph fp32 = compress(run, "mine", bars(), {});
  CompressionOptions options;
  options.precision = Precision::int8;
  const runtime::Graph int8 = compress(run, "mine", bars(), options);
  std::size_t converted = 0;
  for (const runtime::Node& node : int8.nodes) converted += node.scales.empty() ? 0 : 1;
  CHECK(converted == (active_isa() == Isa::avx512_vnni ? 3 : 0));
  const Tensor& images = bars().test.images;
  const runtime::Plan first(fp32), second(int8);
  runtime::Workspace one(first), two(second);
  const auto a = first.run(images.data<std::uint8_t>(), images.size(0), one).probabilities,
             b = second.run(images.data<std::uint8_t>(), images.size(0), two).probabilities;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  CHECK(worst < 0.02);
}

TEST_CASE("what a plan says of itself is read back, or refused with the file's name") {
  CompiledInfo info;
  info.model = "lenet";
  info.dataset = "mnist";
  info.precision = Precision::int8;
  info.macs_by_exit = {1, 2};
  info.accuracy = 0.5;
  const CompiledInfo back = compiled_info_from_json(to_json(info), "a.plan");
  CHECK(back.model == "lenet");
  CHECK(back.precision == Precision::int8);
  CHECK(back.macs_by_exit == info.macs_by_exit);
  CHECK_THROWS_SAYING(compiled_info_from_json("{}", "a.plan"), InputError, "a.plan");
  CHECK_THROWS_SAYING(compiled_info_from_json(R"({"schema":"other/1"})", "a.plan"), InputError,
                      "cbnet-plan/1");
  std::string odd = to_json(info);
  odd.replace(odd.find("int8"), 4, "int3");
  CHECK_THROWS_SAYING(compiled_info_from_json(odd, "a.plan"), InputError, "int3");
}
