#include "cbnet/predictor.h"

#include <algorithm>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/softmax_entropy.h"
#include "autograd/tape.h"
#include "cbnet/argmax.h"
#include "cbnet/conversion.h"
#include "cbnet/plan_predictor.h"
#include "cbnet/provenance.h"
#include "cbnet/run_folder.h"
#include "data/batches.h"
#include "data/dataset_id.h"
#include "models/compile.h"
#include "models/kinds/softmax.h"

namespace cbnet {
namespace {

/// Fills labels, probabilities, entropy and exit for one network without early exit. What an imported network
/// ends in may be probabilities already; ours end in logits.
void classify(Network& network, const Variable& pixels, Predictions& out) {
  Variable logits = network.forward(pixels);
  const LayerSpecs& layers = network.spec().trunk;
  if (!layers.empty() && layers.back().is<kinds::Softmax>()) logits = log(logits);
  out.probabilities = softmax(logits, -1).value();
  out.labels = argmax_rows(logits.value());
  out.entropy = softmax_entropy(logits).value().to_vector<double>();
  out.exit.assign(out.labels.size(), 0);
}

/// Returns what the model's network reads of u8 images (N,C,H,W): f32, normalised as it was trained.
Tensor input_of(const Model& model, const Tensor& images) {
  return normalised(data::to_float(images), model.info.normalisation);
}

class PlainPredictor : public Predictor {
 public:
  PlainPredictor(Model model, const std::string& name)
      : Predictor(info_of(model, name)), model_(std::move(model)) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    Predictions out;
    classify(*model_.network, Variable(input_of(model_, images)), out);
    return out;
  }

 private:
  Model model_;
};

class AutoencoderPredictor : public Predictor {
 public:
  explicit AutoencoderPredictor(Model model)
      : Predictor(info_of(model, "autoencoder")), model_(std::move(model)) {}

  Predictions predict(const Tensor& images) override {
    Predictions out;
    out.converted = convert(*model_.network, input_of(model_, images), model_.info.rescale);
    return out;
  }

 private:
  Model model_;
};

class BranchyPredictor : public Predictor {
 public:
  explicit BranchyPredictor(Model model)
      : Predictor(info_of(model, "branchynet")),
        model_(std::move(model)),
        threshold_(model_.info.thresholds.front()) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    Network& network = *model_.network;
    const std::int64_t after = network.spec().exits.front().after;
    const auto end = static_cast<std::int64_t>(network.spec().trunk.size());
    const Variable shared = network.forward_trunk(Variable(input_of(model_, images)), 0, after);
    const Variable early = network.forward_branch(0, shared);

    Predictions out;
    out.probabilities = softmax(early, -1).value();
    out.labels = argmax_rows(early.value());
    out.entropy = softmax_entropy(early).value().to_vector<double>();
    std::vector<std::int64_t> hard;
    for (std::size_t i = 0; i < out.entropy.size(); ++i) {
      const bool leaves = out.entropy[i] < threshold_;
      out.exit.push_back(leaves ? 0 : 1);
      if (!leaves) hard.push_back(static_cast<std::int64_t>(i));
    }
    if (hard.empty()) return out;

    // Only the hard images go on: the batch is compacted to them.
    const auto count = static_cast<std::int64_t>(hard.size());
    Tensor rest = shared.value();
    if (count < rest.size(0)) {
      Shape shape = rest.shape();
      shape[0] = count;
      rest = Tensor::empty(shape, rest.dtype());
      for (std::int64_t i = 0; i < count; ++i) {
        rest.select(0, i).copy_from(shared.value().select(0, hard[static_cast<std::size_t>(i)]));
      }
    }
    const Variable logits = network.forward_trunk(Variable(rest), after, end);
    const Tensor probabilities = softmax(logits, -1).value();
    const std::vector<std::int64_t> labels = argmax_rows(logits.value());
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t image = hard[static_cast<std::size_t>(i)];
      out.probabilities.select(0, image).copy_from(probabilities.select(0, i));
      out.labels[static_cast<std::size_t>(image)] = labels[static_cast<std::size_t>(i)];
    }
    return out;
  }

 private:
  Model model_;
  double threshold_;
};

