#include "train/fit.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "autograd/ops/index_select.h"
#include "autograd/tape.h"
#include "models/json.h"
#include "models/safetensors.h"
#include "tensor/io.h"
#include "train/metrics.h"
#include "train/provenance.h"

namespace cbnet {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The next epoch depends on all of this.
struct TrainingState {
  std::int64_t epochs_done = 0;
  Course course;  // as far as it is another training's
  FitResult result;
  /// These are the weights of the epoch with the best validation figure, where the recipe has patience.
  StateDict best;
};

constexpr const char* kModelPrefix = "model.";
constexpr const char* kBestPrefix = "best.";
constexpr const char* kOptimizerPrefix = "optimizer.";
constexpr const char* kDropoutRng = "dropout_rng";
constexpr const char* kFingerprint = "cbnet.fingerprint";

std::string metadata_of(const SafetensorsFile& file, const char* key, const std::string& source) {
  const std::string* value = file.find_metadata(key);
  if (value == nullptr)
    throw InputError(source, concat("metadata '", key, "'"), "none", "delete the file to start over");
  return *value;
}

void save_state(const Stage& stage, const Optimizer& optimizer, const TrainingState& state,
                const FitOptions& options) {
  SafetensorsFile file;
  const std::string fingerprint = with_earlier(options.fingerprint, state.result.earlier);
  Json lines = Json::array();
  for (const std::string& line : state.result.log) lines.push_back(line);
  file.metadata = {{"cbnet.state", stage.name},
                   {kFingerprint, fingerprint},
                   {"cbnet.epochs_done", std::to_string(state.epochs_done)},
                   {"cbnet.seconds", Json(state.result.seconds).dump()},
                   {"cbnet.validation", Json(state.result.validation).dump()},
                   {"cbnet.log", lines.dump()},
                   {"cbnet.epoch", std::to_string(state.result.epoch)}};
  for (const auto& [name, tensor] : stage.network->state_dict())
    file.tensors.emplace_back(kModelPrefix + name, tensor);
  for (const auto& [name, tensor] : state.best) file.tensors.emplace_back(kBestPrefix + name, tensor);
  for (const auto& [name, tensor] : optimizer.state())
    file.tensors.emplace_back(kOptimizerPrefix + name, tensor);
  const RngState rng = stage.network->dropout_rng().state();
  const auto word = [](std::uint64_t bits) { return static_cast<std::int64_t>(bits); };
  file.tensors.emplace_back(kDropoutRng,
                            Tensor::from({word(rng.seed), word(rng.stream), word(rng.position)}, {3}));
  write_safetensors(options.state_file, file);
}

/// Throws InputError for a state of other settings than these, the number of epochs apart.
Course course_like(const std::string& own, const std::string& found, const std::string& source) {
  const Course requested = course_of(own);
  Course out = course_of(found);
  if (requested.rest == out.rest && requested.parent == out.parent) return out;
  const Difference differs = requested.rest == out.rest ? first_difference(requested.parent, out.parent)
                                                        : first_difference(requested.rest, out.rest);
  throw InputError(source, concat("a training with ", differs.expected), differs.found,
                   "go on with the same settings, or choose another --out");
}

TrainingState load_state(const Stage& stage, Optimizer& optimizer, const FitOptions& options,
                         const std::filesystem::path& path) {
  const std::string source = path.string();
  const SafetensorsFile file = read_safetensors(path);
  const auto metadata = [&](const char* key) { return metadata_of(file, key, source); };
  if (metadata("cbnet.state") != stage.name)
    throw InputError(source, concat("a training of ", stage.name), metadata("cbnet.state"),
                     "delete the file to start over");
  StateDict model, moments;
  TrainingState state;
  try {
    state.course = course_like(options.fingerprint, metadata(kFingerprint), source);
    for (const auto& [name, tensor] : file.tensors) {
      require(all_finite(tensor), "state", "'", name, "' holds NaN or infinity");
      for (const auto& [prefix, part] :
           {std::pair{kModelPrefix, &model}, {kBestPrefix, &state.best}, {kOptimizerPrefix, &moments}}) {
        if (name.starts_with(prefix)) part->emplace_back(name.substr(std::string(prefix).size()), tensor);
      }
      if (name == kDropoutRng) {
        require(tensor.numel() == 3, "state", "expected 3 words of ", kDropoutRng, "; got ", tensor);
        const std::vector<std::int64_t> words = tensor.to_vector<std::int64_t>();
        const auto word = [&](std::size_t i) { return static_cast<std::uint64_t>(words[i]); };
        stage.network->dropout_rng().set_state({word(0), word(1), word(2)});
      }
    }
    stage.network->load_state_dict(model);
    optimizer.load_state(moments);
    get_whole(parse_json(metadata("cbnet.epochs_done")), state.epochs_done);
    get_whole(parse_json(file.find_metadata("cbnet.epoch") == nullptr ? metadata("cbnet.epochs_done")
                                                                      : metadata("cbnet.epoch")),
              state.result.epoch);
    state.result.seconds = parse_json(metadata("cbnet.seconds")).get<double>();
    state.result.validation = parse_json(metadata("cbnet.validation")).get<std::map<std::string, double>>();
    for (const Json& line : parse_json(metadata("cbnet.log")))
      state.result.log.push_back(line.get<std::string>());
  } catch (const Json::exception& error) {
    throw InputError(source, "a training state", error.what(), "delete the file to start over");
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "a training state of this network", error.what(),
                     "delete the file to start over");
  }
  return state;
}

