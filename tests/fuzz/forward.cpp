#include "tests/fuzz/forward.h"

#include <cmath>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "models/compile.h"
#include "runtime/plan.h"
#include "tensor/error.h"
#include "tests/support/failing_allocations.h"

namespace cbnet::testing {
namespace {

constexpr std::int64_t kImages = 3;
constexpr std::int64_t kMaxMacs = 2'000'000;      // of one image
constexpr std::int64_t kMaxElements = 1'000'000;  // of all values of one image, and of all weights

/// a + b of what is not negative, or the most there is.
std::int64_t add(std::int64_t a, std::int64_t b) { return a > INT64_MAX - b ? INT64_MAX : a + b; }

bool is_small(const runtime::Graph& graph) {
  std::int64_t macs = 0, elements = numel(graph.input);
  for (const runtime::Node& node : graph.nodes) {
    macs = add(macs, node_macs(graph, node));
    elements = add(elements, numel(node.shape));
    elements = add(elements, add(node.window.kernel_size.h, node.window.kernel_size.w));
  }
  return macs <= kMaxMacs && elements <= kMaxElements;
}

bool is_small(const NetworkSpec& spec) {
  std::int64_t elements = numel(spec.input);
  std::int64_t macs = 0;
  for (const LayerCost& layer : layer_costs(spec)) {
    macs = add(macs, layer.macs);
    elements = add(elements, add(layer.parameters, numel(layer.output)));
  }
  return macs <= kMaxMacs && elements <= kMaxElements;
}

void check_answers(const runtime::Graph& graph, const runtime::Results& answers, std::int64_t n) {
  if (!graph.classifies) {
    if (static_cast<std::int64_t>(answers.output.size()) != n * numel(graph.nodes.back().shape))
      throw std::logic_error("a plan made an output of another size");
    return;
  }
  const auto classes = numel(graph.nodes.back().shape);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t label = answers.labels[static_cast<std::size_t>(i)];
    double sum = 0.0;
    for (std::int64_t c = 0; c < classes; ++c)
      sum += static_cast<double>(answers.probabilities[static_cast<std::size_t>(i * classes + c)]);
    const bool answered = label >= 0 && label < classes && std::abs(sum - 1.0) < 1e-3;
    const bool refused = label == -1 && std::isnan(sum);
    if (!answered && !refused) throw std::logic_error("a plan gave neither an answer nor none");
  }
}

}  // namespace

void run_if_small(const runtime::Graph& graph) {
  if (graph.nodes.empty() || !is_small(graph)) return;
  const runtime::Plan plan(graph);
  runtime::Workspace workspace(plan);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(kImages * numel(graph.input)));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
  const std::vector<float> pixels(bytes.begin(), bytes.end());
  check_answers(graph, plan.run(bytes.data(), 1, workspace), 1);
  check_answers(graph, plan.run(pixels.data(), kImages, workspace), kImages);
  for (const runtime::StepInfo& step : plan.steps())
    if (step.macs < 0 || step.weight_bytes < 0) throw std::logic_error("a step costs less than nothing");
}

void run_short_of_memory(const runtime::Graph& graph, std::int64_t first) {
  if (graph.nodes.empty() || !is_small(graph)) return;
  try {
    const FailAllocations scope(first, Shortage::one);
    const runtime::Plan unlucky(graph);
  } catch (const std::bad_alloc&) {
  }
  const runtime::Plan plan(graph);
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kImages * numel(graph.input)), 1);
  const auto bits = [&](runtime::Workspace& workspace) {
    const runtime::Results results = plan.run(pixels.data(), kImages, workspace);
    std::string out(reinterpret_cast<const char*>(results.labels.data()), results.labels.size_bytes());
    out.append(reinterpret_cast<const char*>(results.probabilities.data()),
               results.probabilities.size_bytes());
    return out.append(reinterpret_cast<const char*>(results.output.data()), results.output.size_bytes());
  };
  runtime::Workspace fresh(plan), tried(plan);
  const std::string expected = bits(fresh);
  try {
    const FailAllocations scope(first % 16, Shortage::one);
    static_cast<void>(plan.run(pixels.data(), kImages, tried));
  } catch (const std::bad_alloc&) {
  }
  if (bits(tried) != expected) throw std::logic_error("a workspace that ran out of memory answers otherwise");
}

void run_if_small(Network& network) {
  if (!is_small(network.spec())) return;
  const NoGrad no_grad;
  network.eval();
  Shape shape = network.spec().input;
  shape.insert(shape.begin(), kImages);
  for (const Variable& made : network.forward_exits(Variable(Tensor::full(shape, 0.5))))
    if (made.size(0) != kImages) throw std::logic_error("a network made another number of answers");
}

void run_if_small(const NetworkSpec& spec) {
  if (!is_small(spec)) return;
  Network network(spec);
  run_if_small(network);
}

void run_if_small(const Model& model) {
  run_if_small(*model.network);
  if (!is_small(model.network->spec())) return;
  run_if_small(model_graph(model));
}

}  // namespace cbnet::testing
