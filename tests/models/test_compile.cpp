#include "models/compile.h"

#include "tests/models/planned.h"
#include "tests/support/kinds.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;
using runtime::Plan;
using runtime::Results;
using runtime::Workspace;

namespace {

// Both engines sum in f32, each in its own order. Logits of size 1 to 10 come out of sums of up to 784
// products, each layer off by some 1e-7 of its sizes (tests/runtime/test_conv.cpp); a probability moves by at
// most a quarter of what the difference of two logits does, an entropy by about that difference. Three times
// the largest seen.
constexpr double kProbabilityTolerance = 3e-6, kEntropyTolerance = 3e-6;
// Pixels and whatever else a network makes: relative to 1 or the value, whichever is larger.
constexpr double kOutputTolerance = 3e-6;

/// How far a plan's answers were from the network's.
struct Distance {
  double probability = 0, entropy = 0, output = 0;
  int images = 0, tossed = 0;  // exits that differ where the entropy is the threshold but for rounding
  std::vector<int> taken;

  void keep(double& worst, double error) const {
    if (!(error <= worst)) worst = error;  // a NaN is the worst
  }

  void add(const Planned& planned, const Said& said, const Results& got) {
    if (!planned.graph.classifies) {
      images += 1;
      for (std::size_t i = 0; i < got.output.size(); ++i) {
        const double want = static_cast<double>(said.output[i]);
        keep(output, std::fabs(static_cast<double>(got.output[i]) - want) / std::max(1.0, std::fabs(want)));
      }
      return;
    }
    const std::size_t classes = got.probabilities.size() / got.labels.size();
    taken.resize(said.exits.size(), 0);
    for (std::size_t i = 0; i < got.labels.size(); ++i) {
      ++images;
      const auto exit = static_cast<std::size_t>(got.exit[i]);
      ++taken.at(exit);
      keep(entropy,
           std::fabs(static_cast<double>(got.entropy[i]) - entropy_of(&said.exits[0][i * classes], classes)));
      bool leaves = false;
      for (std::size_t e = 0; e <= exit; ++e) {
        if (e + 1 == said.exits.size()) continue;
        const double distance =
            entropy_of(&said.exits[e][i * classes], classes) - planned.graph.exits[e].threshold;
        leaves = e == exit;
        if ((distance < 0) == leaves) continue;
        CHECK(std::fabs(distance) <= kEntropyTolerance);
        ++tossed;
      }
      const float* logits = &said.exits[exit][i * classes];
      const double most = *std::max_element(logits, logits + classes);
      double sum = 0;
      for (std::size_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - most);
      for (std::size_t c = 0; c < classes; ++c) {
        const double p = static_cast<double>(got.probabilities[i * classes + c]);
        keep(probability, std::fabs(p - std::exp(logits[c] - most) / sum));
      }
      // The label's probability is the largest, but for rounding.
      const double sure = std::exp(logits[got.labels[i]] - most) / sum;
      CHECK(sure >= 1 / sum - 2 * kProbabilityTolerance);
    }
  }