PredictorInfo info_of_cbnet(const Model& autoencoder, const Model& classifier) {
  PredictorInfo out = info_of(classifier, "cbnet");
  out.dataset = autoencoder.info.dataset;
  out.input = autoencoder.network->spec().input;
  out.macs_by_exit.front() += total_cost(autoencoder.network->spec()).macs;
  out.parameter_count += autoencoder.network->parameter_count();
  return out;
}

class CbnetPredictor : public Predictor {
 public:
  CbnetPredictor(Model autoencoder, Model classifier)
      : Predictor(info_of_cbnet(autoencoder, classifier)),
        autoencoder_(std::move(autoencoder)),
        classifier_(std::move(classifier)) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    Predictions out;
    out.converted = convert(*autoencoder_.network, input_of(autoencoder_, images), autoencoder_.info.rescale);
    classify(*classifier_.network, Variable(normalised(out.converted, classifier_.info.normalisation)), out);
    return out;
  }

 private:
  Model autoencoder_;
  Model classifier_;
};

Model load_kind(const std::filesystem::path& file, const std::string& kind) {
  Model model = load_model(file);
  if (model.info.model != kind)
    throw InputError(file.string(), concat("a model of kind ", kind), model.info.model);
  return model;
}

}  // namespace

std::vector<std::string> class_names_of(const std::vector<std::string>& classes, const std::string& dataset,
                                        std::int64_t count) {
  std::vector<std::string> out = classes;
  if (const auto id = data::known_dataset(dataset); id && out.empty()) out = data::class_names(*id);
  for (auto i = static_cast<std::int64_t>(out.size()); i < count; ++i) out.push_back(std::to_string(i));
  return out;
}

PredictorInfo info_of(const Model& model, const std::string& name) {
  const NetworkSpec& spec = model.network->spec();
  const Shape made = trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size()));
  const std::int64_t classes = model.info.model == "autoencoder" || made.empty() ? 0 : made.back();
  return {name,       model.info.dataset, class_names_of(model.info.classes, model.info.dataset, classes),
          spec.input, macs_by_exit(spec), model.network->parameter_count()};
}

const char* to_string(Engine engine) { return engine == Engine::plan ? "plan" : "eager"; }

Engine default_engine() { return default_device() == Device::cpu ? Engine::plan : Engine::eager; }

std::vector<std::string> model_names() {
  return {"lenet", "branchynet", "autoencoder", "classifier", "cbnet"};
}

bool has_model(const std::filesystem::path& run, const std::string& name) {
  const RunFolder folder(run);
  if (name != "cbnet") return std::filesystem::exists(folder.model_file(name));
  return std::filesystem::exists(folder.cbnet_file()) && has_model(run, "autoencoder") &&
         has_model(run, "classifier");
}

namespace {

std::unique_ptr<Predictor> planned(const Model& model, const std::string& name) {
  return make_plan_predictor({info_of(model, name), runtime::Plan(model_graph(model)), std::nullopt});
}

std::unique_ptr<Predictor> planned_cbnet(const Model& autoencoder, const Model& classifier) {
  return make_plan_predictor({info_of_cbnet(autoencoder, classifier),
                              runtime::Plan(cbnet_graph(autoencoder, classifier)),
                              runtime::Plan(model_graph(autoencoder))});
}

/// An autoencoder's easy images are those of one BranchyNet, and only its branch reads them.
std::unique_ptr<Predictor> load_cbnet(const std::filesystem::path& run, Engine engine) {
  const CbnetParts parts = RunFolder(run).read_cbnet();
  Model autoencoder = load_kind(run / parts.autoencoder, "autoencoder");
  Model classifier = load_kind(run / parts.classifier, "classifier");
  const std::string file = (run / parts.classifier).string();
  const std::string expected =
      branchynet_fingerprint(fingerprint_of(autoencoder.info, (run / parts.autoencoder).string()));
  const std::string found = fingerprint_of(classifier.info, file);
  if (expected != found) {
    const Difference differs = first_difference(expected, found);
    throw InputError(
        file, concat("the classifier that ", parts.autoencoder, " was trained for (", differs.expected, ")"),
        differs.found, "`cbnet train --model cbnet --resume` writes it anew");
  }
  if (engine == Engine::plan) return planned_cbnet(autoencoder, classifier);
  return std::make_unique<CbnetPredictor>(std::move(autoencoder), std::move(classifier));
}

std::unique_ptr<Predictor> load_imported(const std::filesystem::path& run, const std::string& name,
                                         Engine engine) {
  const std::filesystem::path file = RunFolder(run).model_file(name);
  require(std::filesystem::path(name).filename() == name && std::filesystem::exists(file), "model",
          "expected lenet, branchynet, autoencoder, classifier, cbnet or an imported model of ", run.string(),
          "; got '", name, "'");
  Model model = load_kind(file, "imported");
  require_usable(model, file.string());
  if (engine == Engine::plan) return planned(model, name);
  return std::make_unique<PlainPredictor>(std::move(model), name);
}

}  // namespace

