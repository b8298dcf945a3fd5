#include "cbnet/stages.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "cbnet/evaluate.h"
#include "cbnet/predictor.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/dropout.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "tensor/io.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("thresholds are found among the figures, of one exit or of several") {
  CHECK(thresholds_of({{"accuracy", 0.9}}, 0).empty());
  CHECK(thresholds_of({{"threshold", 0.5}}, 1) == std::vector{0.5});
  CHECK(thresholds_of({{"threshold_1", 0.5}, {"threshold_2", 0.7}}, 2) == std::vector{0.5, 0.7});
}

TEST_CASE("separate streams of a seed") {
  CHECK(derive_seed(1, SeedUse::network) != derive_seed(1, SeedUse::truncation));
  CHECK(derive_seed(1, SeedUse::network) != derive_seed(2, SeedUse::network));
}

namespace {

const data::Dataset& bars() {
  static const data::Dataset dataset = bar_dataset(600, 100);
  return dataset;
}

/// Two side exits, and more multiply-adds than an autoencoder has.
NetworkSpec with_two_exits() {
  using namespace kinds;
  const LayerSpecs branch = {MaxPool2d{.kernel_size = 4, .stride = 4}, Flatten{}, Linear{.out = 10}};
  return {"mine",
          {1, 28, 28},
          {Conv2d{.out = 6, .kernel_size = 5, .padding = 2}, Relu{},
           Conv2d{.out = 12, .kernel_size = 5, .padding = 2}, Relu{},
           MaxPool2d{.kernel_size = 2, .stride = 2}, Flatten{}, Linear{.out = 10}},
          {{2, branch}, {4, branch}},
          Init::he_normal};
}

PipelineOptions other_options(const NetworkSpec& spec) {
  PipelineOptions options;
  options.recipe = short_recipe();
  options.recipe.thresholds = {};
  options.recipe.truncation = {2, 6, 0.05};
  options.network = OtherNetwork{spec.name, spec, {}};
  options.convert = true;
  return options;
}

/// The run's models answer alike in both engines.
void check_engines_agree(const RunFolder& run, const std::string& name) {
  CAPTURE(name);
  const Predictions planned = load_predictor(run.path(), name)->predict(bars().test.images);
  const Predictions eager = load_predictor(run.path(), name, {}, Engine::eager)->predict(bars().test.images);
  CHECK(planned.labels == eager.labels);
  CHECK(planned.exit == eager.exit);
  const auto a = planned.probabilities.to_vector<float>(), b = eager.probabilities.to_vector<float>();
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-4F);
}

}  // namespace

TEST_CASE("another network with two side exits is trained, judged and converted, and resumed to the bit") {
  const TempFolder folder;
  const RunFolder run(folder / "run");
  PipelineOptions options = other_options(with_two_exits());
  run_pipeline(bars(), run, options);
  const Model model = load_model(run.model_file("mine"));
  CHECK(model.info.model == "mine");
  REQUIRE(model.info.thresholds.size() == 2);
  const auto predictor = load_predictor(run.path(), "mine");
  CHECK(predictor->macs_by_exit().size() == 3);
  const Evaluation judged = evaluate(*predictor, bars().test.images, bars().test.labels);
  CHECK(judged.accuracy > 0.9);
  for (const char* name : {"mine", "classifier", "cbnet"}) check_engines_agree(run, name);
  CHECK(evaluate(*load_predictor(run.path(), "cbnet"), bars().test.images, bars().test.labels).accuracy >
        0.8);
  // Thresholds of one's own: one for each exit, or one for all.
  CHECK(load_predictor(run.path(), "mine", {0.0, 10.0})->predict(bars().test.images).exit ==
        std::vector<std::int64_t>(100, 1));
  CHECK(load_predictor(run.path(), "mine", {10.0})->predict(bars().test.images).exit ==
        std::vector<std::int64_t>(100, 0));
  CHECK_THROWS_SAYING(load_predictor(run.path(), "mine", {1, 1, 1}), std::invalid_argument,
                      "one for each of 2 side exits; got 3");

  const std::string bytes = read_file(run.model_file("autoencoder"));
  std::filesystem::remove(run.model_file("autoencoder"));
  std::filesystem::remove(run.finished_file("autoencoder"));
  options.resume = true;
  run_pipeline(bars(), run, options);
  CHECK(read_file(run.model_file("autoencoder")) == bytes);
  options.network->spec.trunk.insert(options.network->spec.trunk.end() - 1, kinds::Dropout{.p = 0.1});
  CHECK_THROWS_SAYING(run_pipeline(bars(), run, options), InputError, "spec_md5");
}

TEST_CASE(
    "another network without side exits is cut where the search says, and resumed without a new search") {
  const TempFolder folder;
  const RunFolder run(folder / "run");
  NetworkSpec plain = with_two_exits();
  plain.exits.clear();
  PipelineOptions options = other_options(plain);
  run_pipeline(bars(), run, options);
  const auto record =
      nlohmann::json::parse(read_file(run.run_file())).at("stages").at("classifier").at("truncation");
  CHECK(record.at("trials").size() == 2);
  const Model cut = load_model(run.model_file("classifier"));
  CHECK(cut.network->spec().trunk.size() == (record.at("k") == 1 ? 4 : 7));
  for (const char* name : {"mine", "classifier", "cbnet"}) check_engines_agree(run, name);
  CHECK(evaluate(*load_predictor(run.path(), "cbnet"), bars().test.images, bars().test.labels).accuracy >
        0.5);

  const std::string bytes = read_file(run.model_file("autoencoder"));
  std::filesystem::remove(run.model_file("autoencoder"));
  std::filesystem::remove(run.finished_file("autoencoder"));
  options.resume = true;
  std::string said;
  options.say = [&](const std::string& line) { said += line + "\n"; };
  run_pipeline(bars(), run, options);
  CHECK(contains(said, "classifier: finished before, kept"));
  CHECK(read_file(run.model_file("autoencoder")) == bytes);
}
