#include "cbnet/predictor.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "autograd/ops/index_select.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/softmax_entropy.h"
#include "autograd/tape.h"
#include "cbnet/conversion.h"
#include "cbnet/device_predictor.h"
#include "cbnet/exit_rule.h"
#include "cbnet/plan_predictor.h"
#include "cbnet/run_folder.h"
#include "data/batches.h"
#include "data/dataset_id.h"
#include "data/split.h"
#include "models/compile.h"
#include "models/kinds/softmax.h"
#include "runtime/device_plan.h"
#include "train/metrics.h"
#include "train/provenance.h"

namespace cbnet {
namespace {

/// Returns what the model's network reads of u8 images (N,C,H,W): f32, normalised as it was trained.
Tensor input_of(const Model& model, const Tensor& images) {
  return normalised(data::to_float(images), model.info.normalisation);
}

/// Runs a classifier on what it reads. Images that no side exit lets go are compacted to a smaller batch
/// behind it. What an imported network ends in may be probabilities already; ours end in logits.
class Cascade {
 public:
  Cascade(const Model& model, const Tensor& pixels) : model_(model), at_(model.network->input(pixels)) {}

  Predictions run() {
    const NetworkSpec& spec = model_.network->spec();
    rows_.resize(static_cast<std::size_t>(at_.value().size(0)));
    std::iota(rows_.begin(), rows_.end(), 0);
    std::int64_t done = 0;
    for (std::size_t e = 0; e < spec.exits.size() && !rows_.empty(); ++e) {
      at_ = model_.network->forward_trunk(at_, done, spec.exits[e].after);
      done = spec.exits[e].after;
      leave(model_.network->forward_branch(e, at_), e, model_.info.thresholds.at(e));
    }
    if (rows_.empty()) return std::move(out_);
    const auto end = static_cast<std::int64_t>(spec.trunk.size());
    Variable logits = model_.network->forward_trunk(at_, done, end);
    if (!spec.trunk.empty() && spec.trunk.back().is<kinds::Softmax>()) logits = log(logits);
    leave(logits, spec.exits.size(), std::numeric_limits<double>::infinity());
    return std::move(out_);
  }

 private:
  /// Answers the images that are left, and keeps those whose entropy is not below the threshold. At the end
  /// there is nowhere to go on to.
  void leave(const Variable& logits, std::size_t exit, double threshold) {
    const Tensor probabilities = softmax(logits, -1).value().to(Device::cpu);
    const std::vector<std::int64_t> labels = argmax_rows(logits.value());
    const auto entropy = softmax_entropy(logits).value().to_vector<double>();
    const bool all = exit == 0;
    if (all) out_.entropy = entropy;
    if (all) out_.probabilities = probabilities;
    out_.labels.resize(out_.entropy.size());
    out_.exit.resize(out_.entropy.size());
    std::vector<std::int64_t> staying, rows;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto row = static_cast<std::size_t>(rows_[i]);
      out_.labels[row] = labels[i];
      out_.exit[row] = static_cast<std::int64_t>(exit);
      if (!all) {
        out_.probabilities.select(0, rows_[i])
            .copy_from(probabilities.select(0, static_cast<std::int64_t>(i)));
      }
      if (entropy[i] < threshold) continue;
      staying.push_back(static_cast<std::int64_t>(i));
      rows.push_back(rows_[i]);
    }
    if (exit == model_.network->spec().exits.size()) return;
    if (staying.size() < labels.size() && !staying.empty())
      at_ = index_select(at_, 0, Tensor::from(staying, {static_cast<std::int64_t>(staying.size())}));
    rows_ = std::move(rows);
  }

  const Model& model_;
  Variable at_;
  std::vector<std::int64_t> rows_;  // of the images that have not left
  Predictions out_;
};

/// Runs the modules of a classifier with any number of exits.
class EagerClassifier : public Predictor {
 public:
  EagerClassifier(Model model, const std::string& name)
      : Predictor(info_of(model, name)), model_(std::move(model)) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    return Cascade(model_, input_of(model_, images)).run();
  }

 private:
  Model model_;
};

