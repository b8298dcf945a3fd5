#include "models/network.h"

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "models/zoo.h"
#include "optim/adam.h"
#include "tests/support/kinds.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

constexpr std::int64_t kClasses = 4;
const LayerSpecs kHead = {kinds::Flatten{}, kinds::Linear{.out = kClasses}};

/// An AlexNet in small: the paper's future work (V), with two side exits.
NetworkSpec small_alexnet() {
  return {"alexnet",
          {3, 32, 32},
          {kinds::Conv2d{.out = 8, .kernel_size = 5, .stride = 2, .padding = 2}, kinds::Relu{},
           kinds::MaxPool2d{.kernel_size = 3, .stride = 2},
           kinds::Conv2d{.out = 16, .kernel_size = 5, .padding = 2, .groups = 2}, kinds::Relu{},
           kinds::MaxPool2d{.kernel_size = 3, .stride = 2},
           kinds::Conv2d{.out = 16, .kernel_size = 3, .padding = 1}, kinds::Relu{}, kinds::Flatten{},
           kinds::Dropout{.p = 0.1}, kinds::Linear{.out = 32}, kinds::Relu{}, kinds::Linear{.out = kClasses}},
          {{3, kHead}, {6, kHead}},
          Init::he_normal};
}

/// A ResNet of two blocks with one side exit.
NetworkSpec small_resnet() {
  const auto convolution = [](std::int64_t channels, std::int64_t stride) {
    return kinds::Conv2d{.out = channels, .kernel_size = 3, .stride = stride, .padding = 1, .bias = false};
  };
  const LayerSpec norm = kinds::BatchNorm{};
  const LayerSpec relu = kinds::Relu{};
  return {"resnet",
          {3, 16, 16},
          {convolution(8, 1), norm, relu,  //
           kinds::Residual{.body = {convolution(8, 1), norm, relu, convolution(8, 1), norm}}, relu,
           kinds::Residual{
               .body = {convolution(16, 2), norm, relu, convolution(16, 1), norm},
               .shortcut = {kinds::Conv2d{.out = 16, .kernel_size = 1, .stride = 2, .bias = false}, norm}},
           relu, kinds::GlobalAvgPool2d{}, kinds::Flatten{}, kinds::Linear{.out = kClasses}},
          {{5, kHead}},
          Init::he_normal};
}

/// Joint training of all exits on 64 random images; the accuracy of each exit afterwards.
std::vector<double> overfit(Network& network, int steps) {
  Rng rng(11);
  Shape shape = network.spec().input;
  shape.insert(shape.begin(), 64);
  const Variable images(Tensor::normal(shape, 0, 1, rng));
  std::vector<std::int64_t> truth(64);
  for (std::int64_t& label : truth) label = rng.below(kClasses);
  const Tensor labels = Tensor::from(truth, {64});
  Adam adam(network.parameters(), {.learning_rate = 3e-3});
  network.train();
  for (int step = 0; step < steps; ++step) {
    adam.zero_grad();
    Variable loss;
    for (const Variable& logits : network.forward_exits(images)) {
      const Variable one = cross_entropy(logits, labels);
      loss = loss.defined() ? loss + one : one;
    }
    loss.backward();
    adam.step();
  }
  const NoGrad no_grad;
  network.eval();
  std::vector<double> out;
  for (const Variable& logits : network.forward_exits(images)) {
    int correct = 0;
    for (std::int64_t i = 0; i < 64; ++i) {
      std::int64_t best = 0;
      for (std::int64_t c = 1; c < kClasses; ++c) {
        if (logits.value().at({i, c}) > logits.value().at({i, best})) best = c;
      }
      correct += best == truth[static_cast<std::size_t>(i)] ? 1 : 0;
    }
    out.push_back(correct / 64.0);
  }
  return out;
}

Variable random_images(const NetworkSpec& net, std::int64_t n, DType dtype = DType::f32) {
  Rng rng(5);
  Shape shape = net.input;
  shape.insert(shape.begin(), n);
  return Variable(Tensor::normal(shape, 0, 1, rng, dtype));
}

}  // namespace

TEST_CASE("an exit that is not there throws") {
  CHECK_THROWS_SAYING(truncate_at_exit(Network(lenet_spec()), 0, "x"), std::invalid_argument,
                      "0 side exits; got exit 0");
}

TEST_CASE("AlexNet with two exits from a spec learns 64 images by heart, at every exit") {
  Network network(small_alexnet(), 1);
  CHECK(overfit(network, 150) == std::vector<double>{1.0, 1.0, 1.0});
}

