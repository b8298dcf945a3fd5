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
#include "models/compile.h"

namespace cbnet {
namespace {

const Shape kPixels = {1, 28, 28};
constexpr std::int64_t kClasses = 10;

/// Fills labels, probabilities, entropy and exit for one network without early exit. What an imported network
/// ends in may be probabilities already; ours end in logits.
void classify(Network& network, const Variable& pixels, Predictions& out) {
  Variable logits = network.forward(pixels);
  const LayerSpecs& layers = network.spec().trunk;
  if (!layers.empty() && layers.back().kind == LayerKind::softmax) logits = log(logits);
  out.probabilities = softmax(logits, -1).value();
  out.labels = argmax_rows(logits.value());
  out.entropy = softmax_entropy(logits).value().to_vector<double>();
  out.exit.assign(out.labels.size(), 0);
}

class PlainPredictor : public Predictor {
 public:
  PlainPredictor(Model model, std::string name) : model_(std::move(model)), name_(std::move(name)) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    Predictions out;
    classify(*model_.network, Variable(data::to_float(images)), out);
    return out;
  }
  std::string name() const override { return name_; }
  std::string dataset() const override { return model_.info.dataset; }
  std::vector<std::int64_t> macs_by_exit() const override {
    return cbnet::macs_by_exit(model_.network->spec());
  }
  std::int64_t parameter_count() const override { return model_.network->parameter_count(); }

 private:
  Model model_;
  std::string name_;
};

class AutoencoderPredictor : public Predictor {
 public:
  explicit AutoencoderPredictor(Model model) : model_(std::move(model)) {}

  Predictions predict(const Tensor& images) override {
    Predictions out;
    out.converted = convert(*model_.network, data::to_float(images), model_.info.rescale);
    return out;
  }
  std::string name() const override { return "autoencoder"; }
  std::string dataset() const override { return model_.info.dataset; }
  std::vector<std::int64_t> macs_by_exit() const override {
    return cbnet::macs_by_exit(model_.network->spec());
  }
  std::int64_t parameter_count() const override { return model_.network->parameter_count(); }

 private:
  Model model_;
};

class BranchyPredictor : public Predictor {
 public:
  explicit BranchyPredictor(Model model)
      : model_(std::move(model)), threshold_(model_.info.thresholds.front()) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    Network& network = *model_.network;
    const std::int64_t after = network.spec().exits.front().after;
    const auto end = static_cast<std::int64_t>(network.spec().trunk.size());
    const Variable shared = network.forward_trunk(Variable(data::to_float(images)), 0, after);
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
  std::string name() const override { return "branchynet"; }
  std::string dataset() const override { return model_.info.dataset; }
  std::vector<std::int64_t> macs_by_exit() const override {
    return cbnet::macs_by_exit(model_.network->spec());
  }
  std::int64_t parameter_count() const override { return model_.network->parameter_count(); }

 private:
  Model model_;
  double threshold_;
};

class CbnetPredictor : public Predictor {
 public:
  CbnetPredictor(Model autoencoder, Model classifier)
      : autoencoder_(std::move(autoencoder)), classifier_(std::move(classifier)) {}

  Predictions predict(const Tensor& images) override {
    const NoGrad no_grad;
    Predictions out;
    out.converted = convert(*autoencoder_.network, data::to_float(images), autoencoder_.info.rescale);
    classify(*classifier_.network, Variable(out.converted), out);
    return out;
  }
  std::string name() const override { return "cbnet"; }
  std::string dataset() const override { return autoencoder_.info.dataset; }
  std::vector<std::int64_t> macs_by_exit() const override {
    return {total_cost(autoencoder_.network->spec()).macs + total_cost(classifier_.network->spec()).macs};
  }
  std::int64_t parameter_count() const override {
    return autoencoder_.network->parameter_count() + classifier_.network->parameter_count();
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
  const Network& network = *model.network;
  return make_plan_predictor({name, model.info.dataset, runtime::Plan(model_graph(model)),
                              cbnet::macs_by_exit(network.spec()), network.parameter_count(), std::nullopt});
}

std::unique_ptr<Predictor> planned_cbnet(const Model& autoencoder, const Model& classifier) {
  const Network& first = *autoencoder.network;
  const Network& second = *classifier.network;
  const double rescale = autoencoder.info.rescale;
  return make_plan_predictor({"cbnet",
                              autoencoder.info.dataset,
                              runtime::Plan(cbnet_graph(first, rescale, second)),
                              {total_cost(first.spec()).macs + total_cost(second.spec()).macs},
                              first.parameter_count() + second.parameter_count(),
                              runtime::Plan(autoencoder_graph(first, rescale))});
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
  if (spec.input != kPixels || made != Shape{kClasses} || !spec.exits.empty()) {
    throw InputError(
        source, concat("a network from ", kPixels, " pixels to ", kClasses, " classes"),
        concat("one from ", spec.input, " to ", made),
        "the datasets are of 28x28 pixels and 10 classes; another network cannot be used with them");
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
