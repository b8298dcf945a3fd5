#include "train/fit.h"

#include <limits>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/pointwise.h"
#include "models/safetensors.h"
#include "models/zoo.h"
#include "tensor/error.h"
#include "tests/support/bars.h"
#include "tests/support/kinds.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"
#include "train/metrics.h"

using namespace cbnet;
using cbnet::testing::bar_dataset;
using cbnet::testing::TempFolder;

namespace {

struct Setup {
  explicit Setup(std::int64_t epochs, const std::filesystem::path& state_file) {
    const data::Dataset dataset = bar_dataset(200, 10);
    data = {dataset.train.images, dataset.train.labels, data::stratified_split(dataset.train.labels, 20, 1)};
    stage.name = "lenet";
    stage.network = &network;
    stage.recipe.batch_size = 50;
    stage.recipe.learning_rate = 3e-3;
    stage.recipe.epochs = epochs;
    stage.step = [this](const data::Batch& batch, std::int64_t) {
      const Variable logits = network.forward(Variable(batch.pixels));
      return StepResult{cross_entropy(logits, batch.labels), logits.value()};
    };
    stage.validate = [] { return std::map<std::string, double>{{"accuracy", 0.5}}; };
    options.state_file = state_file;
    options.fingerprint = "f";
    options.resume = true;
  }
  // A dropout layer, so that the generator's state matters.
  static NetworkSpec spec() {
    NetworkSpec out = lenet_spec();
    out.trunk.insert(out.trunk.end() - 1, kinds::Dropout{.p = 0.2});
    return out;
  }
  Network network{spec(), 1};
  TrainingData data;
  Stage stage;
  FitOptions options;
};

std::vector<float> weights(Network& network) { return network.parameters()[0].value().to_vector<float>(); }

}  // namespace

TEST_CASE("another training's state, a damaged one and a loss that is not finite are errors") {
  const TempFolder folder;
  Setup first(1, folder / "state");
  fit(first.stage, first.data, first.options);
  Setup other(1, folder / "state");
  other.options.fingerprint = "g";
  CHECK_THROWS_SAYING(fit(other.stage, other.data, other.options), InputError,
                      "expected a training with g; found f");
  SafetensorsFile file = read_safetensors(folder / "state");
  file.tensors.erase(file.tensors.begin());
  write_safetensors(folder / "state", file);
  Setup damaged(1, folder / "state");
  CHECK_THROWS_SAYING(fit(damaged.stage, damaged.data, damaged.options), InputError,
                      "'trunk.0.weight' is missing");
  Setup diverging(1, folder / "fresh");
  diverging.stage.step = [&](const data::Batch& batch, std::int64_t) {
    const Variable logits = diverging.network.forward(Variable(batch.pixels));
    return StepResult{scale(cross_entropy(logits, batch.labels), std::numeric_limits<double>::infinity()),
                      {}};
  };
  CHECK_THROWS_SAYING(fit(diverging.stage, diverging.data, diverging.options), std::runtime_error,
                      "lenet: the loss is inf in epoch 1, batch 1");
}

TEST_CASE("a state of more epochs than are asked for, or than its training has, is an error") {
  const TempFolder folder;
  const auto fingerprint = [](int epochs) {
    return "{\"recipe\":{\"epochs\":" + std::to_string(epochs) + "}}";
  };
  Setup first(2, folder / "state");
  first.options.fingerprint = fingerprint(2);
  fit(first.stage, first.data, first.options);
  Setup fewer(1, folder / "state");
  fewer.options.fingerprint = fingerprint(1);
  CHECK_THROWS_SAYING(fit(fewer.stage, fewer.data, fewer.options), InputError,
                      "expected at most 1 epochs done, as are asked for; found 2");
  SafetensorsFile file = read_safetensors(folder / "state");
  for (auto& [key, value] : file.metadata)
    if (key == "cbnet.epochs_done") value = "5";
  write_safetensors(folder / "state", file);
  Setup more(6, folder / "state");
  more.options.fingerprint = fingerprint(6);
  CHECK_THROWS_SAYING(fit(more.stage, more.data, more.options), InputError, "0 to 2 epochs done");
}

