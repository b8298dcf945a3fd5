// This worker has this project's engine.
#include <algorithm>

#include "autograd/tape.h"
#include "bench/peers/calibration.h"
#include "bench/peers/engine.h"
#include "cbnet/compression.h"
#include "models/compile.h"
#include "runtime/plan.h"
#include "runtime/quantize.h"
#include "runtime/reduce.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/version.h"

namespace cbnet::peers {
namespace {

std::unique_ptr<Network> network_of(const PeerModel& model) {
  auto network = std::make_unique<Network>(model.spec);
  network->load_state_dict(model.weights);
  network->eval();
  return network;
}

/// Runs layer by layer, as in training, without a tape.
class Eager final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int) override {
    network_ = network_of(model);
    has_exit_ = model.has_exit();
    threshold_ = model.threshold;
    Shape shape = model.spec.input;
    shape.insert(shape.begin(), batch);
    pixels_ = Tensor::empty(shape);
  }

  const float* run(const float* pixels, float*) override {
    const NoGrad no_grad;
    std::copy_n(pixels, pixels_.numel(), pixels_.data<float>());
    y_ = forward(Variable(pixels_)).value();
    return y_.data<float>();
  }

 private:
  Variable forward(const Variable& x) {
    if (!has_exit_) return network_->forward(x);
    const NetworkSpec& spec = network_->spec();
    const std::int64_t after = spec.exits.front().after;
    const Variable shared = network_->forward_trunk(x, 0, after);
    Variable early = network_->forward_branch(0, shared);
    if (softmax_entropy(early.value().data<float>(), early.value().numel()) < threshold_) return early;
    return network_->forward_trunk(shared, after, static_cast<std::int64_t>(spec.trunk.size()));
  }

  std::unique_ptr<Network> network_;
  Tensor pixels_, y_;
  bool has_exit_ = false;
  double threshold_ = 0.0;
};

runtime::Graph graph_of(const PeerModel& model) {
  if (model.is_graph()) return model.graph;
  const std::vector<double> thresholds(model.spec.exits.size(), model.threshold);
  const auto owner = network_of(model);
  const Network& network = *owner;
  return model.classifies() ? classifier_graph(network, thresholds) : autoencoder_graph(network, 1.0);
}

/// Has any network as `cbnet compile --precision int8` has it.
runtime::Graph quantized_network(const PeerModel& model) {
  const std::vector<runtime::QuantParams> ranges = value_ranges(model);
  runtime::Graph graph = model.graph;
  runtime::reduce(graph, {runtime::Precision::int8, kMinWeights, [&](const runtime::Graph&, std::int32_t v) {
                            return ranges.at(static_cast<std::size_t>(v));
                          }});
  return graph;
}

/// Has large linear layers in bytes, as `cbnet compile --precision int8` has them: pixels as they are in
/// files, other inputs calibrated.
runtime::Graph quantized_graph(const PeerModel& model) {
  if (model.is_graph()) return quantized_network(model);
  const NoGrad no_grad;
  const PeerModel less = folded(model);
  const auto network = network_of(less);
  runtime::Graph graph = graph_of(less);
  Variable x(model.calibration);
  for (std::size_t i = 0; i < less.spec.trunk.size(); ++i) {
    for (runtime::Node& node : graph.nodes) {
      if (node.name != concat("trunk.", i) || node.dense.in * node.dense.out < kMinWeights) continue;
      const bool pixels = i == 1;  // behind the flatten that these networks begin with
      node.input =
          pixels ? runtime::QuantParams{1.0F / 255.0F, 0} : runtime::calibrate(x.value().to_vector<float>());
      node.dense = runtime::convert(node.dense, runtime::Precision::int8);
    }
    x = network->forward_trunk(x, static_cast<std::int64_t>(i), static_cast<std::int64_t>(i + 1));
  }
  return graph;
}

/// Runs the compiled plan, which answers with labels, entropies and exits too.
template <bool int8>
class Compiled final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int) override {
    plan_ = std::make_unique<runtime::Plan>(int8 ? quantized_graph(model) : graph_of(model));
    workspace_ = std::make_unique<runtime::Workspace>(*plan_);
    batch_ = batch;
  }

  const float* run(const float* pixels, float*) override {
    const runtime::Results results = plan_->run(pixels, batch_, *workspace_);
    return (results.output.empty() ? results.probabilities : results.output).data();
  }

 private:
  std::unique_ptr<runtime::Plan> plan_;
  std::unique_ptr<runtime::Workspace> workspace_;
  std::int64_t batch_ = 0;
};

template <bool int8>
std::unique_ptr<Engine> compiled() {
  return std::make_unique<Compiled<int8>>();
}

}  // namespace

EngineInfo engine_info() {
  const auto any = [](const PeerModel&) -> std::string { return {}; };
  const auto is_dense = [](const PeerModel& model, std::int64_t) {
    return model.trunk.front().is<kinds::Flatten>();
  };
  return {
      "cbnet",
      concat(kVersion, ", ISA ", to_string(active_isa())),
      {{"plan", "fp32", "compiled plan", [](const PeerModel&, std::int64_t) { return true; }, compiled<false>,
        /*probabilities=*/true, any},
       {"plan-int8", "int8", "compiled plan, in bytes where that is faster", is_dense, compiled<true>,
        /*probabilities=*/true, any},
       {"eager", "fp32", "layer by layer, as in training",
        [](const PeerModel& model, std::int64_t batch) { return !model.has_exit() || batch == 1; },
        []() -> std::unique_ptr<Engine> { return std::make_unique<Eager>(); }, false, any}}};
}

}  // namespace cbnet::peers