  void check(const std::string& what) const {
    CHECK_MESSAGE(probability <= kProbabilityTolerance, what << ": probability off by " << probability);
    CHECK_MESSAGE(entropy <= kEntropyTolerance, what << ": entropy off by " << entropy);
    CHECK_MESSAGE(output <= kOutputTolerance, what << ": output off by " << output);
    CHECK_MESSAGE(tossed * 20 <= images, what << ": " << tossed << " of " << images << " exits by a hair");
  }
};

constexpr std::int64_t kMost = 67;

/// The plan of an ISA beside the network: the first n images for each n, as bytes and as floats.
Distance compare(const Planned& planned, Isa isa, const std::vector<std::int64_t>& sizes) {
  const std::vector<std::uint8_t> bytes = random_bytes(kMost, planned.graph.input);
  const std::vector<float> floats = as_floats(bytes);
  const Said said = planned.say(floats);
  const Plan plan(planned.graph, isa);
  Workspace workspace(plan);
  Distance out;
  for (const std::int64_t n : sizes) {
    out.add(planned, said, plan.run(bytes.data(), n, workspace));
    out.add(planned, said, plan.run(floats.data(), n, workspace));
  }
  out.check(planned.name + ", " + to_string(isa));
  return out;
}

void compare_everywhere(const Planned& planned) {
  for (const Isa isa : available_isas()) compare(planned, isa, {1, 2, 3, 16, 33, 67});
}

std::vector<std::int64_t> all_sizes() {
  std::vector<std::int64_t> out;
  for (std::int64_t n = 1; n <= kMost; ++n) out.push_back(n);
  return out;
}

/// Residual blocks, normalisation, strides, groups, dilation, pools of every kind; two side exits.
NetworkSpec residual_network() {
  const LayerSpec norm = kinds::BatchNorm{}, relu = kinds::Relu{}, flatten = kinds::Flatten{};
  const LayerSpec average = kinds::AvgPool2d{
      .kernel_size = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false};
  const LayerSpec largest = kinds::MaxPool2d{.kernel_size = 3, .stride = 2, .padding = 1};
  return {"residual",
          {3, 20, 20},
          {kinds::Conv2d{.out = 8, .kernel_size = 3, .padding = 1, .bias = false}, norm, relu,
           kinds::Residual{.body = {kinds::Conv2d{.out = 8, .kernel_size = 3, .padding = 1}, norm, relu,
                                    kinds::Conv2d{.out = 8, .kernel_size = 3, .padding = 1}, norm}},
           relu, largest,
           kinds::Residual{
               .body = {kinds::Conv2d{.out = 12, .kernel_size = 3, .stride = 2, .padding = 1, .groups = 4},
                        norm, relu, kinds::Conv2d{.out = 12, .kernel_size = 3, .padding = 2, .dilation = 2}},
               .shortcut = {kinds::Conv2d{.out = 12, .kernel_size = 1, .stride = 2}, norm}},
           kinds::Tanh{}, kinds::Dropout{.p = 0.3}, kinds::Conv2d{.out = 16, .kernel_size = 3, .padding = 1},
           kinds::LeakyRelu{.slope = 0.2}, kinds::GlobalAvgPool2d{}, flatten, kinds::Linear{.out = 6},
           kinds::LogSoftmax{}},
          {{5,
            {average, flatten, kinds::Linear{.out = 9}, kinds::Sigmoid{},
             kinds::Linear{.out = 6, .bias = false}}},
           {8, {flatten, kinds::Linear{.out = 6}, kinds::Softmax{}}}},
          Init::he_normal};
}

/// Values that are joined, turned, stretched and multiplied.
NetworkSpec joined_network() {
  return {"joined",
          {2, 6, 10},
          {kinds::Conv2d{.out = 4, .kernel_size = 3, .padding = 1},  // 1: (4,6,10)
           kinds::Softmax{},                                         // 2, along each row
           LayerSpec(kinds::Concat{}, {1, 2}),                       // 3: (8,6,10)
           kinds::Mul{.shape = {8, 1, 10}},                          // 4
           kinds::Add{.shape = {6, 1}},                              // 5
           kinds::AvgPool2d{.kernel_size = 2, .stride = 2},          // 6: (8,3,5)
           kinds::Transpose{.axes = {1, 2, 0}},                      // 7: (3,5,8)
           kinds::Unflatten{.shape = {15, 8}},                       // 8
           kinds::Transpose{.axes = {1, 0}},                         // 9: (8,15)
           LayerSpec(kinds::Matmul{}, {8, 9}),                       // 10: (15,15)
           kinds::LogSoftmax{},                                      // 11, along each row
           kinds::Tanh{},                                            // 12
           LayerSpec(kinds::Add{}, {12, 10}),                        // 13
           LayerSpec(kinds::Mul{}, {13, 11}),                        // 14
           LayerSpec(kinds::Concat{.axis = 1}, {14, 8}),             // 15: (15,23)
           kinds::Flatten{}, kinds::Linear{.out = 50}, kinds::Sigmoid{}, kinds::Linear{.out = 40}},
          {},
          Init::glorot_uniform};
}

}  // namespace

