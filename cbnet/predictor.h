#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint.h"

namespace cbnet {

/// A trained model says this about N images.
struct Predictions {
  std::vector<std::int64_t>
      labels;                   // empty for the autoencoder alone; -1: no answer, the logits are not finite
  Tensor probabilities;         // f32 (N, classes), of the exit that each image took
  std::vector<double> entropy;  // nats, of the first exit's probabilities
  std::vector<std::int64_t> exit;  // 0 is the first exit
  Tensor converted;                // f32 (N, C, H, W); only the autoencoder and CBNet make one
};

/// These facts describe the model behind a predictor.
struct PredictorInfo {
  /// It is "lenet", "branchynet", "autoencoder", "classifier", "cbnet", or that of another model's file.
  std::string name;
  std::string dataset;               // what the model was trained on
  std::vector<std::string> classes;  // by label
  Shape input;                       // of one image: (C,H,W)
  /// These are the multiply-adds of an image that leaves at exit 0, 1, …
  std::vector<std::int64_t> macs_by_exit;
  std::int64_t parameter_count = 0;
};
/// Describes a model, which is called `name` in its run.
PredictorInfo info_of(const Model& model, const std::string& name);

/// Returns the names by label of what a model was trained on: `classes`, or those of the dataset of that
/// name, or numbers.
std::vector<std::string> class_names_of(const std::vector<std::string>& classes, const std::string& dataset,
                                        std::int64_t count);

/// A predictor is a trained model behind one call, pixels in and labels out, as `eval`, `predict` and the
/// bench see it. For one thread at a time: several have a predictor each.
class Predictor {
 public:
  explicit Predictor(PredictorInfo info) : info_(std::move(info)) {}
  virtual ~Predictor() = default;

  /// Takes images u8 (N, C, H, W) of info().input, any N >= 1.
  virtual Predictions predict(const Tensor& images) = 0;
  /// Does the same work, pixels in and labels out, without handing the answer over: what is timed.
  virtual void run(const Tensor& images) { static_cast<void>(predict(images)); }

  const PredictorInfo& info() const { return info_; }
  const std::string& name() const { return info_.name; }
  const std::string& dataset() const { return info_.dataset; }
  const std::vector<std::int64_t>& macs_by_exit() const { return info_.macs_by_exit; }
  std::int64_t parameter_count() const { return info_.parameter_count; }
  /// Returns the bytes of the weights as they are kept.
  virtual std::int64_t weight_bytes() const { return 4 * parameter_count(); }

 private:
  PredictorInfo info_;
};

/// An engine runs a model: the plan of runtime/, or the modules that trained it.
enum class Engine { plan, eager };
const char* to_string(Engine engine);

/// These are the paper's models in the order in which tables list them.
std::vector<std::string> model_names();

/// Lists the models that a run folder has: the paper's, then the others (*.safetensors) by name.
std::vector<std::string> models_in(const std::filesystem::path& run);

/// Loads `name` from a run folder: one of the paper's models, or <name>.safetensors as `cbnet train` or
/// `cbnet import` wrote it. `thresholds` are for its side exits, one for all or one each; empty: the stored
/// ones. Without an engine it is the plan; the modules where the reference computes, and on a GPU for a
/// network with a layer that its plans lack. Throws std::invalid_argument for an unknown name and for
/// thresholds where there is no side exit, InputError for missing or damaged files and for a network that is
/// none of pictures.
std::unique_ptr<Predictor> load_predictor(const std::filesystem::path& run, const std::string& name,
                                          const std::vector<double>& thresholds = {},
                                          std::optional<Engine> engine = std::nullopt);

/// Runs the modules of a run's model on u8 images (N,C,H,W), for another program to be held against:
/// "exits.0", "exits.1", …, f32 (N, classes), the output of every exit for every image, and before them,
/// where there is an autoencoder, "converted" f32 (N,C,H,W), what it makes. Throws as load_predictor.
StateDict outputs_of_modules(const std::filesystem::path& run, const std::string& name, const Tensor& images);

/// Throws InputError, naming `source`, unless a model can be one of a run's others: (C,H,W) pixels of one or
/// three channels in, a number a class out, a threshold for each side exit, and layers that the inference
/// engine has.
void require_usable(const Model& model, const std::string& source);

/// This is a file in a run folder that is no model of it, and why.
struct UnusableModel {
  std::string name, reason;
};
struct RunModels {
  std::vector<std::unique_ptr<Predictor>> usable;
  std::vector<UnusableModel> unusable;
};
/// Loads all models of a run folder; one that cannot be loaded stops no other. `thresholds` are for those
/// with side exits. Throws InputError where there are models and none can be loaded.
RunModels load_run(const std::filesystem::path& run, const std::vector<double>& thresholds = {},
                   std::optional<Engine> engine = std::nullopt);

/// Tells whether the run folder has the files of model `name`.
bool has_model(const std::filesystem::path& run, const std::string& name);

}  // namespace cbnet
