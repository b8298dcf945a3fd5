#include "bench/runs.h"

#include "cbnet/run_folder.h"
#include "tensor/error.h"

namespace cbnet::bench {

std::vector<std::unique_ptr<Predictor>> load_models(const std::string& run) {
  RunFolder(run).require_exists();
  std::vector<std::unique_ptr<Predictor>> predictors;
  for (const std::string& name : model_names()) {
    if (!has_model(run, name)) continue;
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
  return predictors;
}

data::DatasetId dataset_id(const std::string& name) {
  return data::parse_dataset_id(name == "kmnist-first7011" ? "kmnist" : name);
}

}  // namespace cbnet::bench