TEST_CASE("compile: wrong use throws, by name") {
  CHECK_THROWS_SAYING(classifier_graph(Network(branchynet_spec()), {}), std::invalid_argument,
                      "[compile] expected a threshold for each of 1 side exits; got 0");
  CHECK_THROWS_SAYING(classifier_graph(Network(lenet_spec(), 0, DType::f64), {}), std::invalid_argument,
                      "the inference engine is f32; got f64");
  const Network autoencoder(autoencoder_spec("mnist", OutputActivation::softmax));
  const NetworkSpec small = {
      "small", {1, 3, 3}, {kinds::Flatten{}, kinds::Linear{.out = 2}}, {}, Init::lecun_normal};
  CHECK_THROWS_SAYING(cbnet_graph(autoencoder, 1.0, Network(small)), std::invalid_argument,
                      "the classifier reads (1,3,3); the autoencoder makes (784)");
  NetworkSpec at_the_end = small;
  at_the_end.exits = {{2, {kinds::Linear{.out = 2}}}};
  CHECK_THROWS_SAYING(classifier_graph(Network(at_the_end), {0.5}), std::invalid_argument,
                      "'small' needs a layer behind its last side exit");
  at_the_end.trunk.push_back(kinds::Softmax{});
  at_the_end.trunk.push_back(kinds::Softmax{});
  for (const std::int64_t after : {3, 4}) {  // nothing but what the plan takes itself stands behind it
    at_the_end.exits[0].after = after;
    CHECK_THROWS_SAYING(classifier_graph(Network(at_the_end), {0.5}), std::invalid_argument,
                        "'small' needs a layer behind its last side exit");
  }
}

TEST_CASE("compile: the paper's models answer as their networks, for every number of images") {
  const std::vector<float> pixels = as_floats(random_bytes(kMost, {1, 28, 28}));
  for (const Planned& planned : paper_models(pixels)) {
    const Distance all = compare(planned, available_isas().back(), all_sizes());
    CHECK(all.images >= (planned.graph.classifies ? 2 * 67 * 68 / 2 : 2 * 67));
    if (planned.name == "branchynet") {
      CHECK(all.taken[0] * 4 > all.images);
      CHECK(all.taken[1] * 4 > all.images);
    }
    compare_everywhere(planned);
  }
}

TEST_CASE("compile: BranchyNet when none leaves early, and when all do") {
  const std::shared_ptr<Network> network = trained(branchynet_spec(), 2);
  for (const Isa isa : available_isas()) {
    const Distance none = compare(planned_classifier(network, {0.0}, "none"), isa, {1, 2, 67});
    CHECK(none.taken == std::vector<int>{0, 140});
    const Distance all = compare(planned_classifier(network, {3.0}, "all"), isa, {1, 2, 67});
    CHECK(all.taken == std::vector<int>{140, 0});
  }
}

TEST_CASE("compile: the three autoencoders, with either output") {
  for (const char* dataset : {"mnist", "fmnist", "kmnist"}) {
    for (const OutputActivation output : {OutputActivation::softmax, OutputActivation::sigmoid}) {
      const double rescale = output == OutputActivation::softmax ? 200.0 : 1.0;
      compare_everywhere(planned_autoencoder(trained(autoencoder_spec(dataset, output), 4), rescale,
                                             concat(dataset, " ", to_string(output))));
    }
  }
}

TEST_CASE("compile: networks of every kind of layer") {
  const std::shared_ptr<Network> residual = trained(residual_network(), 6);
  const Said said =
      planned_classifier(residual, {0.0, 0.0}, "").say(as_floats(random_bytes(kMost, {3, 20, 20})));
  const std::vector<double> thresholds = {median_entropy(said, 0, 6), median_entropy(said, 1, 6)};
  const Planned planned = planned_classifier(residual, thresholds, "residual");
  compare_everywhere(planned);
  const Distance all = compare(planned, active_isa(), {67});
  for (const int taken : all.taken) CHECK(taken >= 10);
  compare_everywhere(planned_autoencoder(trained(joined_network(), 7), 1.0, "joined"));
}

TEST_CASE("compile: a model file's kind says what it becomes") {
  Model model;
  model.info.model = "autoencoder";
  model.info.rescale = 5.0;
  model.network = trained(autoencoder_spec("fmnist", OutputActivation::softmax), 1);
  runtime::Graph graph = model_graph(model);
  CHECK_FALSE(graph.classifies);
  CHECK(graph.nodes.back().kind == runtime::Kind::rescale);
  CHECK(graph.nodes.back().value == 5.0);
  model.info.model = "branchynet";
  model.info.thresholds = {0.25};
  model.network = trained(branchynet_spec(), 1);
  graph = model_graph(model);
  CHECK(graph.classifies);
  REQUIRE(graph.exits.size() == 1);
  CHECK(graph.exits[0].threshold == 0.25);
  // Folding makes one linear layer of the last two.
  std::vector<std::int64_t> macs = macs_by_exit(branchynet_spec());
  macs[1] -= 720 * 84 + 84 * 10 - 720 * 10;
  CHECK(Plan(graph).macs_by_exit() == macs);
}
