#include "cbnet/compression.h"

#include <algorithm>
#include <map>
#include <optional>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/tape.h"
#include "cbnet/evaluate.h"
#include "cbnet/pipeline.h"
#include "cbnet/predictor.h"
#include "cbnet/stages.h"
#include "data/batches.h"
#include "data/checksum.h"
#include "models/compile.h"
#include "models/json.h"
#include "models/kinds/softmax.h"
#include "runtime/plan.h"
#include "runtime/quantize.h"
#include "runtime/reduce.h"
#include "train/fit.h"
#include "train/provenance.h"

namespace cbnet {
namespace {

using runtime::Graph;
using runtime::Kind;
using runtime::Node;
using runtime::Precision;

// Calibration reads this many images, and fewer of them where a layer makes more than a thousandth of
// kCalibrationValues numbers of an image.
constexpr std::int64_t kCalibrationImages = 1'000;
constexpr std::int64_t kCalibrationValues = 2'000'000;
constexpr std::int64_t kBatch = 256;

/// An imported network may have seen any of them: some calibrate or fine-tune it, the others judge it.
TrainingData images_for_imported(const Model& model, const std::string& file, const data::Dataset& dataset,
                                 std::uint64_t seed) {
  constexpr double kJudging = 1.0 / 12.0;
  if (model.info.dataset != "unknown" && model.info.dataset != dataset.name)
    throw InputError(file, concat("a network for ", dataset.name), concat("one for ", model.info.dataset),
                     concat("give --dataset ", model.info.dataset));
  return {dataset.train.images, dataset.train.labels, training_split(dataset.train.labels, kJudging, seed)};
}

TrainingData training_images(const Model& model, const std::string& file, const data::Dataset& dataset) {
  const std::string fingerprint = fingerprint_of(model.info, file);
  const Json json = json_or_text(fingerprint);
  const auto is = [&](const char* field, auto is_type) {
    return json.is_object() && json.contains(field) && (json[field].*is_type)();
  };
  if (!is("seed", &Json::is_number_unsigned) || !is("validation_fraction", &Json::is_number) ||
      !is("data_md5", &Json::is_string))
    throw InputError(file, "a model that says which images it was not trained on", "none of that",
                     "models of `cbnet train` do");
  const auto expected = json["data_md5"].get<std::string>();
  const std::string found = training_checksum(dataset.train);
  if (expected != found)
    throw InputError(file, concat("the training set it was trained on (md5 ", expected, ")"),
                     concat(dataset.name, " with md5 ", found),
                     "give the same --dataset and --data-dir as in training");
  return {dataset.train.images, dataset.train.labels,
          training_split(dataset.train.labels, json["validation_fraction"].get<double>(),
                         json["seed"].get<std::uint64_t>())};
}

/// This is one model of a run: what it is made of, and as a graph.
class Source {
 public:
  Source(const RunFolder& folder, const std::string& name) : name_(name) {
    files_ = files_checksum(folder, name);
    main_ = load_model(folder.model_file(name == "cbnet" ? "autoencoder" : name));
    const bool converts = name == "cbnet" || name == "autoencoder";
    if (converts && has_model(folder.path(), "classifier"))
      classifier_ = load_model(folder.model_file("classifier"));
    if (converts)
      require(classifier_.has_value(), "compile", "an autoencoder is judged by the run's classifier; ",
              folder.path().string(), " has none");
  }

  Model& main() { return main_; }
  bool imported() const { return main_.info.model == "imported"; }
  bool converts() const { return name_ == "autoencoder" || name_ == "cbnet"; }

  Graph graph() const { return name_ == "cbnet" ? cbnet_graph(main_, *classifier_) : model_graph(main_); }
  /// The names of the main network's layers begin with this in graph().
  std::string prefix() const { return name_ == "cbnet" ? "autoencoder." : ""; }

  /// Returns the fraction of images (u8) that are classified right, an autoencoder's by the classifier behind
  /// it.
  double accuracy(const Graph& graph, const Tensor& images, const std::vector<std::int64_t>& labels) const {
    const runtime::Plan plan(graph);
    runtime::Workspace workspace(plan);
    runtime::Results results =
        plan.run(std::as_const(images).data<std::uint8_t>(), images.size(0), workspace);
    std::optional<runtime::Plan> second;
    std::optional<runtime::Workspace> second_workspace;
    if (!graph.classifies) {
      second.emplace(model_graph(*classifier_));
      second_workspace.emplace(*second);
      results = second->run(results.output.data(), images.size(0), *second_workspace);
    }
    std::int64_t correct = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) correct += results.labels[i] == labels[i] ? 1 : 0;
    return static_cast<double>(correct) / static_cast<double>(labels.size());
  }