/// A step has left this on the device, to be read with that of others: each reading waits for the device.
struct Unread {
  std::int64_t batch = 0, images = 0;
  Tensor loss, scores, labels;
};

/// These are sums over the images of an epoch so far.
struct EpochSums {
  double loss = 0.0;
  std::int64_t correct = 0;
  std::int64_t images = 0;
  bool classifies = true;

  double mean_loss() const { return loss / static_cast<double>(images); }
  /// It is NaN when the stage does not classify.
  double accuracy() const {
    return classifies ? static_cast<double>(correct) / static_cast<double>(images)
                      : std::numeric_limits<double>::quiet_NaN();
  }
};

/// One stage consists of these passes over the training images.
class Training {
 public:
  Training(const Stage& stage, const TrainingData& data, const FitOptions& options)
      : stage_(stage),
        options_(options),
        optimizer_(make_optimizer(stage.recipe, stage.network->parameters())),
        set_(training_images(data, stage.recipe, classes_of(*stage.network), options.seed)),
        batches_(set_.images, set_.labels, set_.indices, batch_options(stage.recipe, options.seed)),
        images_per_epoch_(static_cast<std::int64_t>(set_.indices.size())) {
    const Device device = stage.network->device();
    // A GPU keeps the pixels of all images, and goes on with the next steps while nobody has read its losses.
    if (!is_host_readable(device)) steps_unread_ = 32;
    if (!is_host_readable(device)) resident_ = data::to_float(set_.images).to(device);
    // What the teacher says of images that stay as they are is asked once.
    if (stage.teacher && !batch_options(stage.recipe, options.seed).augmentation.any())
      taught_ = stage.teacher->probabilities_of_all(set_.images, stage.recipe.distillation.temperature);
    schedule_.kind = stage.recipe.schedule;
    schedule_.base_rate = stage.recipe.learning_rate;
    schedule_.warmup_steps = stage.recipe.warmup_epochs * batches_.size();
    for (const auto& file : {options.state_file, options.finished_file}) {
      if (!options.resume || first_epoch_ > 0 || !std::filesystem::exists(file)) continue;
      state_ = load_state(stage, *optimizer_, options, file);
      first_epoch_ = state_.epochs_done;
      go_on_from(file.string());
    }
  }

  FitResult run() {
    for (std::int64_t epoch = first_epoch_; epoch < stage_.recipe.epochs && !out_of_patience(); ++epoch) {
      const Clock::time_point start = Clock::now();
      const EpochSums sums = train_epoch(epoch);
      const double train_seconds = seconds_since(start);
      stage_.network->eval();
      {
        const NoGrad no_grad;
        const std::map<std::string, double> figures = stage_.validate();
        state_.epochs_done = epoch + 1;
        state_.result.log.push_back(log_line(sums, figures, train_seconds));
        keep(figures);
      }
      state_.result.seconds += seconds_since(start);
      if (!options_.state_file.empty()) save_state(stage_, *optimizer_, state_, options_);
      if (options_.log) options_.log(state_.result.log);
    }
    if (!state_.best.empty()) stage_.network->load_state_dict(state_.best);
    stage_.network->eval();
    return state_.result;
  }

