#include "bench/runs.h"

#include <algorithm>

#include "tensor/error.h"

namespace cbnet::bench {

std::vector<std::string> run_folders(const CommandLine& line) {
  if (!line.has("run"))
    line.fail("--run is required; `cbnet train --dataset fmnist --out runs/fmnist` makes a run");
  std::vector<std::string> runs = line.list("run");
  for (auto run = runs.begin(); run != runs.end(); ++run) {
    if (std::find(runs.begin(), run, *run) != run) line.fail(concat("--run ", *run, " stands there twice"));
  }
  return runs;
}

std::vector<std::unique_ptr<Predictor>> load_models(const std::string& run, Engine engine) {
  std::vector<std::unique_ptr<Predictor>> predictors;
  for (const std::string& name : models_in(run)) {
    predictors.push_back(load_predictor(run, name, -1.0, engine));
    const std::string& first = predictors.front()->dataset();
    if (predictors.back()->dataset() != first) {
      throw InputError(run, concat("models of one dataset (", first, ")"),
                       concat(name, " of ", predictors.back()->dataset()),
                       "give each training its own folder");
    }
  }
  if (predictors.empty()) {
    throw InputError(run, "trained models", "none",
                     concat("`cbnet train --dataset fmnist --out ", run, "` makes them"));
  }
  if (predictors.front()->dataset() == "unknown") {
    throw InputError(run, "a model whose dataset is known", predictors.front()->name(),
                     "import it anew with --dataset");
  }
  return predictors;
}

namespace {

bool is_admissible(const CompiledPlan& plan) {
  return plan.accuracy && plan.fp32_accuracy && *plan.accuracy >= *plan.fp32_accuracy - kAdmissibleLoss;
}

CompiledPlan load_checked(const std::filesystem::path& file, const std::string& model, const std::string& precision,
                          const PlanLoader& load_plan) {
  CompiledPlan plan = load_plan(file);
  if (plan.predictor->name() != model || plan.precision != precision) {
    throw InputError(file.string(), concat("a plan of ", model, " in ", precision),
                     concat(plan.predictor->name(), " in ", plan.precision), "name it MODEL.PRECISION.plan");
  }
  return plan;
}

}  // namespace

Contenders load_contenders(const std::string& run, const std::vector<Engine>& engines, const PlanLoader& load_plan) {
  Contenders out;
  for (const Engine engine : engines) {
    for (auto& predictor : load_models(run, engine)) {
      const std::string model = predictor->name();
      Contender& contender = out.timed.emplace_back();
      contender.predictor = std::move(predictor);
      contender.engine = engine;
      if (engine == Engine::eager) continue;
      contender.reference = load_predictor(run, model, -1.0, Engine::eager);
      if (!load_plan) continue;
      for (const char* precision : {"bf16", "int8"}) {
        const std::filesystem::path file = std::filesystem::path(run) / concat(model, ".", precision, ".plan");
        if (!std::filesystem::exists(file)) continue;
        CompiledPlan plan = load_checked(file, model, precision, load_plan);
        if (is_admissible(plan)) {
          out.timed.push_back({std::move(plan.predictor), Engine::plan, precision, nullptr});
        } else {
          out.left_out.push_back({run, model, precision, plan.accuracy, plan.fp32_accuracy});
        }
      }
    }
  }
  return out;
}

data::DatasetId dataset_id(const std::string& name) {
  return data::parse_dataset_id(name == "kmnist-first7011" ? "kmnist" : name);
}

}  // namespace cbnet::bench
