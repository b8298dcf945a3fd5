#include "cbnet/pipeline.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "cbnet/converting_encoder.h"
#include "cbnet/requirements.h"
#include "cbnet/run_records.h"
#include "cbnet/stage_history.h"
#include "cbnet/stages.h"
#include "cbnet/truncation.h"
#include "data/checksum.h"
#include "models/checkpoint.h"
#include "models/json.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/version.h"
#include "train/provenance.h"

namespace cbnet {
namespace {

std::string percent(double fraction) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100.0 * fraction);
  return text;
}

/// These are the stages of a training, in the order in which they build on one another.
std::vector<std::string> stages_of(const PipelineOptions& options) {
  if (options.network) {
    const std::string& name = options.network->name;
    if (!options.convert) return {name};
    if (!options.network->spec.exits.empty()) return {name, "autoencoder"};
    return {name, "classifier", "autoencoder"};
  }
  const std::string& model = options.model;
  if (model == "lenet") return {"lenet"};
  if (model == "branchynet") return {"branchynet"};
  if (model == "autoencoder" || model == "cbnet") return {"branchynet", "autoencoder"};
  require(model == "all", "train", "expected lenet, branchynet, autoencoder, cbnet or all; got '", model,
          "'");
  return {"lenet", "branchynet", "autoencoder"};
}

std::string md5_of(const std::string& text) {
  data::Md5 md5;
  md5.update(text.data(), text.size());
  return md5.finish();
}

RunIdentity identity_of(const data::Dataset& dataset, const PipelineOptions& options) {
  RunIdentity out{dataset.name, training_checksum(dataset.train), options.seed};
  out.k = options.k;
  if (!options.network) return out;
  out.network = options.network->name;
  out.network_md5 = md5_of(to_json(options.network->spec));
  out.has_exits = !options.network->spec.exits.empty();
  if (!options.network->weights.empty()) out.weights_md5 = md5_of(options.network->weights);
  return out;
}

/// Loads the teacher that a stage's recipe names; null where it names none.
std::shared_ptr<Teacher> load_teacher(const std::string& name, const RunFolder& folder,
                                      const ImageTask& task) {
  if (name.empty()) return nullptr;
  const bool is_file = name.ends_with(".safetensors");
  const std::filesystem::path file = is_file ? std::filesystem::path(name) : folder.model_file(name);
  if (!is_file && !std::filesystem::exists(file)) {
    throw InputError(file.string(), concat("the teacher '", name, "', a model of this run"), "none",
                     concat("train --model ", name, " into the run first, or name a .safetensors file"));
  }
  try {
    return std::make_shared<Teacher>(load_model(file), task.input, task.classes);
  } catch (const std::invalid_argument& error) {
    throw InputError(file.string(), "a classifier of these images", error.what());
  }
}

