#include "cbnet/predictor.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "cbnet/run_folder.h"
#include "models/compile.h"
#include "models/zoo.h"
#include "runtime/plan.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::TempFolder;

namespace {
/// A run folder of untrained models.
void fill(const RunFolder& run) {
  const auto save = [&](const std::string& name, const Network& network, std::vector<double> thresholds,
                        double rescale) {
    ModelInfo info;
    info.model = name;
    info.dataset = "fmnist";
    info.thresholds = std::move(thresholds);
    info.rescale = rescale;
    save_model(run.model_file(name), network, info);
  };
  const Network branchynet(branchynet_spec(), 2);
  save("lenet", Network(lenet_spec(), 1), {}, 1.0);
  save("branchynet", branchynet, {0.5}, 1.0);
  save("autoencoder", Network(autoencoder_spec("fmnist", OutputActivation::softmax), 3), {}, 300.0);
  save("classifier", *truncate_at_exit(branchynet, 0, "classifier"), {}, 1.0);
  run.write_cbnet({"autoencoder.safetensors", "classifier.safetensors"}, "fmnist");
}
Tensor random_images(std::int64_t n) {
  Rng rng(9);
  return Tensor::uniform({n, 1, 28, 28}, 0, 256, rng).to(DType::u8);
}
}  // namespace

TEST_CASE("unknown names, missing files and swapped models are refused") {
  const TempFolder folder;
  const RunFolder run(folder.path());
  CHECK_THROWS_SAYING(load_predictor("no-such-run", "lenet"), InputError, "expected a run folder");
  CHECK_THROWS_SAYING(load_predictor(folder.path(), "resnet"), std::invalid_argument, "got 'resnet'");
  CHECK_THROWS_SAYING(load_predictor(folder.path(), "lenet"), InputError, "No such file");
  fill(run);
  CHECK_THROWS_SAYING(load_predictor(folder.path(), "lenet", {0.5}), std::invalid_argument,
                      "only a model with side exits has thresholds");
  std::filesystem::copy_file(run.model_file("classifier"), run.model_file("lenet"),
                             std::filesystem::copy_options::overwrite_existing);
  CHECK_THROWS_SAYING(load_predictor(folder.path(), "lenet"), InputError,
                      "expected a model of kind lenet; found classifier");
}

TEST_CASE("what overflows is no answer, of the whole network or behind the autoencoder") {
  const TempFolder folder;
  const RunFolder run(folder.path());
  fill(run);
  for (const char* name : {"lenet", "branchynet", "autoencoder"}) {
    const Model model = load_model(run.model_file(name));
    model.network->state_dict().front().second.fill(3e38);  // the weights of the first layer
    save_model(run.model_file(name), *model.network, model.info);
  }
  const Tensor images = random_images(3);
  for (const char* name : {"lenet", "branchynet", "cbnet"}) {
    CAPTURE(name);
    const Predictions answers = load_predictor(folder.path(), name)->predict(images);
    CHECK(answers.labels == std::vector<std::int64_t>{-1, -1, -1});
  }
  CHECK(!all_finite(load_predictor(folder.path(), "autoencoder")->predict(images).converted));
}

TEST_CASE("one image at a time or all at once: the same labels, probabilities, entropies and exits") {
  const TempFolder folder;
  fill(RunFolder(folder.path()));
  const Tensor images = random_images(17);
  for (const std::string& name : model_names()) {
    // A threshold in the middle of the untrained entropies sends some images on and some out.
    std::vector<double> thresholds;
    if (name == "branchynet") {
      auto entropies = load_predictor(folder.path(), name, {10.0})->predict(images).entropy;
      std::sort(entropies.begin(), entropies.end());
      thresholds = {(entropies[8] + entropies[9]) / 2};
    }
    const auto predictor = load_predictor(folder.path(), name, thresholds);
    const Predictions all = predictor->predict(images);
    for (std::int64_t i = 0; i < 17; ++i) {
      const Predictions one = predictor->predict(images.slice(0, i, i + 1));
      const auto at = static_cast<std::size_t>(i);
      if (name == "autoencoder") {
        CHECK(one.labels.empty());
        CHECK(one.converted.at({0, 0, 5, 5}) ==
              doctest::Approx(all.converted.at({i, 0, 5, 5})).epsilon(1e-4));
        continue;
      }
      CHECK(one.labels[0] == all.labels[at]);
      CHECK(one.exit[0] == all.exit[at]);
      CHECK(one.entropy[0] == doctest::Approx(all.entropy[at]).epsilon(1e-4));
      for (std::int64_t c = 0; c < 10; ++c) {
        CHECK(one.probabilities.at({0, c}) == doctest::Approx(all.probabilities.at({i, c})).epsilon(1e-4));
      }
    }
    if (name == "branchynet") {
      CHECK(std::count(all.exit.begin(), all.exit.end(), 0) == 9);
    }
  }
}