  CompiledInfo describe() const {
    CompiledInfo out;
    out.made_from = files_;
    out.model = name_;
    out.dataset = main_.info.dataset;
    out.classes = main_.info.classes;
    out.macs_by_exit = cbnet::macs_by_exit(main_.network->spec());
    out.parameter_count = main_.network->parameter_count();
    if (name_ == "cbnet") {
      out.macs_by_exit.front() += total_cost(classifier_->network->spec()).macs;
      out.parameter_count += classifier_->network->parameter_count();
    }
    return out;
  }

 private:
  std::string name_, files_;
  Model main_;
  std::optional<Model> classifier_;
};

class Compressor {
 public:
  Compressor(Source& source, const TrainingData& data, std::string dataset, const CompressionOptions& options)
      : source_(source), data_(data), dataset_(std::move(dataset)), options_(options) {}

  Graph run() {
    const Graph dense = fold(source_.graph());
    const Tensor images = data::gather(data_.images, data_.split.validation);
    const auto labels = data::gather(data_.labels, data_.split.validation).to_vector<std::int64_t>();
    CompiledInfo info = source_.describe();
    info.precision = options_.precision;
    info.sparsity = options_.sparsity;
    info.validation_images = images.size(0);
    info.may_have_trained = source_.imported();
    if (info.dataset == "unknown") info.dataset = dataset_;
    info.fp32_accuracy = source_.accuracy(dense, images, labels);
    if (options_.sparsity > 0) prune(dense);
    Graph out = fold(source_.graph());
    if (options_.precision != Precision::fp32) reduce(out);
    set_masks(out);
    info.accuracy = options_.precision == Precision::fp32 && masks_.empty()
                        ? info.fp32_accuracy
                        : source_.accuracy(out, images, labels);
    out.provenance = to_json(info);
    return out;
  }

 private:
  void say(const std::string& text) const {
    if (options_.say) options_.say(text);
  }

  // ---- pruning

  /// What is left out are zeros by now.
  void set_masks(Graph& graph) const {
    for (Node& node : graph.nodes) {
      const auto mask = masks_.find(node.name);
      if (mask != masks_.end()) node.dense.mask = mask->second;
    }
  }

  /// Chooses masks for the large layers of the main network that folding leaves as they are, and fine-tunes
  /// it.
  void prune(const Graph& dense) {
    require(options_.precision != Precision::bf16, "compile", "sparsity goes with fp32 and int8, not bf16");
    const std::string prefix = source_.prefix();
    Network& network = *source_.main().network;
    std::map<std::string, Tensor> state;
    for (auto& [name, tensor] : network.state_dict()) state[name] = tensor;
    std::vector<std::pair<runtime::BlockMask, Tensor>> layers;
    for (const Node& node : dense.nodes) {
      if (node.kind != Kind::linear || node.dense.in * node.dense.out < kMinWeights) continue;
      if (!node.name.starts_with(prefix) || state.count(node.name.substr(prefix.size()) + ".weight") == 0)
        continue;
      Tensor weight = state.at(node.name.substr(prefix.size()) + ".weight");
      const std::int64_t block_in = options_.precision == Precision::int8 ? 4 : 1;
      masks_[node.name] = runtime::block_mask(node.dense.fp32, {node.dense.out, node.dense.in, 16, block_in},
                                              options_.sparsity);
      layers.emplace_back(masks_[node.name], weight);
    }
    require(!layers.empty(), "compile", "no linear layer of at least ", kMinWeights, " weights to prune");
    fine_tune(network, layers);
  }

  void fine_tune(Network& network, std::vector<std::pair<runtime::BlockMask, Tensor>>& layers) {
    const auto mask_all = [&] {
      for (auto& [mask, weight] : layers)
        runtime::apply_mask(mask, {weight.data<float>(), static_cast<std::size_t>(weight.numel())},
                            weight.size(0), weight.size(1));
    };
    const std::unique_ptr<Network> teacher = std::make_unique<Network>(network.spec());
    teacher->load_state_dict(network.state_dict());
    teacher->eval();
    mask_all();
    Stage stage{"fine-tuning", &network, {}, {}, {}, source_.main().info.normalisation};
    stage.recipe.epochs = kFineTuningEpochs;
    stage.recipe.batch_size = kBatch;
    stage.step = [&](const data::Batch& batch, std::int64_t) {
      return StepResult{loss_of(network, *teacher, batch), {}};
    };
    stage.validate = [] { return std::map<std::string, double>(); };
    stage.after_step = mask_all;
    FitOptions fitting;
    fitting.seed = options_.seed;
    fitting.log = [&](const LogLines& lines) {
      say(concat("fine-tuning, epoch ", lines.size(), " of ", kFineTuningEpochs, ": loss ",
                 parse_json(lines.back()).at("loss").get<double>()));
    };
    fit(stage, data_, fitting);
  }

