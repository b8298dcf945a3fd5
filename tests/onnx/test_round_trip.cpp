// Every kind of layer to ONNX and back: the same layers, the same outputs to the bit.

#include <doctest/doctest.h>

#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "models/onnx/onnx.h"
#include "models/zoo.h"
#include "tests/conformance/results.h"
#include "tests/onnx/networks.h"
#include "tests/support/kinds.h"
#include "tests/support/record.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

Model model_of(const NetworkSpec& spec) {
  Model model;
  model.info.model = spec.name;
  model.info.dataset = "fmnist";
  model.network = random_network(spec);
  return model;
}

}  // namespace

TEST_CASE("layers go out and come back") {
  const TempFolder folder;
  std::vector<NetworkSpec> specs = {lenet_spec(), classifier_spec(), every_kind()};
  for (const NetworkSpec& spec : specs) {
    CAPTURE(spec.name);
    const Model model = model_of(spec);
    export_onnx(folder / "m.onnx", {.classifier = &model});
    const Model back = import_onnx(folder / "m.onnx", {.output = "logits"});
    CHECK(total_cost(back.network->spec()).macs == total_cost(spec).macs);
    CHECK(total_cost(back.network->spec()).parameters == total_cost(spec).parameters);
    CHECK(back.info.dataset == "unknown");
    const NoGrad no_grad;
    const Variable x = random_pixels(spec, 3);
    const double change =
        relative_error(back.network->forward(x).value(), model.network->forward(x).value(), 1e-30);
    CHECK(change == 0.0);
    record("onnx_round_trip", spec.name, {3, change});
  }
}

TEST_CASE("autoencoders go out and come back as images") {
  const TempFolder folder;
  for (const char* dataset : {"mnist", "fmnist", "kmnist"}) {
    CAPTURE(std::string(dataset));
    const NetworkSpec spec = autoencoder_spec(dataset, OutputActivation::sigmoid);
    const Model model = model_of(spec);
    export_onnx(folder / "a.onnx", {.converter = &model});
    const Model back = import_onnx(folder / "a.onnx", {});
    const NoGrad no_grad;
    const Variable x = random_pixels(spec, 2);
    const Variable images = back.network->forward(x);
    CHECK(images.shape() == Shape{2, 1, 28, 28});
    const Tensor expected = model.network->forward(x).value().view(images.shape());
    const double change = relative_error(images.value(), expected, 1e-30);
    CHECK(change == 0.0);
    record("onnx_round_trip", cbnet::concat("autoencoder, ", dataset), {2, change});
  }
}

TEST_CASE(
    "an imported network may be trained on normalised pixels: out again, they are a part of the graph") {
  const TempFolder folder;
  const Model model = model_of(classifier_spec());
  export_onnx(folder / "m.onnx", {.classifier = &model});
  const Model back = import_onnx(folder / "m.onnx", {.output = "logits", .normalisation = {{0.25}, {0.5}}});
  const NoGrad no_grad;
  const Variable x = random_pixels(classifier_spec(), 2);
  Tensor by_hand = x.value().clone();
  for (std::int64_t i = 0; i < by_hand.numel(); ++i) {
    by_hand.data<float>()[i] = (by_hand.data<float>()[i] - 0.25F) * 2.0F;
  }
  const auto expected = model.network->forward(Variable(by_hand)).value().to_vector<float>();
  const Variable read(normalised(x.value(), back.info.normalisation));
  CHECK(back.network->forward(read).value().to_vector<float>() == expected);
  export_onnx(folder / "n.onnx", {.classifier = &back});
  const Model again = import_onnx(folder / "n.onnx", {.output = "logits"});
  CHECK_FALSE(again.info.normalisation.any());
  CHECK(again.network->forward(x).value().to_vector<float>() == expected);
  CHECK_THROWS_SAYING(import_onnx(folder / "m.onnx", {.output = "logits", .normalisation = {{0.0}, {0.0}}}),
                      std::invalid_argument, "positive deviation");
}

TEST_CASE("what opset 13 cannot say is refused and nothing is written") {
  const TempFolder folder;
  NetworkSpec spec = classifier_spec();
  spec.trunk[1] = kinds::AvgPool2d{.kernel_size = 3, .stride = 2, .padding = 1, .ceil_mode = true};
  const Model model = model_of(spec);
  CHECK_THROWS_SAYING(export_onnx(folder / "m.onnx", {.classifier = &model}), std::invalid_argument,
                      "trunk.1 has no form in opset 13: average pooling with ceil_mode and counted padding");
  const Model no_threshold = model_of(branchynet_spec());
  CHECK_THROWS_SAYING(export_onnx(folder / "m.onnx", {.classifier = &no_threshold}), std::invalid_argument,
                      "expected a threshold for each of 1 side exits; got 0");
  CHECK_THROWS_SAYING(export_onnx(folder / "m.onnx", {.converter = &model, .classifier = &no_threshold}),
                      std::invalid_argument, "behind an autoencoder");
  CHECK_FALSE(std::filesystem::exists(folder / "m.onnx"));
}

TEST_CASE("a graph that takes the pixels in another shape gets a layer in front, and says the same") {
  const TempFolder folder;
  for (const Shape& shape : {Shape{784}, Shape{28, 28}, Shape{28, 28, 1}, Shape{1, 784}}) {
    CAPTURE(to_string(shape));
    NetworkSpec spec;
    spec.input = shape;
    spec.trunk = {kinds::Flatten{}, kinds::Linear{.out = 16}, kinds::Relu{}, kinds::Linear{.out = 10}};
    const Model model = model_of(spec);
    export_onnx(folder / "m.onnx", {.classifier = &model});
    const Variable x = random_pixels(spec, 3);
    const Variable images(x.value().view({3, 1, 28, 28}));
    const NoGrad no_grad;
    for (const double mean : {0.0, 0.25}) {
      const Model back = import_onnx(
          folder / "m.onnx", {.output = "logits", .image = {1, 28, 28}, .normalisation = {{mean}, {1.0}}});
      CHECK(back.network->spec().input == Shape{1, 28, 28});
      const Variable from(Tensor::full(x.shape(), mean));
      const Tensor expected = model.network->forward(mean == 0.0 ? x : x - from).value();
      CHECK(relative_error(
                back.network->forward(Variable(normalised(images.value(), back.info.normalisation))).value(),
                expected, 1e-30) < 1e-6);
    }
    CHECK(import_onnx(folder / "m.onnx", {.output = "logits"}).network->spec().input == shape);
  }
  // Other numbers are no image: the graph stays as it is.
  NetworkSpec other;
  other.input = {100};
  other.trunk = {kinds::Linear{.out = 10}};
  const Model model = model_of(other);
  export_onnx(folder / "o.onnx", {.classifier = &model});
  CHECK(import_onnx(folder / "o.onnx", {.output = "logits", .image = {1, 28, 28}}).network->spec().input ==
        Shape{100});
}
