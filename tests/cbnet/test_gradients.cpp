// The losses that are trained, whole networks at once, against central differences in f64.

#include "autograd/gradcheck.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/pointwise.h"
#include "cbnet/conversion.h"
#include "cbnet/pipeline.h"
#include "tests/support/record.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

constexpr std::int64_t kBatch = 3;

data::Batch batch() {
  Rng rng(3);
  return {Tensor::uniform({kBatch, 1, 28, 28}, 0.0, 1.0, rng, DType::f64),
          Tensor::from<std::int64_t>({7, 0, 3}, {kBatch}),
          {0, 1, 2}};
}

/// Every parameter of `network`, 20 elements each. The step is short: a longer one meets the kinks of relu.
void check_gradients(const char* what, Network& network, const std::function<Variable()>& loss) {
  CAPTURE(std::string(what));
  GradcheckOptions options;
  options.step = 1e-6;
  options.elements = 20;
  const GradcheckResult result = gradcheck(loss, network.parameters(), options);
  INFO(result.message);
  CHECK(result.ok);
  testing::record("model_gradcheck", what, {result.worst_error});
}

}  // namespace

TEST_CASE("LeNet's loss") {
  Network network(lenet_spec(), 1, DType::f64);
  const data::Batch b = batch();
  check_gradients("LeNet, cross-entropy", network,
                  [&] { return cross_entropy(network.forward(Variable(b.pixels)), b.labels); });
}

TEST_CASE("BranchyNet's joint loss, through the shared trunk and both exits") {
  Network network(branchynet_spec(), 1, DType::f64);
  const data::Batch b = batch();
  check_gradients("BranchyNet, joint loss", network,
                  [&] { return classification_step(network, b, 1.0, 0.5).loss; });
}

TEST_CASE("the autoencoder's loss with its activity penalty") {
  const data::Batch b = batch();
  Rng rng(4);
  const Tensor pixels = Tensor::uniform({kBatch, 784}, 0.0, 1.0, rng, DType::f64);
  for (const ActivityScope scope : {ActivityScope::code, ActivityScope::all_hidden}) {
    for (const OutputActivation output : {OutputActivation::sigmoid, OutputActivation::softmax}) {
      Network network(autoencoder_spec("mnist", output), 1, DType::f64);
      Recipe recipe;
      const bool softmax = output == OutputActivation::softmax;
      recipe.reconstruction = softmax ? ReconstructionLoss::mse : ReconstructionLoss::bce;
      recipe.activity_l1 = 1e-3;  // the paper's 10e-8 would drown in the rounding of the differences
      recipe.activity_scope = scope;
      // A softmax output sums to 1 and so do its targets; the loss is taken in pixels.
      const double rescale = softmax ? 392.0 : 1.0;
      Tensor target = pixels.clone();
      target.scale(1.0 / rescale);
      const std::string what = cbnet::concat("autoencoder, ", to_string(output), " + ",
                                             to_string(recipe.reconstruction), " + L1 of ", to_string(scope));
      // A mean over 784 pixels: times 1,000 its gradients are near 1.
      check_gradients(what.c_str(), network, [&] {
        return scale(conversion_loss(network, Variable(b.pixels), target, recipe, rescale), 1e3);
      });
    }
  }
}
