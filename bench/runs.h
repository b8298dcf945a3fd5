#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cbnet/predictor.h"
#include "console/options.h"
#include "data/dataset_id.h"

namespace cbnet::bench {

/// Returns the folders that --run names. Throws UsageError when there are none, or one twice: a mean would
/// count it double.
std::vector<std::string> run_folders(const CommandLine& line);

/// Loads all models of the run folder, in the tables' order. Unusable is also what was trained on another
/// dataset than the first of them that says on which. InputError when no model is usable.
RunModels load_models(const std::string& run, Engine engine = Engine::plan);

/// This is one model as one engine runs it, in one precision.
struct Contender {
  std::unique_ptr<Predictor> predictor;
  Engine engine = Engine::plan;
  std::string precision = "fp32";
  double sparsity = 0.0;
  /// It must agree with this before it is timed: the modules, for a plan made of them here. Null for the
  /// others.
  std::unique_ptr<Predictor> reference = nullptr;
};

/// This is a plan that is not timed, for it costs too much accuracy. Accuracies are those on the validation
/// images.
struct LeftOut {
  std::string run, model, precision;
  double accuracy = 0.0, fp32_accuracy = 0.0;
};

/// A plan's validation accuracy may be so far below f32's: 0.2 points.
inline constexpr double kAdmissibleLoss = 0.002;

struct Contenders {
  std::vector<Contender> timed;
  std::vector<LeftOut> left_out;
  std::vector<UnusableModel> unusable;  // models and plans, each once
};

/// Lists all models of the run folder, engine by engine. A plan is followed by those that `cbnet compile`
/// wrote beside it as <model>.bf16.plan and <model>.int8.plan; one of another model, dataset or precision, or
/// of a model that has changed since, is unusable. Throws as load_models.
Contenders load_contenders(const std::string& run, const std::vector<Engine>& engines);

/// Returns the dataset that a model names as its own; "kmnist-first7011" is KMNIST. Throws InputError for a
/// name that no dataset has.
data::DatasetId dataset_id(const std::string& name);

}  // namespace cbnet::bench