 private:
  bool out_of_patience() const {
    const std::int64_t patience = stage_.recipe.patience;
    return patience > 0 && state_.epochs_done - state_.result.epoch >= patience;
  }

  /// Takes an epoch's figures for the result's: all epochs' in turn, or with patience those that are better.
  void keep(const std::map<std::string, double>& figures) {
    FitResult& result = state_.result;
    const bool patient = stage_.recipe.patience > 0 && !figures.empty();
    if (patient && result.epoch > 0 && !(figures.begin()->second > result.validation.begin()->second)) return;
    result.validation = figures;
    result.epoch = state_.epochs_done;
    if (!patient) return;
    state_.best.clear();
    for (const auto& [name, tensor] : stage_.network->state_dict())
      state_.best.emplace_back(name, tensor.clone());
  }

  /// Compares the length of the training that the state is of with this one's.
  void go_on_from(const std::string& source) {
    const Course& before = state_.course;
    const std::int64_t done = state_.epochs_done, epochs = stage_.recipe.epochs;
    if (done > epochs) {
      throw InputError(source, concat("at most ", epochs, " epochs done, as are asked for"), concat(done),
                       "ask for that many epochs or more, or choose another --out");
    }
    if (done < 0 || (before.epochs > 0 && done > before.epochs)) {
      throw InputError(source, concat("0 to ", before.epochs, " epochs done, as its training has"),
                       concat(done), "delete the file to start over");
    }
    state_.result.earlier = before.earlier;
    if (before.epochs == 0 || before.epochs == epochs) return;
    say(concat(stage_.name, ": epoch ", done, " of ", before.epochs, " is done; it goes on to epoch ",
               epochs));
    const std::int64_t steps = batches_.size(), last = done * steps - 1;
    bool same = true;
    for (std::int64_t step = 0; step <= last && same; ++step)
      same = schedule_.rate(step, before.epochs * steps) == schedule_.rate(step, epochs * steps);
    if (same) return;
    state_.result.earlier.push_back({done, before.epochs});
    say(concat(stage_.name, ": these are not the weights that ", epochs,
               " epochs at once give: the schedule (", to_string(schedule_.kind),
               ") of the epochs done was that of ", before.epochs, ", with a learning rate of ",
               schedule_.rate(last, before.epochs * steps), " at their end instead of ",
               schedule_.rate(last, epochs * steps)));
  }

  void say(const std::string& line) const {
    if (options_.say) options_.say(line);
  }

  static std::int64_t classes_of(const Network& network) {
    const auto& trunk = network.spec().trunk;
    return numel(trunk_shape(network.spec(), static_cast<std::int64_t>(trunk.size())));
  }

  static data::BatchOptions batch_options(const TrainRecipe& recipe, std::uint64_t seed) {
    data::BatchOptions out;
    out.batch_size = recipe.batch_size;
    out.seed = seed;
    if (recipe.copies == 0) out.augmentation = recipe.augmentation;
    return out;
  }

  EpochSums train_epoch(std::int64_t epoch) {
    batches_.set_epoch(epoch);
    stage_.network->train();
    EpochSums sums;
    std::vector<Unread> unread;
    for (std::int64_t b = 0; b < batches_.size(); ++b) {
      const data::Batch batch = batch_of(b);
      optimizer_->set_learning_rate(
          schedule_.rate(epoch * batches_.size() + b, batches_.size() * stage_.recipe.epochs));
      optimizer_->zero_grad();
      StepResult step = stage_.step(batch, epoch);
      unread.push_back(
          {b, static_cast<std::int64_t>(batch.indices.size()), step.loss.value(), step.scores, batch.labels});
      if (static_cast<std::int64_t>(unread.size()) == steps_unread_ || b + 1 == batches_.size()) {
        read(unread, epoch, sums);
        if (options_.progress) report(epoch, b + 1, sums);
      }
      step.loss.backward();
      optimizer_->step();
      if (stage_.after_step) stage_.after_step();
    }
    return sums;
  }

