// Whole networks as one kernel, on the emulated GPU, against the CPU's plan.
#include "runtime/device_plan.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/compile.h"
#include "models/networks.h"
#include "models/zoo.h"
#include "runtime/plan.h"
#include "tensor/cuda/launch.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

std::vector<std::uint8_t> images(std::int64_t count, const Shape& shape) {
  Rng rng(3);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(count * numel(shape)));
  for (std::uint8_t& pixel : out) pixel = static_cast<std::uint8_t>(rng.below(256));
  return out;
}

void check_near(float found, float expected) {
  CHECK(std::abs(found - expected) <= 2e-5F * (1.0F + std::abs(expected)));
}

void check_same(const runtime::Graph& graph, std::int64_t n) {
  CAPTURE(graph.name);
  const std::vector<std::uint8_t> pixels = images(n, graph.input);
  const runtime::Plan plan(graph);
  runtime::Workspace workspace(plan);
  runtime::DevicePlan device(graph);
  const runtime::Results expected = plan.run(pixels.data(), n, workspace);
  const auto outputs = static_cast<std::size_t>(
      static_cast<std::int64_t>(graph.classifies ? expected.probabilities.size() : expected.output.size()) /
      n);
  const auto check_image = [&](const cuda::NetAnswers& found, std::size_t at, std::size_t image) {
    for (std::size_t i = 0; i < outputs; ++i)
      check_near(found.outputs[at * outputs + i], graph.classifies
                                                      ? expected.probabilities[image * outputs + i]
                                                      : expected.output[image * outputs + i]);
    if (!graph.classifies) return;
    CHECK(found.labels[at] == expected.labels[image]);
    CHECK(found.exits[at] == expected.exit[image]);
    check_near(found.entropy[at], expected.entropy[image]);
  };
  const cuda::NetAnswers many = device.run(pixels.data(), n);
  for (std::size_t image = 0; image < static_cast<std::size_t>(n); ++image) check_image(many, image, image);
  for (const cuda::NetLaunch launch :
       {cuda::NetLaunch::mailbox, cuda::NetLaunch::graph, cuda::NetLaunch::stream}) {
    const auto image = static_cast<std::size_t>(launch);
    check_image(device.run(pixels.data() + static_cast<std::int64_t>(image) * numel(graph.input), 1, launch),
                0, image);
  }
}

runtime::Graph graph_of(const NetworkSpec& spec, std::vector<double> thresholds = {}) {
  Network network(spec, 11);
  network.eval();
  return classifier_graph(network, thresholds);
}

}  // namespace

TEST_CASE("the paper's networks answer as the CPU's plan does, in batches and one by one") {
  check_same(graph_of(lenet_spec()), 5);
  check_same(graph_of(classifier_spec()), 5);
  // Thresholds that some images pass and some do not.
  check_same(graph_of(branchynet_spec(), {2.29}), 7);
  check_same(graph_of(branchynet_spec(), {0.0}), 3);
  const Network autoencoder(autoencoder_spec("fmnist", OutputActivation::sigmoid), 4);
  check_same(autoencoder_graph(autoencoder, 1.0), 3);
  const Network classifier(classifier_spec(), 5);
  check_same(cbnet_graph(autoencoder, 1.0, classifier), 3);
}

TEST_CASE("networks of other shapes do, too") {
  check_same(graph_of(alexnet_spec({{3, 32, 32}, 10})), 3);
  check_same(graph_of(b_resnet20_spec({{3, 24, 20}, 7}), {1.9, 1.9}), 4);
}

TEST_CASE("the order of the threads changes no bit of a network's answer") {
  const runtime::Graph graph = graph_of(branchynet_spec(), {2.29});
  const std::vector<std::uint8_t> pixels = images(1, graph.input);
  std::vector<std::vector<float>> outputs;
  for (const auto order :
       {emulation::Order::forwards, emulation::Order::backwards, emulation::Order::shuffled}) {
    emulation::set_order(order, 5);
    runtime::DevicePlan device(graph);
    outputs.push_back(device.run(pixels.data(), 1, cuda::NetLaunch::stream).outputs);
  }
  emulation::set_order(emulation::Order::forwards);
  CHECK(outputs[0] == outputs[1]);
  CHECK(outputs[0] == outputs[2]);
}

TEST_CASE("what the kernel does not compute is refused by the layer's name") {
  runtime::Graph graph = graph_of(lenet_spec());
  CHECK(runtime::device_computes(graph));
  runtime::Node node;
  node.kind = runtime::Kind::log_softmax;
  node.name = "trunk.99";
  node.inputs = {static_cast<std::int32_t>(graph.nodes.size())};
  node.shape = {10};
  graph.nodes.push_back(node);
  CHECK_FALSE(runtime::device_computes(graph));
  CHECK_THROWS_SAYING(runtime::DevicePlan{graph}, std::invalid_argument,
                      "layer 'trunk.99' (log_softmax): the device's kernel does not");
}
