// Exported models in ONNX Runtime, against our own predictions. Needs node and its package onnxruntime-node,
// whose folder CBNET_ONNXRUNTIME names; CBNET_ONNX_RUNS, run folders between ':', replaces the quickly
// trained models.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>

#include "autograd/tape.h"
#include "cbnet/exit_rule.h"
#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "data/batches.h"
#include "data/dataset.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/relu.h"
#include "models/onnx/onnx.h"
#include "models/safetensors.h"
#include "tensor/io.h"
#include "tests/conformance/results.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"
#include "tests/onnx/networks.h"
#include "tests/support/record.h"

using namespace cbnet;
using namespace cbnet::testing;
using cbnet::test::TempFolder;

namespace {

constexpr std::int64_t kImages = 1'000;
constexpr double kTolerance = 1e-5;

std::string text_of(const Shape& shape) {
  std::string out;
  for (const std::int64_t size : shape) out += (out.empty() ? "" : ",") + std::to_string(size);
  return out;
}

/// What ONNX Runtime makes of `inputs` (N, …), `batch` at a time.
class Outputs {
 public:
  Outputs(const std::string& onnx, const Tensor& inputs, std::int64_t batch, const TempFolder& folder)
      : prefix_(folder / "out") {
    const std::string pixels = folder / "pixels.f32";
    const auto bytes = static_cast<std::size_t>(inputs.numel()) * sizeof(float);
    write_file_atomic(pixels, {reinterpret_cast<const char*>(inputs.data<float>()), bytes});
    const Shape sample(inputs.shape().begin() + 1, inputs.shape().end());
    const std::string command = "CBNET_SAMPLE=" + text_of(sample) +
                                " node '" CBNET_SOURCE_DIR "/tests/onnx/run_onnx.cjs' '" + onnx + "' '" +
                                pixels + "' " + std::to_string(inputs.size(0)) + " " + std::to_string(batch) +
                                " '" + prefix_ + "'";
    REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
  }

  template <class T>
  std::vector<T> values(const std::string& name) const {
    const std::string bytes = read_file(prefix_ + "." + name);
    std::vector<T> out(bytes.size() / sizeof(T));
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    return out;
  }

 private:
  std::string prefix_;
};

double largest_difference(const Tensor& ours, const std::vector<float>& theirs) {
  const std::vector<float> values = ours.to_vector<float>();
  REQUIRE(values.size() == theirs.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(static_cast<double>(values[i]) - static_cast<double>(theirs[i]));
    worst = std::isnan(difference) ? 1e300 : std::max(worst, difference);
  }
  return worst;
}

double equal_count(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  REQUIRE(a.size() == b.size());
  double count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] == b[i] ? 1 : 0;
  return count;
}

// Recorded: images, the largest difference of probabilities or pixels, equal labels, equal exits, exits that
// differ at the threshold; what a model has none of is left out.
void check_classifier(const Predictions& ours, const Outputs& theirs, const std::string& row) {
  const double worst = largest_difference(ours.probabilities, theirs.values<float>("probabilities"));
  const double labels = equal_count(theirs.values<std::int64_t>("label"), ours.labels);
  record("onnx_export", row, {static_cast<double>(ours.labels.size()), worst, labels});
  CHECK(labels == static_cast<double>(ours.labels.size()));
  CHECK(worst <= kTolerance);
}

/// Exits agree but for images whose entropy is within kTolerance of the threshold; those are counted.
void check_early_exit(const Predictions& ours, const Outputs& theirs, double threshold,
                      const std::string& row) {
  const auto labels = theirs.values<std::int64_t>("label");
  const auto exits = theirs.values<std::int64_t>("exit");
  const auto probabilities = theirs.values<float>("probabilities");
  const auto entropies = theirs.values<float>("entropy");
  REQUIRE(labels.size() == ours.labels.size());
  double worst = 0.0, ties = 0.0, equal_labels = 0.0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(static_cast<double>(entropies[i]) - ours.entropy[i]) <= kTolerance);
    if (exits[i] != ours.exit[i]) {
      CHECK(std::abs(ours.entropy[i] - threshold) <= kTolerance);
      ++ties;
      continue;
    }
    CHECK(labels[i] == ours.labels[i]);
    equal_labels += labels[i] == ours.labels[i] ? 1 : 0;
    const std::size_t classes = probabilities.size() / labels.size();
    for (std::size_t c = 0; c < classes; ++c) {
      const double p = ours.probabilities.at({static_cast<std::int64_t>(i), static_cast<std::int64_t>(c)});
      worst = std::max(worst, std::abs(p - static_cast<double>(probabilities[i * classes + c])));
    }
  }
  CHECK(worst <= kTolerance);
  const auto images = static_cast<double>(labels.size());
  record("onnx_export", row, {images, worst, equal_labels, images - ties, ties});
}