  /// Returns a batch with all that its recipe adds to it, its pixels normalised, and on the device where all
  /// pixels are.
  data::Batch batch_of(std::int64_t b) const {
    data::Batch out = resident_.defined() ? batches_.labels_of(b) : batches_.batch(b);
    if (resident_.defined()) {
      const Tensor index = Tensor::from(out.indices, {static_cast<std::int64_t>(out.indices.size())});
      out.pixels = index_select(Variable(resident_), 0, index).value();
      data::augment(out.pixels, out.indices, batches_.augmentation(), options_.seed, batches_.epoch());
    }
    if (set_.shares.defined()) out.shares = data::gather(set_.shares, out.indices);
    if (taught_.defined())
      out.teacher = data::gather(taught_, out.indices);
    else if (stage_.teacher)
      out.teacher = stage_.teacher->probabilities(out.pixels, stage_.recipe.distillation.temperature);
    out.pixels = normalised(out.pixels, stage_.normalisation);
    return out;
  }

  /// Adds up what the steps have left, in their order, and forgets it.
  void read(std::vector<Unread>& steps, std::int64_t epoch, EpochSums& sums) const {
    for (const Unread& step : steps) {
      const double loss = step.loss.item();
      if (!std::isfinite(loss)) {
        throw std::runtime_error(concat(stage_.name, ": the loss is ", loss, " in epoch ", epoch + 1,
                                        ", batch ", step.batch + 1, "; hint: a smaller learning_rate"));
      }
      sums.loss += loss * static_cast<double>(step.images);
      sums.classifies = step.scores.defined();
      if (sums.classifies) sums.correct += count_correct(step.scores, step.labels);
      sums.images += step.images;
    }
    steps.clear();
  }

  void report(std::int64_t epoch, std::int64_t batches_done, const EpochSums& sums) const {
    const double done = static_cast<double>(epoch - first_epoch_) +
                        static_cast<double>(batches_done) / static_cast<double>(batches_.size());
    const double left = static_cast<double>(stage_.recipe.epochs - first_epoch_) - done;
    Progress progress;
    progress.stage = stage_.name;
    progress.epoch = epoch + 1;
    progress.epochs = stage_.recipe.epochs;
    progress.images = sums.images;
    progress.images_per_epoch = images_per_epoch_;
    progress.loss = sums.mean_loss();
    progress.accuracy = sums.accuracy();
    progress.seconds_left = seconds_since(start_) / done * left;
    options_.progress(progress);
  }

  /// Makes the line of the log for the epoch that has just ended.
  std::string log_line(const EpochSums& sums, const std::map<std::string, double>& figures,
                       double train_seconds) const {
    Json line{{"stage", stage_.name},
              {"epoch", state_.epochs_done},
              {"epochs", stage_.recipe.epochs},
              {"learning_rate", optimizer_->learning_rate()},
              {"loss", sums.mean_loss()}};
    if (sums.classifies) line["train_accuracy"] = sums.accuracy();
    line["validation"] = figures;
    line["train_seconds"] = train_seconds;
    line["images_per_s"] = static_cast<double>(sums.images) / train_seconds;
    return line.dump();
  }

  const Stage& stage_;
  const FitOptions& options_;
  std::unique_ptr<Optimizer> optimizer_;
  TrainingImages set_;
  data::Batches batches_;
  Tensor resident_;  // f32 (N,C,H,W), in [0,1], on a GPU that trains; else undefined
  Tensor taught_;    // f32 (M, classes): the teacher's probabilities of images that stay as they are
  std::int64_t steps_unread_ = 1;
  std::int64_t images_per_epoch_;
  Schedule schedule_;
  TrainingState state_;
  std::int64_t first_epoch_ = 0;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

std::string state_fingerprint(const std::filesystem::path& path) {
  return metadata_of(read_safetensors(path), kFingerprint, path.string());
}

FitResult fit(const Stage& stage, const TrainingData& data, const FitOptions& options) {
  return Training(stage, data, options).run();
}

FitResult fit(Network& network, const TrainingData& data, const TrainRecipe& recipe, std::uint64_t seed) {
  check(recipe, "fit");
  require(recipe.distillation.teacher.empty(), "fit", "a teacher is a stage's; got the name '",
          recipe.distillation.teacher, "'");
  Stage stage{network.spec().name, &network, recipe, {}, {}};
  stage.step = [&](const data::Batch& batch, std::int64_t) { return classification_step(network, batch); };
  const Tensor images = data::gather(data.images, data.split.validation),
               labels = data::gather(data.labels, data.split.validation);
  stage.validate = [&] {
    return std::map<std::string, double>{{"accuracy", accuracy_of(network, images, labels, {})}};
  };
  FitOptions options;
  options.seed = seed;
  return fit(stage, data, options);
}

}  // namespace cbnet
