// Every layer kind through ONNX and back.
#include <cmath>

#include <doctest/doctest.h>

#include "autograd/tape.h"
#include "models/onnx/onnx.h"
#include "tests/models/kinds/samples.h"
#include "tests/onnx/networks.h"
#include "tests/support/kinds.h"
#include "tests/support/temp_folder.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

/// The sample's network, made one that ONNX calls a classifier: a row of numbers an image.
NetworkSpec classifier_of(const LayerSample& sample) {
  NetworkSpec spec = network_of(sample);
  spec.trunk.push_back(kinds::Flatten{});
  return spec;
}

std::vector<float> answers(Network& network, const Tensor& pixels) {
  const NoGrad no_grad;
  return network.forward(Variable(pixels)).value().to_vector<float>();
}

}  // namespace

TEST_CASE("every layer kind comes back from ONNX with the same answers") {
  const TempFolder folder;
  const std::vector<std::vector<LayerSample>> all = {
#define LAYER(name, Type) name##_samples(),
#include "models/layers.def"
#undef LAYER
  };
  Rng rng(6);
  const Tensor pixels = Tensor::uniform({3, 6}, 0, 1, rng);
  int count = 0;
  for (const std::vector<LayerSample>& samples : all) {
    for (const LayerSample& sample : samples) {
      CAPTURE(describe(sample.layer));
      Model model;
      model.network = random_network(classifier_of(sample));
      export_onnx(folder / "m.onnx", {.classifier = &model});
      const Model back = import_onnx(folder / "m.onnx", {.output = "logits"});
      const std::vector<float> expected = answers(*model.network, pixels),
                               got = answers(*back.network, pixels);
      REQUIRE(got.size() == expected.size());
      // The same kernels on the same weights; blocks are added up in another order than their layers.
      float worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::fabs(got[i] - expected[i]) / std::max(1.0F, std::fabs(expected[i])));
      CHECK(worst < 1e-6F);
      ++count;
    }
  }
  CHECK(count > 40);
}