Tensor first(const Tensor& images, std::int64_t count) {
  return images.slice(0, 0, std::min(count, images.size(0))).contiguous();
}

/// The first test images of the dataset that the run was trained on; of the excerpt where there is no other.
Tensor test_images(const std::string& dataset) {
  data::Source source;
  source.id = data::parse_dataset_id(dataset.substr(0, dataset.find('-')));
  source.location.allow_download = false;
  try {
    return first(data::load_dataset(source, data::Splits::test).test.images, kImages);
  } catch (const InputError&) {
    source.id = data::DatasetId::fmnist;
    source.location.data_dir = cbnet::test::excerpt_folder();
    return first(data::load_dataset(source, data::Splits::test).test.images, kImages);
  }
}

void check_run(const std::string& run) {
  const std::string dataset = load_predictor(run, "cbnet")->dataset();
  const Tensor images = test_images(dataset);
  const Tensor pixels = data::to_float(images);
  const auto exported = [&](const TempFolder& folder, const std::vector<std::string>& more) {
    std::string onnx = folder / "m.onnx";
    std::vector<std::string> words = {"export", "--run", run, "--onnx", onnx};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = cbnet::test::cbnet_run(words);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return onnx;
  };
  for (const std::string name : {"lenet", "classifier", "autoencoder", "cbnet"}) {
    CAPTURE(name);
    const TempFolder folder;
    const std::string onnx = exported(folder, {"--model", name});
    const Predictions ours = load_predictor(run, name)->predict(images);
    const std::string row = dataset + "\t" + name;
    // 7 does not divide 1,000: the batch is symbolic.
    for (const std::int64_t batch : {1, 7, 1'000}) {
      CAPTURE(batch);
      const Outputs theirs(onnx, pixels, batch, folder);
      const std::string of_batch = row + "\t" + std::to_string(batch);
      if (name != "autoencoder") check_classifier(ours, theirs, of_batch);
      if (name == "lenet" || name == "classifier") continue;
      const double worst = largest_difference(ours.converted, theirs.values<float>("converted"));
      CHECK(worst <= kTolerance);
      if (name == "autoencoder")
        record("onnx_export", of_batch, {static_cast<double>(images.size(0)), worst});
    }
  }
  const double threshold = load_model(RunFolder(run).model_file("branchynet")).info.thresholds.at(0);
  const Predictions ours = load_predictor(run, "branchynet")->predict(images);
  {
    const TempFolder folder;
    const std::string onnx = exported(folder, {"--model", "branchynet"});
    check_early_exit(ours, Outputs(onnx, pixels, 1, folder), threshold, dataset + "\tbranchynet (If)\t1");
  }
  for (const std::int64_t batch : {1, 7, 1'000}) {
    const TempFolder folder;
    const std::string onnx = exported(folder, {"--model", "branchynet", "--batched"});
    check_early_exit(ours, Outputs(onnx, pixels, batch, folder), threshold,
                     dataset + "\tbranchynet (both exits)\t" + std::to_string(batch));
  }
}

bool missing() {
  const char* package = std::getenv("CBNET_ONNXRUNTIME");
  if (package != nullptr && std::filesystem::exists(package)) return false;
  std::cout << "ONNX Runtime is not here: skipped\n";
  return true;
}

}  // namespace

TEST_CASE("trained models answer in ONNX Runtime as they do here") {
  if (missing()) return;
  if (const char* runs = std::getenv("CBNET_ONNX_RUNS")) {
    std::istringstream list(runs);
    for (std::string run; std::getline(list, run, ':');) check_run(run);
  } else {
    check_run(cbnet::test::trained_run());
  }
}

TEST_CASE("a network with two side exits answers in ONNX Runtime as here, image by image and batched") {
  if (missing()) return;
  using namespace kinds;
  const TempFolder folder;
  const LayerSpecs branch = {Flatten{}, Linear{.out = 5}};
  Model model;
  model.info.model = "twice";
  model.info.dataset = "unknown";
  model.network = std::make_unique<Network>(
      NetworkSpec{"twice",
                  {1, 8, 8},
                  {Conv2d{.out = 3, .kernel_size = 3}, Relu{}, Conv2d{.out = 4, .kernel_size = 3}, Relu{},
                   Flatten{}, Linear{.out = 5}},
                  {{2, branch}, {4, branch}}},
      3);
  Rng rng(2);
  const Tensor images = Tensor::uniform({60, 1, 8, 8}, 0, 256, rng).to(DType::u8);
  // A third leaves at each exit, or nearly so.
  const auto median_of_rest = [&](const std::vector<ExitScores>& scores, std::size_t e, double above) {
    std::vector<double> rest;
    for (std::size_t i = 0; i < scores[e].entropy.size(); ++i)
      if (e == 0 || scores[0].entropy[i] >= above) rest.push_back(scores[e].entropy[i]);
    std::sort(rest.begin(), rest.end());
    const std::size_t middle = rest.size() / (e == 0 ? 3 : 2);
    return (rest[middle - 1] + rest[middle]) / 2;
  };
  const std::vector<ExitScores> scores = score_exits(*model.network, images);
  const double first_threshold = median_of_rest(scores, 0, 0);
  model.info.thresholds = {first_threshold, median_of_rest(scores, 1, first_threshold)};
  const std::filesystem::path run = folder / "run";
  std::filesystem::create_directories(run);
  save_model(run / "twice.safetensors", *model.network, model.info);
  const Predictions ours = load_predictor(run, "twice")->predict(images);
  for (const std::int64_t exit : {0, 1, 2}) CHECK(std::count(ours.exit.begin(), ours.exit.end(), exit) > 5);
  for (const bool batched : {false, true}) {
    CAPTURE(batched);
    const std::string onnx = folder / "twice.onnx";
    export_onnx(onnx, {nullptr, &model, batched});
    const Outputs theirs(onnx, data::to_float(images), batched ? 7 : 1, folder);
    CHECK(theirs.values<std::int64_t>("exit") == ours.exit);
    CHECK(theirs.values<std::int64_t>("label") == ours.labels);
    CHECK(largest_difference(ours.probabilities, theirs.values<float>("probabilities")) <= kTolerance);
  }
}

TEST_CASE("a network from PyTorch, imported and exported, answers in ONNX Runtime as the one PyTorch wrote") {
  if (missing()) return;
  for (const std::string name : {"torch_lenet", "torch_resnet"}) {
    CAPTURE(name);
    const std::string path = std::string(CBNET_SOURCE_DIR) + "/tests/golden/" + name;
    const TempFolder folder;
    const Model model = import_onnx(path + ".onnx", {});
    export_onnx(folder / "m.onnx", {.classifier = &model});
    const SafetensorsFile stored = read_safetensors(path + ".safetensors");
    const Tensor& y = stored.tensors.at(1).second;
    const Outputs theirs(folder / "m.onnx", stored.tensors.at(0).second, y.size(0), folder);
    const double error = relative_error(Tensor::from(theirs.values<float>("logits"), y.shape()), y, 1e-30);
    CHECK(error <= 1e-5);
    record("onnx_torch_again", name, {static_cast<double>(y.size(0)), error});
  }
}

TEST_CASE("every kind of layer answers in ONNX Runtime as it does here") {
  if (missing()) return;
  const TempFolder folder;
  Model model;
  model.network = random_network(every_kind());
  export_onnx(folder / "m.onnx", {.classifier = &model});
  const Variable x = random_pixels(every_kind(), 64);
  const Outputs theirs(folder / "m.onnx", x.value(), 7, folder);
  const NoGrad no_grad;
  const Tensor y = model.network->forward(x).value();
  const auto logits = theirs.values<float>("logits");
  CHECK(relative_error(Tensor::from(logits, y.shape()), y, 1e-30) <= 1e-5);
}