/// This is one training of the whole method; each method below is one step of it.
class Pipeline {
 public:
  Pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options)
      : dataset_(dataset),
        folder_(folder),
        options_(options),
        recipe_(options.recipe),
        stages_(stages_of(options)),
        lock_(folder.lock()),
        identity_(identity_of(dataset, options)),
        history_(folder, recipe_, identity_),
        data_(dataset, recipe_, options.seed) {}

  void run() {
    refuse_to_overwrite();
    records_ = std::make_unique<RunRecords>(
        folder_, settings(),
        std::vector<std::string>{"dataset", "data_md5", "seed", "train_images", "validation_images"});
    for (const std::string& stage : stages_) {
      if (stage == "autoencoder" || stage == "classifier") continue;
      const auto teacher = load_teacher(part_of(stage).distillation.teacher, folder_, data_.task);
      if (!teacher) continue;
      teachers_[stage] = teacher;
      history_.set_teacher(stage, teacher->md5());
    }
    if (options_.resume) history_.look_at(stages_);
    if (const std::string missing = missing_classes(dataset_, data_.training.split); !missing.empty())
      say(missing);
    for (const std::string& stage : stages_) {
      if (stage == "autoencoder")
        train_autoencoder();
      else if (stage == "classifier")
        choose_classifier();
      else
        train_network(stage);
    }
    const bool has_cbnet = std::filesystem::exists(folder_.model_file("classifier"));
    if (options_.convert || options_.model == "cbnet" || options_.model == "all" ||
        (has_cbnet && has_stage("autoencoder")))
      write_cbnet();
  }

 private:
  // --- what is there already ---

  bool has_stage(const std::string& stage) const {
    return std::find(stages_.begin(), stages_.end(), stage) != stages_.end();
  }

  void refuse_to_overwrite() const {
    if (options_.resume) return;
    for (const std::string& stage : stages_) {
      for (const auto& file :
           {folder_.model_file(stage), folder_.state_file(stage), folder_.finished_file(stage)}) {
        if (std::filesystem::exists(file)) {
          throw InputError(folder_.path().string(), "a new run folder", file.filename().string(),
                           "--resume continues it; another --out keeps it");
        }
      }
    }
  }

  /// This is for a stage in the middle: other threads or another instruction set round otherwise.
  static std::string bound_to_machine(const std::string& fingerprint) {
    Json json = parse_json(fingerprint);
    json["threads"] = num_threads();
    json["isa"] = to_string(active_isa());
    return json.dump();
  }

  /// Returns the finished model to keep, or nothing.
  std::optional<Model> finished(const std::string& stage) {
    std::optional<Model> model = history_.take_finished(stage);
    if (!model) return std::nullopt;
    // Killed between the model and this, the last run left it.
    std::filesystem::remove(folder_.state_file(stage));
    say(concat(stage, ": finished before, kept"));
    return model;
  }

  // --- the stages ---

  const TrainRecipe& part_of(const std::string& network) const {
    if (options_.network) return recipe_.network;
    return network == "lenet" ? recipe_.lenet : recipe_.branchynet;
  }

  /// Trains LeNet, BranchyNet or another network, side exits and all. What is built on it stays here.
  void train_network(const std::string& name) {
    const bool is_base = name != "lenet" || options_.network;
    if (auto kept = finished(name)) {
      if (is_base) set_base(std::move(kept->network), kept->info.thresholds, kept->info.provenance);
      return;
    }
    const auto [spec, use] = [&]() -> std::pair<NetworkSpec, SeedUse> {
      if (options_.network) return {options_.network->spec, SeedUse::network};
      if (name == "lenet") return {lenet_spec(data_.task), SeedUse::lenet};
      return {branchynet_spec(data_.task), SeedUse::branchynet};
    }();
    if (options_.network && recipe_.encoder_target != EncoderTarget::none) {
      train_encoder(name, spec);
      return;
    }
    auto network = std::make_unique<Network>(spec, derive_seed(options_.seed, use));
    if (options_.network && !options_.network->weights.empty())
      network->load_state_dict(options_.network->weights);
    const std::size_t exits = spec.exits.size();
    Stage stage = classifier_stage(name, *network, part_of(name), recipe_, data_);
    stage.teacher = teachers_[name];
    const FitResult result = run(stage, use);
    const std::vector<double> thresholds = thresholds_of(result.validation, exits);
    if (exits > 0) say_exits(name, thresholds, result.validation);
    finish(stage, result, thresholds, 1.0, {});
    if (is_base) set_base(std::move(network), thresholds, make_provenance(history_.fingerprint(name)));
  }

  /// Trains a network with a decoder beside its last layer, and keeps it without.
  void train_encoder(const std::string& name, const NetworkSpec& spec) {
    require(options_.network->weights.empty(), "encoder_target",
            "a converting encoder starts from fresh weights; got those of '", name, "'");
    Network with(with_decoder(spec), derive_seed(options_.seed, SeedUse::network));
    EncoderStage training(name, with, recipe_.network, recipe_, data_,
                          derive_seed(options_.seed, SeedUse::targets));
    training.stage().teacher = teachers_[name];
    const FitResult result = run(training.stage(), SeedUse::network);
    std::unique_ptr<Network> network = without_decoder(with, spec);
    Stage kept = training.stage();
    kept.network = network.get();
    finish(kept, result, {}, 1.0, {});
    set_base(std::move(network), {}, make_provenance(history_.fingerprint(name)));
  }

  void say_exits(const std::string& name, const std::vector<double>& thresholds,
                 const std::map<std::string, double>& figures) const {
    std::string text, rates;
    for (const double threshold : thresholds) text += concat(text.empty() ? "" : ", ", threshold);
    for (const auto& [figure, value] : figures)
      if (figure.starts_with("exit_rate")) rates += concat(rates.empty() ? "" : ", ", percent(value));
    say(concat(name, thresholds.size() == 1 ? ": threshold " : ": thresholds ", text, " nats (",
               recipe_.thresholds.empty() ? "auto" : "given", "): ", rates,
               " of the validation images leave early"));
  }

  /// Returns the network that the lightweight classifier is cut from.
  void set_base(std::unique_ptr<Network> network, const std::vector<double>& thresholds,
                const std::string& provenance) {
    base_ = std::move(network);
    base_->eval();
    if (base_->exit_count() == 1) return;
    classifier_ = truncate_at_exit(*base_, 0, "classifier");
    classifier_provenance_ = provenance;
    threshold_ = thresholds.front();
  }

  /// Chooses K as III-B does, for a network without side exits.
  void choose_classifier() {
    if (auto kept = finished("classifier")) {
      classifier_ = std::move(kept->network);
      classifier_provenance_ = kept->info.provenance;
      threshold_ = parse_json(classifier_provenance_).value("threshold", 0.0);
      return;
    }
    const auto start = std::chrono::steady_clock::now();
    Truncation truncation = choose_truncation(
        *base_, data_, recipe_,
        {options_.k, options_.seed, numbered(options_.progress, "classifier"), options_.say});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    say(to_text(truncation));
    threshold_ = truncation.choice().threshold;
    classifier_ = std::move(truncation.classifier);
    Json provenance = parse_json(make_provenance(history_.fingerprint("classifier")));
    provenance["threshold"] = threshold_;
    classifier_provenance_ = provenance.dump();
    records_->set_stage("classifier",
                        Json{{"seconds", seconds.count()},
                             {"validation", {{"accuracy", truncation.choice().classifier_accuracy}}},
                             {"truncation", to_json(truncation)}}
                            .dump());
    write_classifier();
  }

  void train_autoencoder() {
    if (const auto kept = finished("autoencoder")) return;
    ConversionStage conversion(
        *classifier_, threshold_, data_, recipe_,
        {derive_seed(options_.seed, SeedUse::targets), derive_seed(options_.seed, SeedUse::autoencoder)});
    const Json description = describe_targets(conversion.targets());
    const FitResult result = run(conversion.stage(), SeedUse::autoencoder);
    finish(conversion.stage(), result, {}, conversion.targets().rescale(), description);
  }

  /// Logs the choice and the pool: images as indices into the training file.
  Json describe_targets(const ConversionTargets& targets) const {
    const Hardness& hardness = targets.hardness();
    Json pool = Json::array();
    std::int64_t easy = 0;
    for (const auto& images : hardness.pool) {
      pool.push_back(images.size());
      easy += static_cast<std::int64_t>(images.size());
    }
    Json fixed = Json::array();
    for (const std::int64_t image : targets.fixed_images()) {
      const bool has_images = image >= 0;
      fixed.push_back(has_images ? Json(data_.training.split.train[static_cast<std::size_t>(image)])
                                 : Json());
    }
    const auto count = static_cast<std::int64_t>(hardness.easy.size());
    say(concat("autoencoder: of ", count, " training images ", hardness.early, " leave early, ", easy,
               " of them classified correctly (the easy pool); targets: ", to_string(recipe_.target)));
    if (recipe_.target == TargetPolicy::fixed_image) {
      say(concat("autoencoder: target image of each class in the training file: ", fixed.dump()));
    }
    return {{"images", count},
            {"leave_early", hardness.early},
            {"easy", easy},
            {"pool_sizes", std::move(pool)},
            {"target", to_string(recipe_.target)},
            {"fixed_images", std::move(fixed)},
            {"rescale", targets.rescale()}};
  }

  /// This is written once: a file that is there with the same making stays as it is, to the time it bears.
  void write_classifier() const {
    const auto file = folder_.model_file("classifier");
    ModelInfo cut = info("classifier");
    cut.provenance = classifier_provenance_;
    if (!std::filesystem::exists(file) || load_model(file).info.provenance != cut.provenance)
      save_model(file, *classifier_, cut);
  }

  void write_cbnet() const {
    write_classifier();
    folder_.write_cbnet({"autoencoder.safetensors", "classifier.safetensors"}, dataset_.name);
  }

  // --- records ---

  std::string settings() const {
    const Json json{{"version", kVersion},
                    {"dataset", dataset_.name},
                    {"data_md5", identity_.data_md5},
                    {"files", dataset_.files},
                    {"train_images", data_.training.split.train.size()},
                    {"validation_images", data_.training.split.validation.size()},
                    {"seed", options_.seed},
                    {"threads", num_threads()},
                    {"isa", to_string(active_isa())},
                    {"recipe", parse_json(to_json(recipe_))}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  /// Tells whoever shows it which stage of how many this is.
  ProgressSink numbered(const ProgressSink& sink, const std::string& stage) const {
    if (!sink) return {};
    const auto place = std::find(stages_.begin(), stages_.end(), stage) - stages_.begin();
    return [sink, place, count = static_cast<std::int64_t>(stages_.size())](Progress progress) {
      progress.stage_number = place + 1;
      progress.stages = count;
      sink(progress);
    };
  }

  FitResult run(const Stage& stage, SeedUse use) {
    FitOptions fitting;
    fitting.seed = derive_seed(options_.seed, use);
    fitting.state_file = folder_.state_file(stage.name);
    fitting.finished_file = folder_.finished_file(stage.name);
    fitting.say = options_.say;
    fitting.fingerprint = bound_to_machine(history_.fingerprint(stage.name));
    fitting.resume = options_.resume;
    fitting.progress = numbered(options_.progress, stage.name);
    fitting.log = [&](const LogLines& lines) { records_->set_log(stage.name, lines); };
    if (history_.is_anew(stage.name)) drop_states(stage.name, fitting);
    FitResult result = fit(stage, data_.training, fitting);
    history_.set_earlier(stage.name, result.earlier);
    return result;
  }

  /// Removes the states of a training from another network; one that was killed on its way from this one goes
  /// on.
  void drop_states(const std::string& name, const FitOptions& fitting) const {
    say(concat(name, ": trained anew, for the network that it is made from has changed"));
    for (const auto& file : {fitting.state_file, fitting.finished_file}) {
      if (!std::filesystem::exists(file)) continue;
      const std::string found = state_fingerprint(file);
      if (course_of(found).parent != course_of(fitting.fingerprint).parent) std::filesystem::remove(file);
    }
  }

  /// The model file is what says that a stage is finished, so it is written last.
  void finish(const Stage& stage, const FitResult& result, std::vector<double> thresholds, double rescale,
              const Json& extra) {
    records_->set_log(stage.name, result.log);
    Json record{
        {"epochs", stage.recipe.epochs}, {"seconds", result.seconds}, {"validation", result.validation}};
    if (stage.recipe.patience > 0) record["epoch_kept"] = result.epoch;
    if (!extra.is_null()) record["conversion"] = extra;
    for (const EarlierEpochs& entry : result.earlier)
      record["earlier_epochs"].push_back({{"until", entry.until}, {"of", entry.of}});
    records_->set_stage(stage.name, record.dump());
    ModelInfo saved = info(stage.name);
    saved.provenance = make_provenance(history_.fingerprint(stage.name));
    saved.thresholds = std::move(thresholds);
    saved.rescale = rescale;
    if (std::filesystem::exists(folder_.state_file(stage.name)))
      std::filesystem::rename(folder_.state_file(stage.name), folder_.finished_file(stage.name));
    save_model(folder_.model_file(stage.name), *stage.network, saved);
  }

  ModelInfo info(const std::string& model) const {
    ModelInfo out;
    out.model = model;
    out.dataset = dataset_.name;
    out.normalisation = data_.normalisation;
    if (!data::known_dataset(dataset_.name)) out.classes = dataset_.classes;
    return out;
  }

  void say(const std::string& line) const {
    if (options_.say) options_.say(line);
  }

  const data::Dataset& dataset_;
  const RunFolder& folder_;
  const PipelineOptions& options_;
  const Recipe& recipe_;
  std::vector<std::string> stages_;
  RunFolder::Lock lock_;
  RunIdentity identity_;
  StageHistory history_;
  StageData data_;
  std::map<std::string, std::shared_ptr<Teacher>> teachers_;  // by stage
  std::unique_ptr<Network> base_, classifier_;
  std::string classifier_provenance_;
  double threshold_ = 0.0;
  std::unique_ptr<RunRecords> records_;
};

}  // namespace

std::string training_checksum(const data::Split& split) {
  data::Md5 md5;
  for (const Tensor& tensor : {split.images, split.labels})
    md5.update(tensor.data<std::uint8_t>(), static_cast<std::size_t>(tensor.numel()));
  return md5.finish();
}

void run_pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options) {
  check(options.recipe);
  require_trainable(dataset, options.recipe, stages_of(options));
  Pipeline(dataset, folder, options).run();
}

}  // namespace cbnet
