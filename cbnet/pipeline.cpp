#include "cbnet/pipeline.h"

#include <algorithm>
#include <map>
#include <optional>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "cbnet/argmax.h"
#include "cbnet/conversion.h"
#include "cbnet/exit_rule.h"
#include "cbnet/provenance.h"
#include "cbnet/requirements.h"
#include "cbnet/run_records.h"
#include "cbnet/stage_history.h"
#include "cbnet/version.h"
#include "data/checksum.h"
#include "models/checkpoint.h"
#include "models/json.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet {
namespace {

// Separate streams of the user's seed.
enum SeedUse : std::uint64_t { kSplitSeed = 11, kLenetSeed, kBranchynetSeed, kAutoencoderSeed, kTargetSeed };
std::uint64_t derive_seed(std::uint64_t seed, SeedUse use) { return Rng(seed, use).next(); }

double accuracy_of(Network& network, const Tensor& images, const Tensor& labels,
                   const Normalisation& normalisation) {
  const NoGrad no_grad;
  network.eval();
  constexpr std::int64_t kBatch = 500;
  std::int64_t correct = 0;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, images.size(0));
    const Variable pixels(normalised(data::to_float(images.slice(0, begin, end)), normalisation));
    correct += count_correct(network.forward(pixels).value(), labels.slice(0, begin, end));
  }
  return static_cast<double>(correct) / static_cast<double>(images.size(0));
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100.0 * share);
  return text;
}

std::vector<std::string> stages_of(const std::string& model) {
  if (model == "lenet") return {"lenet"};
  if (model == "branchynet") return {"branchynet"};
  if (model == "autoencoder" || model == "cbnet") return {"branchynet", "autoencoder"};
  require(model == "all", "train", "expected lenet, branchynet, autoencoder, cbnet or all; got '", model,
          "'");
  return {"lenet", "branchynet", "autoencoder"};
}

