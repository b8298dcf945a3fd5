#include "bench/runs.h"

#include <algorithm>
#include <filesystem>

#include "cbnet/plan_predictor.h"
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

/// Adds the plan in that file, or says why not.
void add_compiled(const std::string& run, const Predictor& model, const std::string& precision,
                  Contenders& out) {
  const std::filesystem::path file =
      std::filesystem::path(run) / concat(model.name(), ".", precision, ".plan");
  if (!std::filesystem::exists(file)) return;
  CompiledModel compiled = load_compiled(file);
  const CompiledInfo& info = compiled.info;
  if (info.model != model.name() || info.dataset != model.dataset() ||
      to_string(info.precision) != precision) {
    throw InputError(file.string(), concat(model.name(), " of ", model.dataset(), " in ", precision),
                     concat(info.model, " of ", info.dataset, " in ", to_string(info.precision)));
  }
  if (info.accuracy >= info.fp32_accuracy - kAdmissibleLoss) {
    out.timed.push_back({std::move(compiled.predictor), Engine::plan, precision, info.sparsity, nullptr});
  } else {
    out.left_out.push_back({run, info.model, precision, info.accuracy, info.fp32_accuracy});
  }
}

}  // namespace

Contenders load_contenders(const std::string& run, const std::vector<Engine>& engines) {
  Contenders out;
  for (const Engine engine : engines) {
    for (auto& predictor : load_models(run, engine)) {
      const Predictor& model = *predictor;
      out.timed.push_back({std::move(predictor), engine, "fp32", 0.0, nullptr});
      if (engine == Engine::eager) continue;
      out.timed.back().reference = load_predictor(run, model.name(), -1.0, Engine::eager);
      for (const char* precision : {"bf16", "int8"}) add_compiled(run, model, precision, out);
    }
  }
  return out;
}

data::DatasetId dataset_id(const std::string& name) {
  return data::parse_dataset_id(name == "kmnist-first7011" ? "kmnist" : name);
}

}  // namespace cbnet::bench
