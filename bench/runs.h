#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cbnet/predictor.h"
#include "console/options.h"
#include "data/dataset_id.h"

namespace cbnet::bench {

/// The folders that --run names. UsageError when there are none, or one twice: a mean would count it double.
std::vector<std::string> run_folders(const CommandLine& line);

/// All models that the run folder has, in the tables' order. InputError when it has none, or models of
/// several datasets.
std::vector<std::unique_ptr<Predictor>> load_models(const std::string& run, Engine engine = Engine::plan);

/// One model as one engine runs it, in one precision.
struct Contender {
  std::unique_ptr<Predictor> predictor;
  Engine engine = Engine::plan;
  std::string precision = "fp32";
  /// What it must agree with before it is timed: the modules, for a plan in f32. Null where there is no such thing.
  std::unique_ptr<Predictor> reference;
};

/// A compiled plan file as its maker describes it. Accuracies are those on the validation images.
struct CompiledPlan {
  std::unique_ptr<Predictor> predictor;
  std::string precision;
  std::optional<double> accuracy, fp32_accuracy;
};
using PlanLoader = std::function<CompiledPlan(const std::filesystem::path&)>;

/// A plan that is not timed, for it costs too much accuracy.
struct LeftOut {
  std::string run, model, precision;
  std::optional<double> accuracy, fp32_accuracy;  // on the validation images
};

/// How far below f32's a reduced precision's validation accuracy may be to be timed: 0.2 points.
inline constexpr double kAdmissibleLoss = 0.002;

struct Contenders {
  std::vector<Contender> timed;
  std::vector<LeftOut> left_out;
};

/// All models of the run folder, by engine. A plan is followed by those that lie beside it as
/// <model>.<precision>.plan, precision bf16 or int8, which `load_plan` reads; without one they are not looked for.
/// Throws as load_models, and InputError for a plan file of another model or precision than its name says.
Contenders load_contenders(const std::string& run, const std::vector<Engine>& engines, const PlanLoader& load_plan);

/// Of the name that a model carries; "kmnist-first7011" is KMNIST.
data::DatasetId dataset_id(const std::string& name);

}  // namespace cbnet::bench
