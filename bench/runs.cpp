#include "bench/runs.h"

#include <algorithm>
#include <filesystem>

#include "cbnet/plan_predictor.h"
#include "cbnet/run_folder.h"
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

RunModels load_models(const std::string& run, Engine engine) {
  RunModels out = load_run(run, {}, engine);
  const auto known = std::find_if(out.usable.begin(), out.usable.end(),
                                  [](const auto& model) { return model->dataset() != "unknown"; });
  if (out.usable.empty()) {
    throw InputError(run, "trained models", "none",
                     concat("`cbnet train --dataset fmnist --out ", run, "` makes them"));
  }
  if (known == out.usable.end()) {
    throw InputError(run, "a model whose dataset is known", out.usable.front()->name(),
                     "import it anew with --dataset");
  }
  const std::string dataset = (*known)->dataset();
  std::erase_if(out.usable, [&](const auto& model) {
    if (model->dataset() == dataset) return false;
    out.unusable.push_back(
        {model->name(), concat("expected a model of ", dataset, " as the others; found ", model->dataset(),
                               "; hint: give each training its own "
                               "folder, and import with --dataset")});
    return true;
  });
  return out;
}

namespace {

CompiledModel load_compiled_as(const std::filesystem::path& file, const Predictor& model,
                               const std::string& precision) {
  CompiledModel out = load_compiled(file);
  const CompiledInfo& info = out.info;
  if (info.model != model.name() || info.dataset != model.dataset() ||
      to_string(info.precision) != precision) {
    throw InputError(file.string(), concat(model.name(), " of ", model.dataset(), " in ", precision),
                     concat(info.model, " of ", info.dataset, " in ", to_string(info.precision)));
  }
  if (!info.made_from.empty() &&
      info.made_from != files_checksum(RunFolder(file.parent_path()), model.name())) {
    throw InputError(file.string(), concat("a plan of the ", model.name(), " beside it"),
                     "one of a model that has changed since", "compile it anew");
  }
  return out;
}

/// Adds the plan in that file, or says why not.
void add_compiled(const std::string& run, const Predictor& model, const std::string& precision,
                  Contenders& out) {
  const std::filesystem::path file =
      std::filesystem::path(run) / concat(model.name(), ".", precision, ".plan");
  if (!std::filesystem::exists(file)) return;
  CompiledModel compiled;
  try {
    compiled = load_compiled_as(file, model, precision);
  } catch (const std::exception& error) {
    out.unusable.push_back({file.filename().string(), error.what()});
    return;
  }
  const CompiledInfo& info = compiled.info;
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
    RunModels models = load_models(run, engine);
    if (out.timed.empty()) out.unusable = std::move(models.unusable);
    for (auto& predictor : models.usable) {
      const Predictor& model = *predictor;
      out.timed.push_back({std::move(predictor), engine, "fp32", 0.0, nullptr});
      if (engine == Engine::eager) continue;
      out.timed.back().reference = load_predictor(run, model.name(), {}, Engine::eager);
      for (const char* precision : {"bf16", "int8"}) add_compiled(run, model, precision, out);
    }
  }
  return out;
}

data::DatasetId dataset_id(const std::string& name) {
  const auto id = data::known_dataset(name);
  if (!id) throw InputError("the models", "a dataset that has a name of its own", name);
  return *id;
}

}  // namespace cbnet::bench
