#include "models/normalisation.h"

#include <cmath>
#include <limits>
#include <span>

#include "autograd/ops/softmax.h"
#include "autograd/tape.h"
#include "models/checkpoint.h"
#include "models/compile.h"
#include "models/zoo.h"
#include "runtime/plan.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::contains;
using cbnet::testing::TempFolder;

namespace {

const Normalisation kColours{{0.4, 0.5, 0.25}, {0.2, 0.25, 0.5}};
const ImageTask kTask{{3, 12, 10}, 5};

Tensor random_images(std::int64_t n) {
  Rng rng(3);
  return Tensor::uniform({n, 3, 12, 10}, 0, 256, rng).to(DType::u8);
}

Tensor as_pixels(const Tensor& images) {
  Tensor out = images.to(DType::f32);
  for (std::int64_t i = 0; i < out.numel(); ++i) out.data<float>()[i] /= 255.0F;
  return out;
}

Model model_of(const std::string& kind, const NetworkSpec& spec, std::uint64_t seed) {
  Model out;
  out.info.model = kind;
  out.info.dataset = "flowers";
  out.info.normalisation = kColours;
  out.info.thresholds.assign(spec.exits.size(), 0.0);
  out.network = std::make_unique<Network>(spec, seed);
  out.network->eval();
  return out;
}

double largest_difference(std::span<const float> a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double out = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(static_cast<double>(a[i]) - b[i]));
  return out;
}

}  // namespace

TEST_CASE("normalisation: impossible values and numbers of channels") {
  const Shape image = {3, 4, 4};
  check({}, image);
  check({{0.5}, {2}}, image);
  check(kColours, image);
  for (const Normalisation& wrong : {Normalisation{{0.5}, {}},
                                     {{0.5}, {0.0}},
                                     {{0.5}, {-1.0}},
                                     {{0.5, 0.5}, {1, 1}},
                                     {{0.5}, {std::numeric_limits<double>::denorm_min()}},
                                     {{std::numeric_limits<double>::quiet_NaN()}, {1.0}}})
    CHECK_THROWS_SAYING(check(wrong, image), std::invalid_argument, "[normalisation] expected a finite mean");
  CHECK_THROWS_SAYING(normalised(Tensor::zeros({3, 4}), kColours), std::invalid_argument,
                      "pixels must be f32 (N,C,H,W)");
}

TEST_CASE("normalisation: by hand, one for all channels or one each") {
  const Tensor pixels = Tensor::from<float>({0.5F, 1.0F, 0.25F}, {1, 3, 1, 1});
  const auto values = [](const Tensor& tensor) { return tensor.to_vector<float>(); };
  CHECK(values(normalised(pixels, {})) == values(pixels));
  CHECK(values(normalised(pixels, {{0.5}, {0.25}})) == std::vector<float>{0.0F, 2.0F, -1.0F});
  CHECK(values(normalised(pixels, {{0.5, 0.0, 0.25}, {1, 0.5, 0.25}})) ==
        std::vector<float>{0.0F, 2.0F, 0.0F});
}

TEST_CASE(
    "normalisation: a plan says what the modules say of normalised pixels, with a side exit and in CBNet") {
  const Tensor images = random_images(9);
  const Tensor read = normalised(as_pixels(images), kColours);
  const NoGrad no_grad;
  // Results lie in the workspace.
  const auto run = [&](const runtime::Graph& graph) {
    const runtime::Plan plan(graph);
    runtime::Workspace workspace(plan);
    const runtime::Results results = plan.run(std::as_const(images).data<std::uint8_t>(), 9, workspace);
    const auto& values = graph.classifies ? results.probabilities : results.output;
    return std::vector<float>(values.begin(), values.end());
  };
  const Model branchynet = model_of("branchynet", branchynet_spec(kTask), 1);
  const auto logits = branchynet.network->forward(Variable(read));
  CHECK(largest_difference(run(model_graph(branchynet)), softmax(logits, -1).value().to_vector<float>()) <
        1e-5);
  const Model autoencoder =
      model_of("autoencoder", autoencoder_spec("flowers", OutputActivation::sigmoid, kTask.input), 2);
  const Tensor made = autoencoder.network->forward(Variable(read)).value().view({9, 3, 12, 10});
  CHECK(largest_difference(run(model_graph(autoencoder)), made.to_vector<float>()) < 1e-5);
  const Model classifier = model_of("classifier", classifier_spec(kTask), 3);
  const auto behind = classifier.network->forward(Variable(normalised(made, kColours)));
  const std::vector<float> expected = softmax(behind, -1).value().to_vector<float>();
  CHECK(largest_difference(run(cbnet_graph(autoencoder, classifier)), expected) < 1e-5);
  CHECK(largest_difference(run(fold(cbnet_graph(autoencoder, classifier))), expected) < 1e-4);
}

TEST_CASE("normalisation: a model file keeps it, and programs that do not know it refuse the file") {
  const TempFolder folder;
  Model model = model_of("lenet", lenet_spec(kTask), 1);
  model.info.classes = {"a", "b", "c", "d", "e"};
  save_model(folder / "m.safetensors", *model.network, model.info);
  const Model back = load_model(folder / "m.safetensors");
  CHECK(back.info.normalisation == kColours);
  CHECK(back.info.classes == model.info.classes);
  CHECK(contains(read_file(folder / "m.safetensors"), "\"cbnet.version\":\"2\""));
  model.info.normalisation = {{0.5, 0.5}, {1, 1}};
  save_model(folder / "m.safetensors", *model.network, model.info);
  CHECK_THROWS_SAYING(load_model(folder / "m.safetensors"), InputError,
                      "expected a normalisation of its pixels");
  model.info.normalisation = {};
  save_model(folder / "m.safetensors", *model.network, model.info);
  CHECK(contains(read_file(folder / "m.safetensors"), "\"cbnet.version\":\"1\""));
}