TEST_CASE("training goes on from the state of a finished one, where none is begun") {
  const TempFolder folder;
  const auto run = [&](std::int64_t epochs, const char* state, const char* finished) {
    Setup setup(epochs, folder / state);
    setup.stage.recipe.schedule = ScheduleKind::constant;
    setup.options.fingerprint = "{\"recipe\":{\"epochs\":" + std::to_string(epochs) + "}}";
    if (*finished != '\0') setup.options.finished_file = folder / finished;
    const FitResult result = fit(setup.stage, setup.data, setup.options);
    CHECK(result.earlier.empty());
    CHECK(result.log.size() == static_cast<std::size_t>(epochs));
    CHECK(state_fingerprint(folder / state) == setup.options.fingerprint);
    return weights(setup.network);
  };
  const std::vector<float> whole = run(3, "whole", "");
  run(1, "short", "");
  CHECK(run(3, "longer", "short") == whole);
}

TEST_CASE("training learns, reports every batch and logs every epoch") {
  const TempFolder folder;
  Setup setup(4, folder / "state");
  std::vector<Progress> seen;
  setup.options.progress = [&](const Progress& p) { seen.push_back(p); };
  const FitResult result = fit(setup.stage, setup.data, setup.options);
  REQUIRE(seen.size() == 4 * 4);  // 180 images in batches of 50
  CHECK(seen.back().accuracy > seen.front().accuracy);
  CHECK(seen.back().loss < 1.0);
  CHECK(seen.back().images == 180);
  CHECK(seen.back().seconds_left == doctest::Approx(0.0));
  CHECK(result.log.size() == 4);
  CHECK(testing::contains(result.log[3], "\"epoch\":4"));
  CHECK(result.validation.at("accuracy") == 0.5);
}

TEST_CASE("interrupted after any epoch and resumed, the weights have the same bits") {
  const TempFolder folder;
  Setup whole(3, folder / "whole");
  fit(whole.stage, whole.data, whole.options);
  for (const int stop_after : {1, 2}) {
    const auto state = folder / ("stop" + std::to_string(stop_after));
    Setup first(3, state);
    struct Stop {};
    int epochs = 0;
    first.options.log = [&](const LogLines&) {
      if (++epochs == stop_after) throw Stop();
    };
    CHECK_THROWS_AS(fit(first.stage, first.data, first.options), Stop);
    Setup second(3, state);
    int epochs_again = 0;
    second.options.log = [&](const LogLines&) { ++epochs_again; };
    const FitResult result = fit(second.stage, second.data, second.options);
    CHECK(epochs_again == 3 - stop_after);
    CHECK(result.log.size() == 3);
    CHECK(weights(second.network) == weights(whole.network));
  }
}

TEST_CASE(
    "copies, mixtures and a teacher: resumed, the weights have the same bits; images augmented anew, too") {
  const TempFolder folder;
  for (const std::int64_t copies : {0, 2}) {
    const auto make = [&](const std::string& state) {
      auto out = std::make_unique<Setup>(2, folder / (state + std::to_string(copies)));
      Setup& setup = *out;
      setup.stage.recipe.copies = copies;
      setup.stage.recipe.mixup = copies > 0 ? 0.5 : 0.0;
      setup.stage.recipe.augmentation = {.shift = 1, .rotation = 5, .elastic = 1};
      setup.stage.teacher = std::make_shared<Teacher>(Model{{}, std::make_unique<Network>(lenet_spec(), 9)},
                                                      Shape{1, 28, 28}, 10);
      setup.stage.step = [&setup](const data::Batch& batch, std::int64_t) {
        CHECK(batch.teacher.shape() == Shape{batch.pixels.size(0), 10});
        CHECK(batch.shares.defined() == (setup.stage.recipe.mixup > 0));
        return classification_step(setup.network, batch, 1.0, 1.0, {"", 2.0, 0.5});
      };
      return out;
    };
    const auto whole = make("whole");
    std::vector<Progress> seen;
    whole->options.progress = [&](const Progress& p) { seen.push_back(p); };
    fit(whole->stage, whole->data, whole->options);
    CHECK(seen.back().images_per_epoch == 180 * (1 + copies));
    const auto first = make("parts");
    struct Stop {};
    first->options.log = [](const LogLines&) { throw Stop(); };
    CHECK_THROWS_AS(fit(first->stage, first->data, first->options), Stop);
    const auto second = make("parts");
    fit(second->stage, second->data, second->options);
    CHECK(weights(second->network) == weights(whole->network));
    CHECK(weights(second->network) != weights(first->network));
  }
}