std::vector<std::string> models_in(const std::filesystem::path& run) {
  RunFolder(run).require_exists();
  std::vector<std::string> present, imported;
  const std::vector<std::string> known = model_names();
  for (const std::string& name : known) {
    if (has_model(run, name)) present.push_back(name);
  }
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    const std::filesystem::path& file = entry.path();
    const std::string name = file.stem().string();
    const bool of_training =
        name.ends_with(".state") || std::find(known.begin(), known.end(), name) != known.end();
    if (file.extension() == ".safetensors" && !of_training) imported.push_back(name);
  }
  std::sort(imported.begin(), imported.end());
  present.insert(present.end(), imported.begin(), imported.end());
  return present;
}

void require_usable(const Model& model, const std::string& source) {
  const NetworkSpec& spec = model.network->spec();
  const Shape made = trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size()));
  const bool of_pictures = spec.input.size() == 3 && (spec.input[0] == 1 || spec.input[0] == 3);
  if (!of_pictures || made.size() != 1 || made[0] > 256 || !spec.exits.empty()) {
    throw InputError(source,
                     "a network from the pixels of grey or colour pictures, (1,H,W) or (3,H,W), to classes",
                     concat("one from ", spec.input, " to ", made));
  }
  try {
    static_cast<void>(runtime::Plan(model_graph(model)));
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "a network that the inference engine can run", error.what());
  }
}

RunModels load_run(const std::filesystem::path& run, double threshold, Engine engine) {
  RunModels out;
  for (const std::string& name : models_in(run)) {
    try {
      out.usable.push_back(load_predictor(run, name, name == "branchynet" ? threshold : -1.0, engine));
    } catch (const std::exception& error) {
      out.unusable.push_back({name, error.what()});
    }
  }
  if (out.usable.empty() && !out.unusable.empty()) throw InputError(out.unusable.front().reason);
  return out;
}

std::unique_ptr<Predictor> load_predictor(const std::filesystem::path& run, const std::string& name,
                                          double threshold, Engine engine) {
  require(threshold < 0 || name == "branchynet", "model", "only branchynet has a threshold; got one for ",
          name);
  const RunFolder folder(run);
  folder.require_exists();
  const std::vector<std::string> names = model_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) return load_imported(run, name, engine);
  if (name == "cbnet") return load_cbnet(run, engine);
  Model model = load_kind(folder.model_file(name), name);
  if (name == "branchynet") {
    if (model.network->exit_count() != 2 || model.info.thresholds.size() != 1) {
      throw InputError(folder.model_file(name).string(), "one side exit and its threshold",
                       concat(model.network->exit_count() - 1, " and ", model.info.thresholds.size()));
    }
    if (threshold >= 0) model.info.thresholds.front() = threshold;
  }
  if (engine == Engine::plan) return planned(model, name);
  if (name == "autoencoder") return std::make_unique<AutoencoderPredictor>(std::move(model));
  if (name == "branchynet") return std::make_unique<BranchyPredictor>(std::move(model));
  return std::make_unique<PlainPredictor>(std::move(model), name);
}

}  // namespace cbnet
