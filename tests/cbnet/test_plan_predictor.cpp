#include "cbnet/plan_predictor.h"

#include "models/compile.h"
#include "models/kinds/linear.h"
#include "models/zoo.h"
#include "runtime/plan_file.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::TempFolder;

namespace {

Tensor random_images(std::int64_t n) {
  Rng rng(9);
  return Tensor::uniform({n, 1, 28, 28}, 0, 256, rng).to(DType::u8);
}

runtime::Graph lenet_graph(const std::string& provenance) {
  runtime::Graph graph = classifier_graph(Network(lenet_spec(), 1), {});
  graph.provenance = provenance;
  return graph;
}

}  // namespace

TEST_CASE("a plan on the disk predicts as the plan in memory") {
  const TempFolder folder;
  CompiledInfo info;
  info.model = "lenet";
  info.dataset = "mnist";
  info.macs_by_exit = {1'140'070};
  info.parameter_count = 67'824;
  runtime::save_graph(folder / "lenet.plan", lenet_graph(to_json(info)));
  const CompiledModel loaded = load_compiled(folder / "lenet.plan");
  CHECK(loaded.info.model == "lenet");
  CHECK(loaded.predictor->name() == "lenet");
  CHECK(loaded.predictor->dataset() == "mnist");
  CHECK(loaded.predictor->macs_by_exit() == info.macs_by_exit);
  CHECK(loaded.predictor->parameter_count() == 67'824);
  const auto direct = make_plan_predictor({{"lenet", "mnist", {}, {1, 28, 28}, info.macs_by_exit, 67'824},
                                           runtime::Plan(lenet_graph("{}")),
                                           std::nullopt});
  const Tensor images = random_images(20);
  const Predictions a = loaded.predictor->predict(images), b = direct->predict(images);
  CHECK(a.labels == b.labels);
  CHECK(a.probabilities.to_vector<float>() == b.probabilities.to_vector<float>());
  // Folded and without the middle of two linear layers.
  CHECK(direct->weight_bytes() < 4 * 67'824);
}

TEST_CASE("images of another size, files that are no plan, and plans that nobody compiled are refused") {
  const TempFolder folder;
  const auto predictor = make_plan_predictor(
      {{"lenet", "mnist", {}, {1, 28, 28}, {1}, 1}, runtime::Plan(lenet_graph("{}")), std::nullopt});
  CHECK_THROWS_SAYING(predictor->predict(Tensor::zeros({1, 1, 27, 28}, DType::u8)), std::invalid_argument,
                      "(1,28,28)");
  CHECK_THROWS_SAYING(load_compiled(folder / "missing.plan"), InputError, "missing.plan");
  write_file_atomic(folder / "text.plan", "not a plan");
  CHECK_THROWS_SAYING(load_compiled(folder / "text.plan"), InputError, "cbnetpln");
  runtime::save_graph(folder / "bare.plan", lenet_graph("{}"));
  CHECK_THROWS_SAYING(load_compiled(folder / "bare.plan"), InputError, "bare.plan");
}

TEST_CASE("a plan of anything but pictures, or with exits that it does not speak of, is refused") {
  const TempFolder folder;
  CompiledInfo info;
  info.model = "lenet";
  info.dataset = "mnist";
  info.macs_by_exit = {1};
  const auto refused = [&](const NetworkSpec& spec, const std::vector<double>& thresholds,
                           const std::string& part) {
    runtime::Graph graph = classifier_graph(Network(spec, 1), thresholds);
    graph.provenance = to_json(info);
    runtime::save_graph(folder / "a.plan", graph);
    CHECK_THROWS_SAYING(load_compiled(folder / "a.plan"), InputError, part);
  };
  NetworkSpec deep = lenet_spec();
  deep.input = {2, 28, 28};
  refused(deep, {},
          "expected a plan from the pixels of grey or colour pictures to classes; found one from (2,28,28)");
  NetworkSpec flat;
  flat.input = {784};
  flat.trunk = {kinds::Linear{.out = 10}};
  refused(flat, {}, "found one from (784) to (10)");
  refused(branchynet_spec(), {0.5}, "expected the multiply-adds to 2 exits; found 1");
}

TEST_CASE("a plan takes another threshold where it has a side exit, and converts where it is CBNet's") {
  const TempFolder folder;
  CompiledInfo info;
  info.model = "branchynet";
  info.dataset = "mnist";
  info.macs_by_exit = {1, 2};
  runtime::Graph graph = classifier_graph(Network(branchynet_spec(), 1), {0.0});
  graph.provenance = to_json(info);
  runtime::save_graph(folder / "b.plan", graph);
  const Tensor images = random_images(20);
  CHECK(load_compiled(folder / "b.plan").predictor->predict(images).exit == std::vector<std::int64_t>(20, 1));
  CHECK(load_compiled(folder / "b.plan", {9}).predictor->predict(images).exit ==
        std::vector<std::int64_t>(20, 0));

  const Network autoencoder(autoencoder_spec("mnist", OutputActivation::softmax), 2);
  graph = fold(cbnet_graph(autoencoder, 50.0, Network(classifier_spec(), 1)));
  info.model = "cbnet";
  info.macs_by_exit = {1};
  graph.provenance = to_json(info);
  runtime::save_graph(folder / "c.plan", graph);
  const CompiledModel cbnet = load_compiled(folder / "c.plan");
  const auto direct = make_plan_predictor({{"autoencoder", "mnist", {}, {1, 28, 28}, {1}, 1},
                                           runtime::Plan(autoencoder_graph(autoencoder, 50.0)),
                                           std::nullopt});
  CHECK(cbnet.predictor->predict(images).converted.to_vector<float>() ==
        direct->predict(images).converted.to_vector<float>());
  CHECK_THROWS_SAYING(load_compiled(folder / "c.plan", {0.5}), InputError, "a plan with side exits");
}