TEST_CASE("costs: CBNet is autoencoder plus classifier") {
  const TempFolder folder;
  fill(RunFolder(folder.path()));
  const auto cbnet_model = load_predictor(folder.path(), "cbnet");
  CHECK(cbnet_model->macs_by_exit() == std::vector<std::int64_t>{665'600 + 220'150});
  CHECK(cbnet_model->parameter_count() == 667'280 + 7'000);
  CHECK(load_predictor(folder.path(), "branchynet")->macs_by_exit() ==
        std::vector<std::int64_t>{220'150, 1'247'720});
  CHECK(cbnet_model->dataset() == "fmnist");
}

TEST_CASE("many threads with a predictor each, at once, get what one thread gets") {
  const TempFolder folder;
  fill(RunFolder(folder.path()));
  const Tensor images = random_images(64);
  const int threads_before = num_threads();
  set_num_threads(2);
  for (const Engine engine : {Engine::plan, Engine::eager}) {
    for (const std::string& name : model_names()) {
      CAPTURE(std::string(to_string(engine)));
      CAPTURE(name);
      const auto bits = [&] {
        const Predictions made = load_predictor(folder.path(), name, {}, engine)->predict(images);
        const Tensor& values = name == "autoencoder" ? made.converted : made.probabilities;
        return values.to_vector<float>();
      };
      const std::vector<float> expected = bits();
      std::vector<std::vector<float>> got(4);
      std::vector<std::thread> askers;
      askers.reserve(got.size());
      for (auto& mine : got) askers.emplace_back([&mine, &bits] { mine = bits(); });
      for (std::thread& asker : askers) asker.join();
      for (const auto& one : got) CHECK(one == expected);
    }
  }
  set_num_threads(threads_before);
}

TEST_CASE("many threads share a plan, each with a workspace of its own") {
  const TempFolder folder;
  const RunFolder run(folder.path());
  fill(run);
  const runtime::Plan plan(model_graph(load_model(run.model_file("branchynet"))));
  const Tensor images = random_images(64);
  const auto bits = [&] {
    runtime::Workspace workspace(plan);
    const auto results = plan.run(images.data<std::uint8_t>(), 64, workspace);
    return std::vector<float>(results.probabilities.begin(), results.probabilities.end());
  };
  const std::vector<float> expected = bits();
  std::vector<std::vector<float>> got(6);
  std::vector<std::thread> callers;
  callers.reserve(got.size());
  for (auto& mine : got) callers.emplace_back([&mine, &bits] { mine = bits(); });
  for (std::thread& caller : callers) caller.join();
  for (const auto& one : got) CHECK(one == expected);
}

TEST_CASE("what the modules make is what the predictors answer from") {
  const TempFolder folder;
  fill(RunFolder(folder.path()));
  const Tensor images = random_images(5);
  const auto names = [](const StateDict& outputs) {
    std::string text;
    for (const auto& [name, tensor] : outputs) text += concat(name, tensor.shape(), " ");
    return text;
  };
  const auto largest = [](const Tensor& logits, std::int64_t row) {
    const auto values = logits.select(0, row).to_vector<float>();
    return std::max_element(values.begin(), values.end()) - values.begin();
  };
  const StateDict both = outputs_of_modules(folder.path(), "branchynet", images);
  CHECK(names(both) == "exits.0(5,10) exits.1(5,10) ");
  const Predictions early = load_predictor(folder.path(), "branchynet", {1e9})->predict(images);
  const Predictions late = load_predictor(folder.path(), "branchynet", {0.0})->predict(images);
  const StateDict cbnet = outputs_of_modules(folder.path(), "cbnet", images);
  CHECK(names(cbnet) == "converted(5,1,28,28) exits.0(5,10) ");
  const Predictions answers = load_predictor(folder.path(), "cbnet", {}, Engine::eager)->predict(images);
  CHECK(cbnet.front().second.to_vector<float>() == answers.converted.to_vector<float>());
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto row = static_cast<std::size_t>(i);
    CHECK(largest(both[0].second, i) == early.labels[row]);
    CHECK(largest(both[1].second, i) == late.labels[row]);
    CHECK(largest(cbnet[1].second, i) == answers.labels[row]);
  }
  CHECK(names(outputs_of_modules(folder.path(), "autoencoder", images)) == "converted(5,1,28,28) ");
  CHECK_THROWS_SAYING(outputs_of_modules(folder.path(), "resnet", images), std::invalid_argument,
                      "got 'resnet'");
}
