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

std::vector<std::unique_ptr<Predictor>> load_models(const std::string& run) {
  std::vector<std::unique_ptr<Predictor>> predictors;
  for (const std::string& name : models_in(run)) {
    predictors.push_back(load_predictor(run, name));
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

data::DatasetId dataset_id(const std::string& name) {
  return data::parse_dataset_id(name == "kmnist-first7011" ? "kmnist" : name);
}

}  // namespace cbnet::bench
