#include "cbnet/pipeline.h"

#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "cbnet/argmax.h"
#include "cbnet/conversion.h"
#include "cbnet/exit_rule.h"
#include "cbnet/version.h"
#include "models/checkpoint.h"
#include "tensor/io.h"
#include "tensor/isa.h"
#include "tensor/parallel.h"

namespace cbnet {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> kStages = {"lenet", "branchynet", "autoencoder"};

// Separate streams of the user's seed.
enum SeedUse : std::uint64_t { kSplitSeed = 11, kLenetSeed, kBranchynetSeed, kAutoencoderSeed, kTargetSeed };
std::uint64_t derive_seed(std::uint64_t seed, SeedUse use) { return Rng(seed, use).next(); }

Tensor gather(const Tensor& rows, const std::vector<std::int64_t>& indices) {
  Shape shape = rows.shape();
  shape[0] = static_cast<std::int64_t>(indices.size());
  Tensor out = Tensor::empty(shape, rows.dtype());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    out.select(0, static_cast<std::int64_t>(i)).copy_from(rows.select(0, indices[i]));
  }
  return out;
}

double accuracy_of(Network& network, const Tensor& images, const Tensor& labels) {
  const NoGrad no_grad;
  network.eval();
  constexpr std::int64_t kBatch = 500;
  std::int64_t correct = 0;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, images.size(0));
    const Variable pixels(data::to_float(images.slice(0, begin, end)));
    correct += count_correct(network.forward(pixels).value(), labels.slice(0, begin, end));
  }
  return static_cast<double>(correct) / static_cast<double>(images.size(0));
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100.0 * share);
  return text;
}

