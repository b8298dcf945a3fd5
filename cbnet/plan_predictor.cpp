#include "cbnet/plan_predictor.h"

#include <algorithm>

#include "cbnet/exit_rule.h"
#include "runtime/plan_file.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

class PlanPredictor : public Predictor {
 public:
  explicit PlanPredictor(PlannedModel model)
      : Predictor(model.info), model_(std::move(model)), workspace_(model_.plan) {
    if (model_.converter) converter_workspace_.emplace(*model_.converter);
  }

  Predictions predict(const Tensor& images) override {
    const Tensor dense = images.contiguous();
    const runtime::Results results = run_plan(dense);
    Predictions out;
    if (results.labels.empty()) {
      out.converted = Tensor::from(results.output, dense.shape());
      return out;
    }
    out.labels.assign(results.labels.begin(), results.labels.end());
    out.entropy.assign(results.entropy.begin(), results.entropy.end());
    out.exit.assign(results.exit.begin(), results.exit.end());
    const auto count = static_cast<std::int64_t>(results.labels.size());
    const auto classes = static_cast<std::int64_t>(results.probabilities.size()) / count;
    out.probabilities = Tensor::from(results.probabilities, {count, classes});
    if (model_.converter) {
      const auto* pixels = std::as_const(dense).data<std::uint8_t>();
      out.converted =
          Tensor::from(model_.converter->run(pixels, count, *converter_workspace_).output, dense.shape());
    }
    return out;
  }

  // A call on one image takes little more than a microsecond: nothing is allocated on the way to the plan.
  void run(const Tensor& images) override {
    if (images.is_contiguous())
      static_cast<void>(run_plan(images));
    else
      static_cast<void>(run_plan(images.contiguous()));
  }

  std::int64_t weight_bytes() const override { return model_.plan.weight_bytes(); }

 private:
  runtime::Results run_plan(const Tensor& images) {
    const Shape& shape = images.shape();
    require(shape.size() == 4 &&
                std::equal(shape.begin() + 1, shape.end(), info().input.begin(), info().input.end()),
            "predict", "expected images of ", info().input, "; got ", images);
    return model_.plan.run(images.data<std::uint8_t>(), shape[0], workspace_);
  }

  PlannedModel model_;
  runtime::Workspace workspace_;
  std::optional<runtime::Workspace> converter_workspace_;
};

void require_usable(const CompiledGraph& plan, const std::string& source) {
  const runtime::Graph& graph = plan.graph;
  const Shape& made = value_shape(graph, static_cast<std::int32_t>(graph.nodes.size()));
  const bool of_pictures = graph.input.size() == 3 && (graph.input[0] == 1 || graph.input[0] == 3);
  if (!of_pictures || (graph.classifies ? made.size() != 1 : numel(made) != numel(graph.input))) {
    throw InputError(source,
                     concat("a plan from the pixels of grey or colour pictures to ",
                            graph.classifies ? "classes" : "as many pixels"),
                     concat("one from ", graph.input, " to ", made), "`cbnet info` describes it");
  }
  if (plan.info.macs_by_exit.size() != graph.exits.size() + 1)
    throw InputError(source, concat("the multiply-adds to ", graph.exits.size() + 1, " exits"),
                     concat(plan.info.macs_by_exit.size()), "compile it anew");
}

/// Returns of a plan of CBNet the part that makes the converted image; nothing where it cannot be told apart.
std::optional<runtime::Plan> converter_of(const runtime::Graph& graph) {
  runtime::Graph out;
  out.name = graph.name;
  out.input = graph.input;
  out.classifies = false;
  const auto end = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                [](const auto& node) { return !node.name.starts_with("autoencoder."); });
  out.nodes.assign(graph.nodes.begin(), end);
  if (out.nodes.empty() || end == graph.nodes.end() || numel(out.nodes.back().shape) != numel(graph.input))
    return std::nullopt;
  return runtime::Plan(out);
}

}  // namespace

std::unique_ptr<Predictor> make_plan_predictor(PlannedModel model) {
  return std::make_unique<PlanPredictor>(std::move(model));
}

CompiledGraph load_compiled_graph(const std::filesystem::path& file) {
  CompiledGraph out;
  out.graph = runtime::load_graph(file);
  out.info = compiled_info_from_json(out.graph.provenance, file.string());
  return out;
}

CompiledModel load_compiled(const std::filesystem::path& file, const std::vector<double>& thresholds) {
  CompiledGraph from = load_compiled_graph(file);
  require_usable(from, file.string());
  if (!thresholds.empty()) {
    std::vector<runtime::Exit>& exits = from.graph.exits;
    if (exits.empty())
      throw InputError(file.string(), "a plan with side exits, as thresholds concern",
                       concat(from.info.model, " with none"), "leave --threshold out");
    const std::vector<double> each = thresholds_for(thresholds, exits.size());
    for (std::size_t e = 0; e < exits.size(); ++e) exits[e].threshold = each[e];
  }
  CompiledModel out;
  out.info = from.info;
  require(compute_device() == Device::cpu, "plan", file.string(), " computes on the cpu, not on ",
          to_string(compute_device()), "; hint: use --device cpu, or the model that it was compiled from");
  const CompiledInfo& info = out.info;
  const Shape& made = value_shape(from.graph, static_cast<std::int32_t>(from.graph.nodes.size()));
  const std::int64_t classes = from.graph.classifies ? numel(made) : 0;
  try {
    out.predictor =
        make_plan_predictor({{info.model, info.dataset, class_names_of(info.classes, info.dataset, classes),
                              from.graph.input, info.macs_by_exit, info.parameter_count},
                             runtime::Plan(from.graph),
                             converter_of(from.graph)});
  } catch (const std::invalid_argument& error) {
    throw InputError(file.string(), "a plan that can be run", error.what(), "compile it anew");
  }
  return out;
}

}  // namespace cbnet