PredictorInfo info_of_cbnet(const Model& autoencoder, const Model& classifier) {
  PredictorInfo out = info_of(classifier, "cbnet");
  out.dataset = autoencoder.info.dataset;
  out.input = autoencoder.network->spec().input;
  out.macs_by_exit.front() += total_cost(autoencoder.network->spec()).macs;
  out.parameter_count += autoencoder.network->parameter_count();
  return out;
}

/// Runs the modules of an autoencoder, and of the classifier behind it where there is one.
class EagerConverter : public Predictor {
 public:
  EagerConverter(Model autoencoder, std::optional<Model> classifier)
      : Predictor(classifier ? info_of_cbnet(autoencoder, *classifier) : info_of(autoencoder, "autoencoder")),
        autoencoder_(std::move(autoencoder)),
        classifier_(std::move(classifier)) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    const Tensor converted =
        convert(*autoencoder_.network, input_of(autoencoder_, images), autoencoder_.info.rescale);
    Predictions out;
    if (classifier_)
      out = Cascade(*classifier_, normalised(converted, classifier_->info.normalisation)).run();
    out.converted = converted;
    return out;
  }

 private:
  Model autoencoder_;
  std::optional<Model> classifier_;
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

void require_plan_device() {
  require(compute_device() != Device::reference, "plan",
          "expected the device cpu or cuda; got reference, which has ",
          "no plans; hint: --engine eager, where there is that option, or --device cpu");
}

/// Tells whether the device that computes has plans, and one of this network.
bool has_plans(const runtime::Graph& graph) {
  if (compute_device() == Device::cuda) return runtime::device_computes(graph);
  return compute_device() == Device::cpu;
}

std::unique_ptr<Predictor> planned(const Model& model, const std::string& name) {
  require_plan_device();
  const runtime::Graph graph = model_graph(model);
  if (compute_device() == Device::cuda) return make_device_predictor(info_of(model, name), graph);
  return make_plan_predictor({info_of(model, name), runtime::Plan(graph), std::nullopt});
}

std::unique_ptr<Predictor> planned_cbnet(const Model& autoencoder, const Model& classifier) {
  require_plan_device();
  const PredictorInfo info = info_of_cbnet(autoencoder, classifier);
  const runtime::Graph graph = cbnet_graph(autoencoder, classifier), converter = model_graph(autoencoder);
  if (compute_device() == Device::cuda) return make_device_predictor(info, graph, converter);
  return make_plan_predictor({info, runtime::Plan(graph), runtime::Plan(converter)});
}

/// A name of a run stands for one of these, or for CBNet both.
struct LoadedModels {
  std::optional<Model> autoencoder, classifier;
};

/// An autoencoder's easy images are those of one BranchyNet, and only its branch reads them.
LoadedModels load_cbnet(const std::filesystem::path& run) {
  const CbnetParts parts = RunFolder(run).read_cbnet();
  Model autoencoder = load_kind(run / parts.autoencoder, "autoencoder");
  Model classifier = load_kind(run / parts.classifier, "classifier");
  const std::string file = (run / parts.classifier).string();
  const std::string expected =
      parent_fingerprint(fingerprint_of(autoencoder.info, (run / parts.autoencoder).string()));
  const std::string found = fingerprint_of(classifier.info, file);
  if (expected != found) {
    const Difference differs = first_difference(expected, found);
    throw InputError(
        file, concat("the classifier that ", parts.autoencoder, " was trained for (", differs.expected, ")"),
        differs.found, "`cbnet train --resume`, as it was trained, writes it anew");
  }
  return {std::move(autoencoder), std::move(classifier)};
}

/// Loads a network that is none of the paper's: imported, or trained by its own name.
Model load_other(const std::filesystem::path& run, const std::string& name) {
  const std::filesystem::path file = RunFolder(run).model_file(name);
  require(std::filesystem::path(name).filename() == name && std::filesystem::exists(file), "model",
          "expected lenet, branchynet, autoencoder, classifier, cbnet or another model of ", run.string(),
          "; got '", name, "'");
  Model model = load_model(file);
  if (model.info.model != "imported" && model.info.model != name)
    throw InputError(file.string(), concat("a model of kind ", name, ", or an imported one"),
                     model.info.model);
  require_usable(model, file.string());
  return model;
}