TEST_CASE("a two-block ResNet with one exit from a spec learns 64 images by heart, at both") {
  Network network(small_resnet(), 2);
  CHECK(overfit(network, 80) == std::vector<double>{1.0, 1.0});
}

TEST_CASE("truncated after any layer, the kept layers compute what they did (III-B)") {
  for (const NetworkSpec& full : {small_alexnet(), small_resnet()}) {
    Network network(full, 3);
    overfit(network, 3);  // so that the running statistics of batch_norm are its own too
    const Variable images = random_images(full, 2);
    for (const std::int64_t k : {1, 3, 5, 6}) {
      const auto cut = truncate_after(network, k, kHead, "light", 9);
      cut->eval();
      const Variable kept = cut->forward_trunk(images, 0, k);
      CHECK(kept.value().to_vector<float>() ==
            network.forward_trunk(images, 0, k).value().to_vector<float>());
      CHECK(cut->forward(images).shape() == Shape{2, kClasses});
      CHECK(total_cost(cut->spec()).macs < total_cost(full).macs);
      CHECK_FALSE(cut->parameters()[0].value().shares_storage(network.parameters()[0].value()));
    }
  }
}

TEST_CASE("truncated at an exit, the network gives that exit's outputs") {
  for (const NetworkSpec& full : {small_alexnet(), small_resnet(), branchynet_spec()}) {
    Network network(full, 4);
    overfit(network, 3);
    const Variable images = random_images(full, 3);
    const std::vector<Variable> all = network.forward_exits(images);
    for (std::size_t e = 0; e + 1 < network.exit_count(); ++e) {
      const auto cut = truncate_at_exit(network, e, "light");
      cut->eval();
      CHECK(cut->forward(images).value().to_vector<float>() == all[e].value().to_vector<float>());
    }
    CHECK(network.forward(images).value().to_vector<float>() == all.back().value().to_vector<float>());
  }
}

TEST_CASE("a trunk's parts and a branch one after the other compute what the network does") {
  for (const NetworkSpec& full : {small_alexnet(), small_resnet(), branchynet_spec()}) {
    Network network(full, 5);
    overfit(network, 3);
    const Variable images = random_images(full, 3);
    const std::int64_t after = full.exits.at(0).after, end = static_cast<std::int64_t>(full.trunk.size());
    const auto head = trunk_part(network, 0, after, "head");
    const auto tail = trunk_part(network, after, end, "tail");
    const auto branch = branch_part(network, 0, "branch");
    const Variable at = head->forward(images);
    CHECK(branch->forward(at).value().to_vector<float>() ==
          network.forward_exits(images)[0].value().to_vector<float>());
    CHECK(tail->forward(at).value().to_vector<float>() == network.forward(images).value().to_vector<float>());
    CHECK(total_cost(head->spec()).macs + total_cost(branch->spec()).macs == macs_by_exit(full)[0]);
    CHECK_THROWS_SAYING(trunk_part(network, 2, end + 1, "x"), std::invalid_argument,
                        "trunk layers; got 2 to");
    CHECK_THROWS_SAYING(branch_part(network, full.exits.size(), "x"), std::invalid_argument, "got exit");
  }
  NetworkSpec across{"across", {4}, {kinds::Linear{.out = 4}, kinds::Relu{}}, {}};
  across.trunk.push_back(LayerSpec(kinds::Add{}, {1, 2}));
  const Network reads_across(across);
  CHECK_THROWS_SAYING(trunk_part(reads_across, 2, 3, "x"), std::invalid_argument, "reads position 1");
}

TEST_CASE("one seed, one network; names tell trunk from exits") {
  Network a(branchynet_spec(), 7);
  Network b(branchynet_spec(), 7);
  Network c(branchynet_spec(), 8);
  CHECK(a.parameters()[0].value().to_vector<float>() == b.parameters()[0].value().to_vector<float>());
  CHECK(a.parameters()[0].value().to_vector<float>() != c.parameters()[0].value().to_vector<float>());
  CHECK(a.named_parameters().front().first == "trunk.0.weight");
  CHECK(a.named_parameters().back().first == "exits.0.4.bias");
}

TEST_CASE("a truncated network keeps dtype and training mode") {
  Network network(small_resnet(), 3, DType::f64);
  network.eval();
  const auto at_exit = truncate_at_exit(network, 0, "light");
  CHECK(at_exit->parameters()[0].dtype() == DType::f64);
  CHECK_FALSE(at_exit->training());
  network.train();
  const auto after = truncate_after(network, 3, kHead, "light", 9);
  CHECK(after->parameters()[0].dtype() == DType::f64);
  CHECK(after->training());
}
