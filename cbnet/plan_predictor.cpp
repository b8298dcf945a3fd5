#include "cbnet/plan_predictor.h"

#include <algorithm>

#include "runtime/plan_file.h"

namespace cbnet {
namespace {

Tensor pixels_like(const Tensor& images, std::span<const float> values) {
  return Tensor::from(values, {images.size(0), 1, images.size(1), images.size(2)});
}

class PlanPredictor : public Predictor {
 public:
  explicit PlanPredictor(PlannedModel model) : model_(std::move(model)), workspace_(model_.plan) {
    if (model_.converter) converter_workspace_.emplace(*model_.converter);
  }

  Predictions predict(const Tensor& images) override {
    const Tensor dense = images.contiguous();
    const runtime::Results results = run_plan(dense);
    Predictions out;
    if (results.labels.empty()) {
      out.converted = pixels_like(dense, results.output);
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
      out.converted = pixels_like(dense, model_.converter->run(pixels, count, *converter_workspace_).output);
    }
    return out;
  }

  void run(const Tensor& images) override { static_cast<void>(run_plan(images.contiguous())); }

  std::string name() const override { return model_.name; }
  std::string dataset() const override { return model_.dataset; }
  std::vector<std::int64_t> macs_by_exit() const override { return model_.macs_by_exit; }
  std::int64_t parameter_count() const override { return model_.parameter_count; }
  std::int64_t weight_bytes() const override { return model_.plan.weight_bytes(); }

 private:
  runtime::Results run_plan(const Tensor& images) {
    const Shape& shape = images.shape();
    require(shape.size() == 3 && shape[1] * shape[2] == numel(model_.plan.graph().input), "predict",
            "expected images of ", model_.plan.graph().input, "; got ", describe(images));
    return model_.plan.run(images.data<std::uint8_t>(), shape[0], workspace_);
  }

  PlannedModel model_;
  runtime::Workspace workspace_;
  std::optional<runtime::Workspace> converter_workspace_;
};

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

CompiledModel load_compiled(const std::filesystem::path& file) {
  const CompiledGraph from = load_compiled_graph(file);
  CompiledModel out;
  out.info = from.info;
  try {
    out.predictor = make_plan_predictor({out.info.model, out.info.dataset, runtime::Plan(from.graph),
                                         out.info.macs_by_exit, out.info.parameter_count, std::nullopt});
  } catch (const std::invalid_argument& error) {
    throw InputError(file.string(), "a plan that can be run", error.what(), "compile it anew");
  }
  return out;
}

}  // namespace cbnet
