#include "cbnet/plan_predictor.h"

#include "models/compile.h"
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
  return Tensor::uniform({n, 28, 28}, 0, 256, rng).to(DType::u8);
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
  const auto direct = make_plan_predictor(
      {"lenet", "mnist", runtime::Plan(lenet_graph("{}")), info.macs_by_exit, 67'824, std::nullopt});
  const Tensor images = random_images(20);
  const Predictions a = loaded.predictor->predict(images), b = direct->predict(images);
  CHECK(a.labels == b.labels);
  CHECK(a.probabilities.to_vector<float>() == b.probabilities.to_vector<float>());
  // Folded and without the middle of two linear layers.
  CHECK(direct->weight_bytes() < 4 * 67'824);
}

TEST_CASE("images of another size, files that are no plan, and plans that nobody compiled are refused") {
  const TempFolder folder;
  const auto predictor =
      make_plan_predictor({"lenet", "mnist", runtime::Plan(lenet_graph("{}")), {1}, 1, std::nullopt});
  CHECK_THROWS_SAYING(predictor->predict(Tensor::zeros({1, 27, 28}, DType::u8)), std::invalid_argument,
                      "(1,28,28)");
  CHECK_THROWS_SAYING(load_compiled(folder / "missing.plan"), InputError, "missing.plan");
  write_file_atomic(folder / "text.plan", "not a plan");
  CHECK_THROWS_SAYING(load_compiled(folder / "text.plan"), InputError, "cbnetpln");
  runtime::save_graph(folder / "bare.plan", lenet_graph("{}"));
  CHECK_THROWS_SAYING(load_compiled(folder / "bare.plan"), InputError, "bare.plan");
}