bool is_of_the_paper(const std::string& name) {
  const std::vector<std::string> names = model_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::vector<std::string> models_in(const std::filesystem::path& run) {
  RunFolder(run).require_exists();
  std::vector<std::string> present, imported;
  for (const std::string& name : model_names()) {
    if (has_model(run, name)) present.push_back(name);
  }
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    const std::filesystem::path& file = entry.path();
    const std::string name = file.stem().string();
    const bool of_training = name.ends_with(".state") || is_of_the_paper(name);
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
  if (!of_pictures || made.size() != 1 || made[0] > 256 ||
      model.info.thresholds.size() != spec.exits.size()) {
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

RunModels load_run(const std::filesystem::path& run, const std::vector<double>& thresholds,
                   std::optional<Engine> engine) {
  RunModels out;
  for (const std::string& name : models_in(run)) {
    try {
      auto model = load_predictor(run, name, {}, engine);
      if (!thresholds.empty() && model->macs_by_exit().size() > 1)
        model = load_predictor(run, name, thresholds, engine);
      out.usable.push_back(std::move(model));
    } catch (const std::exception& error) {
      out.unusable.push_back({name, error.what()});
    }
  }
  if (out.usable.empty() && !out.unusable.empty()) throw InputError(out.unusable.front().reason);
  return out;
}

namespace {

LoadedModels load_models(const std::filesystem::path& run, const std::string& name) {
  const RunFolder folder(run);
  folder.require_exists();
  if (name == "cbnet") return load_cbnet(run);
  Model model = is_of_the_paper(name) ? load_kind(folder.model_file(name), name) : load_other(run, name);
  const std::size_t exits = model.network->spec().exits.size();
  if (model.info.thresholds.size() != exits || exits != (name == "branchynet" ? 1 : exits)) {
    throw InputError(folder.model_file(name).string(), "one side exit and its threshold",
                     concat(exits, " and ", model.info.thresholds.size()));
  }
  if (name == "autoencoder") return {std::move(model), std::nullopt};
  return {std::nullopt, std::move(model)};
}

}  // namespace

std::unique_ptr<Predictor> load_predictor(const std::filesystem::path& run, const std::string& name,
                                          const std::vector<double>& thresholds,
                                          std::optional<Engine> engine) {
  auto [autoencoder, classifier] = load_models(run, name);
  const std::size_t exits = autoencoder ? 0 : classifier->network->spec().exits.size();
  if (exits == 0)
    require(thresholds.empty(), "model", "only a model with side exits has thresholds; got one for ", name);
  else if (!thresholds.empty())
    classifier->info.thresholds = thresholds_for(thresholds, exits);
  const bool plans =
      engine ? *engine == Engine::plan
             : has_plans(autoencoder && classifier ? cbnet_graph(*autoencoder, *classifier)
                                                   : model_graph(autoencoder ? *autoencoder : *classifier));
  if (!autoencoder) {
    if (plans) return planned(*classifier, name);
    return std::make_unique<EagerClassifier>(std::move(*classifier), name);
  }
  if (plans) return classifier ? planned_cbnet(*autoencoder, *classifier) : planned(*autoencoder, name);
  return std::make_unique<EagerConverter>(std::move(*autoencoder), std::move(classifier));
}

StateDict outputs_of_modules(const std::filesystem::path& run, const std::string& name,
                             const Tensor& images) {
  const NoGrad no_grad;
  const auto [autoencoder, classifier] = load_models(run, name);
  StateDict out;
  Tensor pixels = data::to_float(images);
  if (autoencoder) {
    pixels = convert(*autoencoder->network, input_of(*autoencoder, images), autoencoder->info.rescale);
    out.emplace_back("converted", pixels.to(Device::cpu));
  }
  if (!classifier) return out;
  const Variable input = classifier->network->input(normalised(pixels, classifier->info.normalisation));
  for (const Variable& output : classifier->network->forward_exits(input))
    out.emplace_back(concat("exits.", out.size() - (autoencoder ? 1 : 0)), output.value().to(Device::cpu));
  return out;
}

}  // namespace cbnet