  Variable loss_of(Network& network, Network& teacher, const data::Batch& batch) const {
    const Variable pixels(batch.pixels);
    if (source_.converts()) {
      const Variable wanted = [&] {
        const NoGrad no_grad;
        return teacher.forward(pixels);
      }();
      return mse_loss(network.forward(pixels), wanted);
    }
    if (network.exit_count() > 1) return classification_step(network, batch).loss;
    const LayerSpecs& layers = network.spec().trunk;
    const auto depth = static_cast<std::int64_t>(layers.size());
    // What an imported network ends in may be probabilities, of which cross_entropy wants the logits.
    const bool normalised = layers.back().is<kinds::Softmax>() && layers.back().inputs.empty();
    return cross_entropy(network.forward_trunk(pixels, 0, normalised ? depth - 1 : depth), batch.labels);
  }

  // ---- precision

  void reduce(Graph& graph) const {
    runtime::reduce(graph, {options_.precision, kMinWeights,
                            [this](const Graph& whole, std::int32_t v) { return sampled_range(whole, v); },
                            [this](const std::string& text) { say(text); }});
  }

  runtime::QuantParams sampled_range(const Graph& graph, std::int32_t v) const {
    std::vector<std::int64_t> chosen = data_.split.train;
    Rng(options_.seed, 77).shuffle(std::span<std::int64_t>(chosen));
    const std::int64_t size = numel(value_shape(graph, v));
    const std::int64_t images_of_values =
        std::clamp(kCalibrationValues / size, std::int64_t{1}, kCalibrationImages);
    chosen.resize(std::min(chosen.size(), static_cast<std::size_t>(images_of_values)));
    const Tensor images = data::gather(data_.images, chosen);
    const runtime::Plan plan(runtime::up_to(graph, v));
    runtime::Workspace workspace(plan);
    return runtime::calibrate(
        plan.run(std::as_const(images).data<std::uint8_t>(), images.size(0), workspace).output);
  }

  Source& source_;
  const TrainingData& data_;
  std::string dataset_;
  const CompressionOptions& options_;
  std::map<std::string, runtime::BlockMask> masks_;  // by node
};

}  // namespace

std::string to_json(const CompiledInfo& info) {
  Json out{{"schema", "cbnet-plan/1"},
           {"model", info.model},
           {"dataset", info.dataset},
           {"precision", to_string(info.precision)},
           {"sparsity", info.sparsity},
           {"validation",
            {{"images", info.validation_images},
             {"may_have_trained", info.may_have_trained},
             {"accuracy", info.accuracy},
             {"fp32_accuracy", info.fp32_accuracy}}},
           {"made_from", info.made_from},
           {"macs_by_exit", info.macs_by_exit},
           {"parameters", info.parameter_count}};
  if (!info.classes.empty()) out["classes"] = info.classes;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

CompiledInfo compiled_info_from_json(const std::string& text, const std::string& source) {
  try {
    const Json json = parse_json(text, source);
    if (json.at("schema") != "cbnet-plan/1")
      throw InputError(source, "a plan of `cbnet compile` (cbnet-plan/1)", json.at("schema").dump());
    CompiledInfo out;
    out.model = json.at("model").get<std::string>();
    out.dataset = json.at("dataset").get<std::string>();
    out.classes = json.value("classes", out.classes);
    out.precision = runtime::parse_precision(json.at("precision").get<std::string>());
    out.sparsity = json.at("sparsity").get<double>();
    const Json& validation = json.at("validation");
    get_whole(validation.at("images"), out.validation_images);
    out.may_have_trained = validation.value("may_have_trained", false);
    out.accuracy = validation.at("accuracy").get<double>();
    out.fp32_accuracy = validation.at("fp32_accuracy").get<double>();
    out.made_from = json.value("made_from", "");
    get_whole(json.at("macs_by_exit"), out.macs_by_exit);
    get_whole(json.at("parameters"), out.parameter_count);
    return out;
  } catch (const Json::exception& error) {
    throw InputError(source, "what `cbnet compile` says of a plan", error.what());
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "what `cbnet compile` says of a plan", error.what());
  }
}

std::string files_checksum(const RunFolder& folder, const std::string& model) {
  if (model != "cbnet") return data::md5_file(folder.model_file(model));
  return data::md5_file(folder.model_file("autoencoder")) + data::md5_file(folder.model_file("classifier"));
}

runtime::Graph compress(const RunFolder& folder, const std::string& model, const data::Dataset& dataset,
                        const CompressionOptions& options) {
  require(options.sparsity >= 0 && options.sparsity < 1, "compile",
          "sparsity must be from 0 to below 1; got ", options.sparsity);
  const auto predictor = load_predictor(folder.path(), model);  // refuses parts that do not belong together
  require_fits(predictor->info(), dataset.train, dataset);
  Source source(folder, model);
  const std::string file = folder.model_file(model == "cbnet" ? "autoencoder" : model).string();
  const TrainingData data = source.imported()
                                ? images_for_imported(source.main(), file, dataset, options.seed)
                                : training_images(source.main(), file, dataset);
  require(!data.split.validation.empty(), "compile",
          "the run held no validation images out: nothing to judge by");
  return Compressor(source, data, dataset.name, options).run();
}

}  // namespace cbnet