/// One training of the whole method; each method below is one step of it.
class Pipeline {
 public:
  Pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options)
      : dataset_(dataset),
        folder_(folder),
        options_(options),
        recipe_(options.recipe),
        wanted_(stages_of(options.model)),
        lock_(folder.lock()),
        data_md5_(training_checksum(dataset.train)),
        history_(folder, recipe_, {dataset.name, data_md5_, options.seed}) {
    training_.images = dataset.train.images;
    training_.labels = dataset.train.labels;
    training_.split = training_split(training_.labels, recipe_.validation_fraction, options.seed);
    validation_images_ = data::gather(training_.images, training_.split.validation);
    validation_labels_ = data::gather(training_.labels, training_.split.validation);
    validation_truth_ = validation_labels_.to_vector<std::int64_t>();
    normalisation_ = recipe_.normalisation;
    if (recipe_.measure_normalisation) {
      const data::Statistics measured = data::measure(data::gather(training_.images, training_.split.train));
      normalisation_ = {measured.mean, measured.deviation};
    }
    check(normalisation_, task().input);
  }

  void run() {
    refuse_to_overwrite();
    records_ = std::make_unique<RunRecords>(
        folder_, settings(),
        std::vector<std::string>{"dataset", "data_md5", "seed", "train_images", "validation_images"});
    if (options_.resume) history_.look_at(wanted_);
    if (const std::string missing = missing_classes(dataset_, training_.split); !missing.empty())
      say(missing);
    for (const std::string& stage : wanted_) {
      if (stage == "lenet") train_lenet();
      if (stage == "branchynet") train_branchynet();
      if (stage == "autoencoder") train_autoencoder();
    }
    const bool has_cbnet = std::filesystem::exists(folder_.model_file("classifier"));
    if (options_.model == "cbnet" || options_.model == "all" || (has_cbnet && wants("autoencoder")))
      write_cbnet();
  }

 private:
  // --- what is there already ---

  bool wants(const std::string& stage) const {
    return std::find(wanted_.begin(), wanted_.end(), stage) != wanted_.end();
  }

  void refuse_to_overwrite() const {
    if (options_.resume) return;
    for (const std::string& stage : wanted_) {
      for (const auto& file :
           {folder_.model_file(stage), folder_.state_file(stage), folder_.finished_file(stage)}) {
        if (std::filesystem::exists(file)) {
          throw InputError(folder_.path().string(), "a new run folder", file.filename().string(),
                           "--resume continues it; another --out keeps it");
        }
      }
    }
  }

  /// For a stage in the middle: other threads or another instruction set round otherwise.
  static std::string bound_to_machine(const std::string& fingerprint) {
    Json json = parse_json(fingerprint);
    json["threads"] = num_threads();
    json["isa"] = to_string(active_isa());
    return json.dump();
  }

  /// The finished model to keep, or nothing.
  std::optional<Model> finished(const std::string& stage) {
    std::optional<Model> model = history_.take_finished(stage);
    if (!model) return std::nullopt;
    // Killed between the model and this, the last run left it.
    std::filesystem::remove(folder_.state_file(stage));
    say(concat(stage, ": finished before, kept"));
    return model;
  }

  // --- the stages ---

  ImageTask task() const {
    return {dataset_.train.image_shape(), static_cast<std::int64_t>(dataset_.classes.size())};
  }

  void train_lenet() {
    if (finished("lenet")) return;
    Network network(lenet_spec(task()), derive_seed(options_.seed, kLenetSeed));
    Stage stage{"lenet", &network, recipe_.lenet, {}, {}, normalisation_};
    stage.step = [&](const data::Batch& batch, std::int64_t) {
      const Variable logits = network.forward(Variable(batch.pixels));
      return StepResult{cross_entropy(logits, batch.labels), count_correct(logits.value(), batch.labels)};
    };
    stage.validate = [&] {
      return std::map<std::string, double>{
          {"accuracy", accuracy_of(network, validation_images_, validation_labels_, normalisation_)}};
    };
    const StageResult result = run(stage, kLenetSeed);
    finish(stage, result, {}, 1.0, {});
  }

  void train_branchynet() {
    if (auto kept = finished("branchynet")) {
      branchynet_ = std::move(kept->network);
      branchynet_provenance_ = kept->info.provenance;
      threshold_ = kept->info.thresholds.front();
      return;
    }
    branchynet_ =
        std::make_unique<Network>(branchynet_spec(task()), derive_seed(options_.seed, kBranchynetSeed));
    Network& network = *branchynet_;
    Stage stage{"branchynet", &network, recipe_.branchynet, {}, {}, normalisation_};
    stage.step = [&](const data::Batch& batch, std::int64_t) {
      return joint_step(network, batch, recipe_.early_loss_weight, recipe_.final_loss_weight);
    };
    ExitScores scores;
    stage.validate = [&] {
      scores = score_exits(network, validation_images_, normalisation_);
      const ExitOutcome outcome = exit_outcome(scores);
      return std::map<std::string, double>{
          {"accuracy", outcome.accuracy},
          {"exit_rate", outcome.exit_rate},
          {"threshold", outcome.threshold},
          {"early_accuracy", apply_threshold(scores, validation_truth_, 10.0).accuracy},
          {"final_accuracy", apply_threshold(scores, validation_truth_, 0.0).accuracy}};
    };
    const StageResult result = run(stage, kBranchynetSeed);
    threshold_ = result.validation.at("threshold");
    say(concat("branchynet: threshold ", threshold_, " nats (", recipe_.threshold < 0 ? "auto" : "given",
               "): ", percent(result.validation.at("exit_rate")), " of the validation images leave early"));
    finish(stage, result, {threshold_}, 1.0, {});
    branchynet_provenance_ = make_provenance(history_.fingerprint("branchynet"));
  }

  /// The given threshold, or the automatic one for these validation scores.
  ExitOutcome exit_outcome(const ExitScores& scores) const {
    return recipe_.threshold < 0 ? choose_threshold(scores, validation_truth_, recipe_.auto_margin)
                                 : apply_threshold(scores, validation_truth_, recipe_.threshold);
  }

  void train_autoencoder() {
    if (const auto kept = finished("autoencoder")) return;
    const std::unique_ptr<Network> classifier = truncate_at_exit(*branchynet_, 0, "classifier");
    const Tensor train_images = data::gather(training_.images, training_.split.train);
    const Tensor train_labels = data::gather(training_.labels, training_.split.train);
    const ConversionTargets targets(
        train_images,
        label_hardness(score_exits(*branchynet_, train_images, normalisation_),
                       train_labels.to_vector<std::int64_t>(), threshold_, task().classes),
        recipe_.target, recipe_.output, derive_seed(options_.seed, kTargetSeed));
    const Json conversion = describe_targets(targets);

    const auto known = data::known_dataset(dataset_.name);
    Network network(
        autoencoder_spec(known ? data::to_string(*known) : dataset_.name, recipe_.output, task().input),
        derive_seed(options_.seed, kAutoencoderSeed));
    Stage stage{"autoencoder", &network, recipe_.autoencoder, {}, {}, normalisation_};
    stage.step = [&](const data::Batch& batch, std::int64_t epoch) {
      const Tensor rows = targets.rows(batch.labels, batch.indices, epoch);
      return StepResult{conversion_loss(network, Variable(batch.pixels), rows, recipe_, targets.rescale()),
                        -1};
    };
    stage.validate = [&] {
      return std::map<std::string, double>{
          {"cbnet_accuracy", cbnet_accuracy(network, *classifier, targets.rescale())},
          {"classifier_accuracy",
           accuracy_of(*classifier, validation_images_, validation_labels_, normalisation_)}};
    };
    const StageResult result = run(stage, kAutoencoderSeed);
    finish(stage, result, {}, targets.rescale(), conversion);
  }

  double cbnet_accuracy(Network& autoencoder, Network& classifier, double rescale) const {
    const NoGrad no_grad;
    constexpr std::int64_t kBatch = 500;
    std::int64_t correct = 0;
    const std::int64_t count = validation_images_.size(0);
    for (std::int64_t begin = 0; begin < count; begin += kBatch) {
      const std::int64_t end = std::min(begin + kBatch, count);
      const Tensor pixels =
          normalised(data::to_float(validation_images_.slice(0, begin, end)), normalisation_);
      const Variable converted(normalised(convert(autoencoder, pixels, rescale), normalisation_));
      correct +=
          count_correct(classifier.forward(converted).value(), validation_labels_.slice(0, begin, end));
    }
    return static_cast<double>(correct) / static_cast<double>(count);
  }

  /// The choice and the pool, for the log: images as indices into the training file.
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
      fixed.push_back(has_images ? Json(training_.split.train[static_cast<std::size_t>(image)]) : Json());
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

  /// Written once: a file that is there with the same making stays as it is, to the time it bears.
  void write_cbnet() const {
    const auto file = folder_.model_file("classifier");
    ModelInfo cut = info("classifier");
    cut.provenance = branchynet_provenance_;
    if (!std::filesystem::exists(file) || load_model(file).info.provenance != cut.provenance)
      save_model(file, *truncate_at_exit(*branchynet_, 0, "classifier"), cut);
    folder_.write_cbnet({"autoencoder.safetensors", "classifier.safetensors"}, dataset_.name);
  }

  // --- records ---

  std::string settings() const {
    const Json json{{"version", kVersion},
                    {"dataset", dataset_.name},
                    {"data_md5", data_md5_},
                    {"files", dataset_.files},
                    {"train_images", training_.split.train.size()},
                    {"validation_images", training_.split.validation.size()},
                    {"seed", options_.seed},
                    {"threads", num_threads()},
                    {"isa", to_string(active_isa())},
                    {"recipe", parse_json(to_json(recipe_))}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  StageResult run(const Stage& stage, SeedUse use) {
    TrainerOptions trainer;
    trainer.seed = derive_seed(options_.seed, use);
    trainer.state_file = folder_.state_file(stage.name);
    trainer.finished_file = folder_.finished_file(stage.name);
    trainer.say = options_.say;
    trainer.fingerprint = bound_to_machine(history_.fingerprint(stage.name));
    trainer.resume = options_.resume;
    if (options_.progress) {
      const auto place = std::find(wanted_.begin(), wanted_.end(), stage.name) - wanted_.begin();
      trainer.progress = [this, place](Progress progress) {
        progress.stage_number = place + 1;
        progress.stages = static_cast<std::int64_t>(wanted_.size());
        options_.progress(progress);
      };
    }
    trainer.log = [&](const LogLines& lines) { records_->set_log(stage.name, lines); };
    if (history_.is_anew(stage.name)) drop_states(trainer);
    StageResult result = run_stage(stage, training_, trainer);
    history_.set_earlier(stage.name, result.earlier);
    return result;
  }

  /// Those of a training from another BranchyNet; one that was killed on its way from this one goes on.
  void drop_states(const TrainerOptions& trainer) const {
    say("autoencoder: trained anew, for its BranchyNet has changed");
    for (const auto& file : {trainer.state_file, trainer.finished_file}) {
      if (!std::filesystem::exists(file)) continue;
      const std::string found = state_fingerprint(file);
      if (course_of(found).branchynet != course_of(trainer.fingerprint).branchynet)
        std::filesystem::remove(file);
    }
  }

  /// The model file is what says that a stage is finished, so it is written last.
  void finish(const Stage& stage, const StageResult& result, std::vector<double> thresholds, double rescale,
              const Json& extra) {
    records_->set_log(stage.name, result.log);
    Json record{
        {"epochs", stage.recipe.epochs}, {"seconds", result.seconds}, {"validation", result.validation}};
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
    out.normalisation = normalisation_;
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
  std::vector<std::string> wanted_;
  RunFolder::Lock lock_;
  std::string data_md5_;
  StageHistory history_;
  TrainingData training_;
  Normalisation normalisation_;
  Tensor validation_images_;
  Tensor validation_labels_;
  std::vector<std::int64_t> validation_truth_;
  std::unique_ptr<Network> branchynet_;
  std::string branchynet_provenance_;
  double threshold_ = 0.0;
  std::unique_ptr<RunRecords> records_;
};

}  // namespace

data::SplitIndices training_split(const Tensor& labels, double validation_fraction, std::uint64_t seed) {
  return data::stratified_split_fraction(labels, validation_fraction, derive_seed(seed, kSplitSeed));
}

std::string training_checksum(const data::Split& split) {
  data::Md5 md5;
  for (const Tensor& tensor : {split.images, split.labels})
    md5.update(tensor.data<std::uint8_t>(), static_cast<std::size_t>(tensor.numel()));
  return md5.finish();
}

StepResult joint_step(Network& branchynet, const data::Batch& batch, double early_weight,
                      double final_weight) {
  const std::vector<Variable> logits = branchynet.forward_exits(Variable(batch.pixels));
  const Variable early = cross_entropy(logits.front(), batch.labels);
  const Variable final = cross_entropy(logits.back(), batch.labels);
  return {scale(early, early_weight) + scale(final, final_weight),
          count_correct(logits.back().value(), batch.labels)};
}

void run_pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options) {
  check(options.recipe);
  require_trainable(dataset, options.recipe, stages_of(options.model));
  Pipeline(dataset, folder, options).run();
}

}  // namespace cbnet