/// One training of the whole method; each method below is one step of it.
class Pipeline {
 public:
  Pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options)
      : dataset_(dataset), folder_(folder), options_(options), recipe_(options.recipe) {
    check(recipe_);
    training_.images = dataset.train.images;
    training_.labels = dataset.train.labels;
    training_.split = data::stratified_split_fraction(training_.labels, recipe_.validation_fraction,
                                                      derive_seed(options.seed, kSplitSeed));
    validation_images_ = gather(training_.images, training_.split.validation);
    validation_labels_ = gather(training_.labels, training_.split.validation);
    validation_truth_ = validation_labels_.to_vector<std::int64_t>();
  }

  void run() {
    const std::vector<std::string> wanted = stages_wanted();
    refuse_to_overwrite(wanted);
    load_records();
    for (const std::string& stage : wanted) {
      if (stage == "lenet") train_lenet();
      if (stage == "branchynet") train_branchynet();
      if (stage == "autoencoder") train_autoencoder();
    }
    if (options_.model == "cbnet" || options_.model == "all") write_cbnet();
  }

 private:
  // --- which stages, and what is there already ---

  std::vector<std::string> stages_wanted() const {
    if (options_.model == "lenet") return {"lenet"};
    if (options_.model == "branchynet") return {"branchynet"};
    if (options_.model == "autoencoder" || options_.model == "cbnet") return {"branchynet", "autoencoder"};
    require(options_.model == "all", "train", "expected lenet, branchynet, autoencoder, cbnet or all; got '",
            options_.model, "'");
    return kStages;
  }

  void refuse_to_overwrite(const std::vector<std::string>& wanted) const {
    if (options_.resume) return;
    for (const std::string& stage : wanted) {
      for (const auto& file : {folder_.model_file(stage), folder_.state_file(stage)}) {
        if (std::filesystem::exists(file)) {
          throw InputError(folder_.path().string(), "a new run folder", file.filename().string(),
                           "--resume continues it; another --out keeps it");
        }
      }
    }
  }

  /// What decides a stage's bits besides the thread count; stages build on one another.
  std::string fingerprint(const std::string& stage) const {
    const Json all = Json::parse(to_json(recipe_));
    Json own{{"stage", stage},
             {"dataset", dataset_.name},
             {"images", training_.images.size(0)},
             {"seed", options_.seed},
             {"validation_fraction", recipe_.validation_fraction}};
    own["recipe"] = all.at(stage);
    if (stage == "branchynet")
      copy_keys(all, own, {"early_loss_weight", "final_loss_weight", "threshold", "auto_margin"});
    if (stage == "autoencoder") {
      copy_keys(all, own, {"target", "output", "reconstruction", "activity_l1", "activity_scope"});
      own["branchynet"] = Json::parse(fingerprint("branchynet"));
    }
    return own.dump();
  }

  static void copy_keys(const Json& from, Json& to, std::initializer_list<const char*> keys) {
    for (const char* key : keys) to[key] = from.at(key);
  }

  /// The finished model of an earlier run, or nothing. Throws when it was trained otherwise.
  std::unique_ptr<Network> finished(const std::string& stage) {
    const auto file = folder_.model_file(stage);
    if (!options_.resume || !std::filesystem::exists(file)) return nullptr;
    Model model = load_model(file);
    Json provenance;
    try {
      provenance = Json::parse(model.info.provenance);
    } catch (const Json::exception& error) {
      throw InputError(file.string(), "the JSON of its provenance", error.what());
    }
    if (provenance.value("fingerprint", "") != fingerprint(stage)) {
      throw InputError(file.string(), concat("a model trained as ", fingerprint(stage)),
                       provenance.value("fingerprint", "another one"), "choose another --out");
    }
    say(concat(stage, ": finished before, kept"));
    if (!model.info.thresholds.empty()) threshold_ = model.info.thresholds.front();
    return std::move(model.network);
  }

  // --- the stages ---

  void train_lenet() {
    if (finished("lenet")) return;
    Network network(lenet_spec(), derive_seed(options_.seed, kLenetSeed));
    Stage stage{"lenet", &network, recipe_.lenet, {}, {}};
    stage.step = [&](const data::Batch& batch, std::int64_t) {
      const Variable logits = network.forward(Variable(batch.pixels));
      return StepResult{cross_entropy(logits, batch.labels), count_correct(logits.value(), batch.labels)};
    };
    stage.validate = [&] {
      return std::map<std::string, double>{
          {"accuracy", accuracy_of(network, validation_images_, validation_labels_)}};
    };
    const StageResult result = run(stage, kLenetSeed);
    finish(stage, result, {}, 1.0, {});
  }

  void train_branchynet() {
    branchynet_ = finished("branchynet");
    if (branchynet_) return;
    branchynet_ = std::make_unique<Network>(branchynet_spec(), derive_seed(options_.seed, kBranchynetSeed));
    Network& network = *branchynet_;
    Stage stage{"branchynet", &network, recipe_.branchynet, {}, {}};
    stage.step = [&](const data::Batch& batch, std::int64_t) {
      return joint_step(network, batch, recipe_.early_loss_weight, recipe_.final_loss_weight);
    };
    ExitScores scores;
    stage.validate = [&] {
      scores = score_exits(network, validation_images_);
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
  }

  /// The given threshold, or the automatic one for these validation scores.
  ExitOutcome exit_outcome(const ExitScores& scores) const {
    return recipe_.threshold < 0 ? choose_threshold(scores, validation_truth_, recipe_.auto_margin)
                                 : apply_threshold(scores, validation_truth_, recipe_.threshold);
  }

  void train_autoencoder() {
    if (const auto kept = finished("autoencoder")) return;
    const std::unique_ptr<Network> classifier = truncate_at_exit(*branchynet_, 0, "classifier");
    const Tensor train_images = gather(training_.images, training_.split.train);
    const Tensor train_labels = gather(training_.labels, training_.split.train);
    const ConversionTargets targets(
        train_images,
        label_hardness(score_exits(*branchynet_, train_images), train_labels.to_vector<std::int64_t>(),
                       threshold_, data::kNumClasses),
        recipe_.target, recipe_.output, derive_seed(options_.seed, kTargetSeed));
    const Json conversion = describe_targets(targets);

    Network network(autoencoder_spec(data::to_string(dataset_.id), recipe_.output),
                    derive_seed(options_.seed, kAutoencoderSeed));
    Stage stage{"autoencoder", &network, recipe_.autoencoder, {}, {}};
    stage.step = [&](const data::Batch& batch, std::int64_t epoch) {
      const Tensor rows = targets.rows(batch.labels, batch.indices, epoch);
      return StepResult{conversion_loss(network, Variable(batch.pixels), rows, recipe_, targets.rescale()),
                        -1};
    };
    stage.validate = [&] {
      return std::map<std::string, double>{
          {"cbnet_accuracy", cbnet_accuracy(network, *classifier, targets.rescale())},
          {"classifier_accuracy", accuracy_of(*classifier, validation_images_, validation_labels_)}};
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
      const Tensor pixels = data::to_float(validation_images_.slice(0, begin, end));
      const Variable converted(convert(autoencoder, pixels, rescale));
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
      fixed.push_back(training_.split.train[static_cast<std::size_t>(image)]);
    }
    const auto count = static_cast<std::int64_t>(hardness.easy.size());
    say(concat("autoencoder: of ", count, " training images ", hardness.early, " leave early, ", easy,
               " of them classified correctly (the easy pool); targets: ", to_string(recipe_.target)));
    if (recipe_.target == TargetPolicy::fixed_image) {
      say(concat("autoencoder: target image of class 0 … 9 in the training file: ", fixed.dump()));
    }
    return {{"images", count},
            {"leave_early", hardness.early},
            {"easy", easy},
            {"pool_sizes", std::move(pool)},
            {"target", to_string(recipe_.target)},
            {"fixed_images", std::move(fixed)},
            {"rescale", targets.rescale()}};
  }

  void write_cbnet() {
    const std::unique_ptr<Network> classifier = truncate_at_exit(*branchynet_, 0, "classifier");
    save_model(folder_.model_file("classifier"), *classifier, info("classifier", fingerprint("branchynet")));
    folder_.write_cbnet({"autoencoder.safetensors", "classifier.safetensors"}, dataset_.name);
  }

  // --- records ---

  StageResult run(const Stage& stage, SeedUse use) {
    TrainerOptions trainer;
    trainer.seed = derive_seed(options_.seed, use);
    trainer.state_file = folder_.state_file(stage.name);
    trainer.fingerprint = fingerprint(stage.name);
    trainer.resume = options_.resume;
    trainer.progress = options_.progress;
    trainer.log = [&](const LogLines& lines) {
      log_[stage.name] = lines;
      write_log();
    };
    return run_stage(stage, training_, trainer);
  }

  /// The model file is what says that a stage is finished, so it is written last; the state file goes then.
  void finish(const Stage& stage, const StageResult& result, std::vector<double> thresholds, double rescale,
              const Json& extra) {
    log_[stage.name] = result.log;
    write_log();
    Json record{
        {"epochs", stage.recipe.epochs}, {"seconds", result.seconds}, {"validation", result.validation}};
    if (!extra.is_null()) record["conversion"] = extra;
    stages_[stage.name] = std::move(record);
    write_run();
    ModelInfo saved = info(stage.name, fingerprint(stage.name));
    saved.thresholds = std::move(thresholds);
    saved.rescale = rescale;
    save_model(folder_.model_file(stage.name), *stage.network, saved);
    std::filesystem::remove(folder_.state_file(stage.name));
  }

  ModelInfo info(const std::string& model, const std::string& model_fingerprint) const {
    ModelInfo out;
    out.model = model;
    out.dataset = dataset_.name;
    out.provenance = Json{{"version", kVersion},
                          {"fingerprint", model_fingerprint},
                          {"threads", num_threads()},
                          {"isa", to_string(active_isa())}}
                         .dump();
    return out;
  }

  void load_records() {
    if (!options_.resume) return;
    try {
      if (std::filesystem::exists(folder_.run_file())) {
        const Json run = Json::parse(read_file(folder_.run_file()));
        for (const auto& [name, record] : run.at("stages").items()) stages_[name] = record;
      }
      for (const std::string& line : folder_.read_log()) {
        log_[Json::parse(line).at("stage").get<std::string>()].push_back(line);
      }
    } catch (const Json::exception& error) {
      throw InputError(folder_.path().string(), "run.json and log.jsonl as cbnet wrote them", error.what(),
                       "delete them; the models do not depend on them");
    }
  }

  void write_log() const {
    std::vector<std::string> lines;
    for (const std::string& stage : kStages) {
      const auto found = log_.find(stage);
      if (found != log_.end()) lines.insert(lines.end(), found->second.begin(), found->second.end());
    }
    folder_.write_log(lines);
  }

  void write_run() const {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    Json stages = Json::object();
    for (const std::string& stage : kStages) {
      if (stages_.count(stage) > 0) stages[stage] = stages_.at(stage);
    }
    const Json run{{"version", kVersion},
                   {"dataset", dataset_.name},
                   {"files", dataset_.files},
                   {"train_images", training_.split.train.size()},
                   {"validation_images", training_.split.validation.size()},
                   {"seed", options_.seed},
                   {"threads", num_threads()},
                   {"isa", to_string(active_isa())},
                   {"peak_memory_bytes", usage.ru_maxrss * 1024},
                   {"recipe", Json::parse(to_json(recipe_))},
                   {"stages", std::move(stages)}};
    write_file_atomic(folder_.run_file(), run.dump(2) + "\n");
  }

  void say(const std::string& line) const {
    if (options_.say) options_.say(line);
  }

  const data::Dataset& dataset_;
  const RunFolder& folder_;
  const PipelineOptions& options_;
  const Recipe& recipe_;
  TrainingData training_;
  Tensor validation_images_;
  Tensor validation_labels_;
  std::vector<std::int64_t> validation_truth_;
  std::unique_ptr<Network> branchynet_;
  double threshold_ = 0.0;
  std::map<std::string, LogLines> log_;
  std::map<std::string, Json> stages_;
};

}  // namespace

StepResult joint_step(Network& branchynet, const data::Batch& batch, double early_weight,
                      double final_weight) {
  const std::vector<Variable> logits = branchynet.forward_exits(Variable(batch.pixels));
  const Variable early = cross_entropy(logits.front(), batch.labels);
  const Variable final = cross_entropy(logits.back(), batch.labels);
  return {scale(early, early_weight) + scale(final, final_weight),
          count_correct(logits.back().value(), batch.labels)};
}

void run_pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options) {
  Pipeline(dataset, folder, options).run();
}

}  // namespace cbnet