TEST_CASE("with patience, the best epoch's weights are kept and training stops behind it, resumed or not") {
  const TempFolder folder;
  const std::vector<double> figures = {0.2, 0.6, 0.5, 0.6, 0.1, 0.9};  // the best that is seen is epoch 2
  const auto train = [&](const std::string& name, std::size_t stop_after) {
    Setup setup(6, folder.path() / name);
    setup.stage.recipe.patience = 2;
    std::size_t epochs = 0;
    std::vector<float> second;
    const auto weights = [&] { return setup.network.state_dict().front().second.to_vector<float>(); };
    setup.stage.validate = [&] {
      const std::size_t epoch = setup.options.resume && epochs == 0 && stop_after > 6 ? 1 : epochs;
      epochs = epoch + 1;
      if (epochs == 2) second = weights();
      return std::map<std::string, double>{{"accuracy", figures.at(epoch)}};
    };
    if (stop_after == 1) {
      setup.options.log = [](const LogLines&) { throw std::runtime_error("stopped"); };
      CHECK_THROWS(fit(setup.stage, setup.data, setup.options));
      return std::vector<float>();
    }
    const FitResult result = fit(setup.stage, setup.data, setup.options);
    CHECK(result.epoch == 2);
    CHECK(result.validation.at("accuracy") == 0.6);
    CHECK(result.log.size() == 4);  // two behind the best one
    CHECK(weights() == second);
    return second;
  };
  const std::vector<float> whole = train("whole", 6);
  train("parts", 1);
  CHECK(train("parts", 7) == whole);
}

TEST_CASE("fit trains a classifier of someone's own, with either optimizer") {
  const data::Dataset dataset = bar_dataset(400, 10);
  const TrainingData data{dataset.train.images, dataset.train.labels,
                          data::stratified_split(dataset.train.labels, 100, 1)};
  TrainRecipe recipe;
  recipe.epochs = 4;
  recipe.batch_size = 20;
  for (const OptimizerKind optimizer : {OptimizerKind::adam, OptimizerKind::sgd}) {
    recipe.optimizer = optimizer;
    recipe.learning_rate = optimizer == OptimizerKind::adam ? 3e-3 : 0.05;
    recipe.warmup_epochs = 1;
    Network network({"mine", {1, 28, 28}, {kinds::Flatten{}, kinds::Linear{.out = 10}}, {}}, 1);
    const FitResult result = fit(network, data, recipe);
    CHECK(result.epoch == 4);
    CHECK(result.validation.at("accuracy") > 0.9);
    CHECK_FALSE(network.training());
  }
  recipe.epochs = 0;
  Network network({"mine", {1, 28, 28}, {kinds::Flatten{}, kinds::Linear{.out = 10}}, {}}, 1);
  CHECK_THROWS_SAYING(fit(network, data, recipe), std::invalid_argument, "epochs must be 1");
}

TEST_CASE("what is to stay zero is put back after each step") {
  Setup setup(1, {});
  std::int64_t steps = 0;
  setup.stage.after_step = [&] { ++steps; };
  fit(setup.stage, setup.data, setup.options);
  CHECK(steps == (180 + 49) / 50);
}
