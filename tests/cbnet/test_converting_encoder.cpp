#include "cbnet/converting_encoder.h"

#include <limits>
#include <set>

#include "autograd/ops/linear.h"
#include "cbnet/pipeline.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/relu.h"
#include "tensor/io.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

NetworkSpec small_spec() {
  return {"small",
          {1, 28, 28},
          {kinds::Flatten{}, kinds::Linear{.out = 24}, kinds::Relu{}, kinds::Linear{.out = 10}},
          {}};
}

PipelineOptions converting(EncoderTarget target) {
  PipelineOptions options;
  options.recipe = short_recipe();
  options.recipe.encoder_target = target;
  options.recipe.network.epochs = 12;
  options.network = OtherNetwork{"small", small_spec(), {}};
  options.model = "small";
  return options;
}

}  // namespace

TEST_CASE("a linear decoder and the nearest prototype fold into one linear layer") {
  constexpr std::int64_t kCode = 16, kPixels = 50, kClasses = 7, kImages = 500;
  Rng rng(3);
  const LinearWeights decoder{Tensor::uniform({kPixels, kCode}, -1, 1, rng),
                              Tensor::uniform({kPixels}, -1, 1, rng)};
  const Tensor prototypes = Tensor::uniform({kClasses, kPixels}, 0, 1, rng);
  const Tensor codes = Tensor::uniform({kImages, kCode}, -1, 1, rng);
  const LinearWeights folded = fold_nearest_prototype(decoder, prototypes);
  REQUIRE(folded.weight.shape() == Shape{kClasses, kCode});
  const Tensor images = linear(Variable(codes), Variable(decoder.weight), Variable(decoder.bias)).value();
  const Tensor scores = linear(Variable(codes), Variable(folded.weight), Variable(folded.bias)).value();
  const std::vector<std::int64_t> answers = argmax_rows(scores);
  std::set<std::int64_t> seen;
  for (std::int64_t n = 0; n < kImages; ++n) {
    std::vector<double> distances;
    for (std::int64_t c = 0; c < kClasses; ++c) {
      double sum = 0.0;
      for (std::int64_t p = 0; p < kPixels; ++p) {
        const double apart = images.at({n, p}) - prototypes.at({c, p});
        sum += apart * apart;
      }
      distances.push_back(sum);
    }
    const auto nearest = std::min_element(distances.begin(), distances.end()) - distances.begin();
    CHECK(answers[static_cast<std::size_t>(n)] == nearest);
    seen.insert(nearest);
    // Scores differ as half the squared distances do.
    CHECK(scores.at({n, 0}) - scores.at({n, 1}) ==
          doctest::Approx((distances[1] - distances[0]) / 2).epsilon(1e-3));
  }
  CHECK(seen.size() > 3);
}

TEST_CASE("what has no code has no decoder") {
  NetworkSpec spec = small_spec();
  const NetworkSpec with = with_decoder(spec);
  CHECK(with.exits.size() == 1);
  CHECK(with.exits[0].after == 3);
  spec.trunk.push_back(kinds::Relu{});
  CHECK_THROWS_SAYING(with_decoder(spec), std::invalid_argument, "must end in a linear layer");
  CHECK_THROWS_SAYING(with_decoder(with), std::invalid_argument, "have no side exits");
}

TEST_CASE("prototypes are sure and right; the controls have other images") {
  const data::Dataset dataset = bar_dataset(300, 10);
  PipelineOptions options = converting(EncoderTarget::prototype);
  const StageData data(dataset, options.recipe, 1);
  Network network(with_decoder(small_spec()), 1);
  EncoderStage own("small", network, options.recipe.network, options.recipe, data, 5);
  fit(own.stage(), data.training, {});
  const auto label = [&](std::int64_t image) {
    return std::as_const(data.training.labels)
        .data<std::uint8_t>()[data.training.split.train[static_cast<std::size_t>(image)]];
  };
  const std::vector<std::int64_t> prototypes = own.choose_targets();
  REQUIRE(prototypes.size() == 10);
  for (std::size_t c = 0; c < 10; ++c) CHECK(label(prototypes[c]) == c);
  const auto targets = [&](EncoderTarget target) {
    Recipe recipe = options.recipe;
    recipe.encoder_target = target;
    return EncoderStage("small", network, recipe.network, recipe, data, 5).choose_targets();
  };
  const std::vector<std::int64_t> permuted = targets(EncoderTarget::permuted);
  std::set<int> classes;
  for (std::size_t c = 0; c < 10; ++c) {
    CHECK(label(permuted[c]) != c);
    classes.insert(label(permuted[c]));
  }
  CHECK(classes.size() == 10);
  const std::vector<std::int64_t> random = targets(EncoderTarget::random_images);
  CHECK(random == targets(EncoderTarget::random_images));
  CHECK(random != prototypes);
}

TEST_CASE("a converting encoder is trained, kept without its decoder, and resumes to the same bits") {
  const TempFolder folder;
  const data::Dataset dataset = bar_dataset(300, 10);
  const RunFolder run(folder / "run"), parts(folder / "parts"), plain(folder / "plain");
  run_pipeline(dataset, run, converting(EncoderTarget::prototype));
  const Model model = load_model(run.model_file("small"));
  CHECK(model.network->spec() == small_spec());
  Network& network = *model.network;
  CHECK(accuracy_of(network, dataset.train.images, dataset.train.labels, {}) > 0.9);
  struct Stop {};
  PipelineOptions options = converting(EncoderTarget::prototype);
  options.progress = [](const Progress& progress) {
    if (progress.epoch == 3) throw Stop();
  };
  CHECK_THROWS_AS(run_pipeline(dataset, parts, options), Stop);
  options.progress = {};
  options.resume = true;
  run_pipeline(dataset, parts, options);
  CHECK(read_file(parts.model_file("small")) == read_file(run.model_file("small")));
  run_pipeline(dataset, plain, converting(EncoderTarget::none));
  CHECK(read_file(plain.model_file("small")) != read_file(run.model_file("small")));
  options.recipe.encoder_target = EncoderTarget::permuted;
  CHECK_THROWS_SAYING(run_pipeline(dataset, run, options), InputError, "encoder_target \"permuted\"");
}
