#include "cbnet/trainer.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "autograd/tape.h"
#include "models/safetensors.h"
#include "optim/adam.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Everything the next epoch depends on.
struct TrainingState {
  std::int64_t epochs_done = 0;
  StageResult result;
};

constexpr const char* kModelPrefix = "model.";
constexpr const char* kOptimizerPrefix = "optimizer.";
constexpr const char* kDropoutRng = "dropout_rng";

void save_state(const Stage& stage, const Adam& adam, const TrainingState& state,
                const TrainerOptions& options) {
  SafetensorsFile file;
  Json lines = Json::array();
  for (const std::string& line : state.result.log) lines.push_back(line);
  file.metadata = {{"cbnet.state", stage.name},
                   {"cbnet.fingerprint", options.fingerprint},
                   {"cbnet.epochs_done", std::to_string(state.epochs_done)},
                   {"cbnet.seconds", Json(state.result.seconds).dump()},
                   {"cbnet.validation", Json(state.result.validation).dump()},
                   {"cbnet.log", lines.dump()}};
  for (const auto& [name, tensor] : stage.network->state_dict())
    file.tensors.emplace_back(kModelPrefix + name, tensor);
  for (const auto& [name, tensor] : adam.state()) file.tensors.emplace_back(kOptimizerPrefix + name, tensor);
  const Rng::State rng = stage.network->dropout_rng().state();
  std::vector<std::int64_t> words(rng.begin(), rng.end());
  file.tensors.emplace_back(kDropoutRng, Tensor::from(words, {4}));
  write_safetensors(options.state_file, file);
}

TrainingState load_state(const Stage& stage, Adam& adam, const TrainerOptions& options) {
  const std::string source = options.state_file.string();
  const SafetensorsFile file = read_safetensors(options.state_file);
  const auto metadata = [&](const char* key) -> const std::string& {
    const std::string* value = file.find_metadata(key);
    if (value == nullptr)
      throw InputError(source, concat("metadata '", key, "'"), "none", "delete the file to start over");
    return *value;
  };
  if (metadata("cbnet.state") != stage.name || metadata("cbnet.fingerprint") != options.fingerprint) {
    throw InputError(source, concat("the state of this training: ", options.fingerprint),
                     metadata("cbnet.fingerprint"),
                     "choose another --out, or train without --resume to start over");
  }
  StateDict model;
  StateDict optimizer;
  TrainingState state;
  try {
    for (const auto& [name, tensor] : file.tensors) {
      if (name.starts_with(kModelPrefix))
        model.emplace_back(name.substr(std::string(kModelPrefix).size()), tensor);
      if (name.starts_with(kOptimizerPrefix)) {
        optimizer.emplace_back(name.substr(std::string(kOptimizerPrefix).size()), tensor);
      }
      if (name == kDropoutRng) {
        Rng::State words{};
        require(tensor.numel() == 4, "state", "expected 4 words of ", kDropoutRng);
        for (std::size_t i = 0; i < 4; ++i)
          words[i] = static_cast<std::uint64_t>(tensor.data<std::int64_t>()[i]);
        stage.network->dropout_rng().set_state(words);
      }
    }
    stage.network->load_state_dict(model);
    adam.load_state(optimizer);
    state.epochs_done = Json::parse(metadata("cbnet.epochs_done")).get<std::int64_t>();
    state.result.seconds = Json::parse(metadata("cbnet.seconds")).get<double>();
    state.result.validation = Json::parse(metadata("cbnet.validation")).get<std::map<std::string, double>>();
    for (const Json& line : Json::parse(metadata("cbnet.log")))
      state.result.log.push_back(line.get<std::string>());
  } catch (const Json::exception& error) {
    throw InputError(source, "a training state", error.what(), "delete the file to start over");
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "a training state of this network", error.what(),
                     "delete the file to start over");
  }
  return state;
}

}  // namespace

StageResult run_stage(const Stage& stage, const TrainingData& data, const TrainerOptions& options) {
  const TrainRecipe& recipe = stage.recipe;
  AdamOptions adam_options;
  adam_options.learning_rate = recipe.learning_rate;
  adam_options.weight_decay = recipe.weight_decay;
  adam_options.decoupled = true;
  Adam adam(stage.network->parameters(), adam_options);

  data::BatchOptions batch_options;
  batch_options.batch_size = recipe.batch_size;
  batch_options.seed = options.seed;
  batch_options.augmentation = recipe.augmentation;
  data::Batches batches(data.images, data.labels, data.split.train, batch_options);

  TrainingState state;
  if (options.resume && std::filesystem::exists(options.state_file)) state = load_state(stage, adam, options);

  Schedule schedule;
  schedule.kind = recipe.schedule;
  schedule.base_rate = recipe.learning_rate;
  const std::int64_t total_steps = batches.size() * recipe.epochs;
  const auto images_per_epoch = static_cast<std::int64_t>(data.split.train.size());
  const Clock::time_point run_start = Clock::now();
  const std::int64_t first_epoch = state.epochs_done;

  for (std::int64_t epoch = first_epoch; epoch < recipe.epochs; ++epoch) {
    const Clock::time_point epoch_start = Clock::now();
    batches.set_epoch(epoch);
    stage.network->train();
    double loss_sum = 0.0;
    std::int64_t correct = 0;
    bool classifies = true;
    std::int64_t images = 0;
    for (std::int64_t b = 0; b < batches.size(); ++b) {
      const data::Batch batch = batches.batch(b);
      adam.set_learning_rate(schedule.rate(epoch * batches.size() + b, total_steps));
      adam.zero_grad();
      StepResult step = stage.step(batch, epoch);
      const double loss = step.loss.value().item();
      if (!std::isfinite(loss)) {
        throw std::runtime_error(concat(stage.name, ": the loss is ", loss, " in epoch ", epoch + 1,
                                        ", batch ", b + 1, "; hint: a smaller learning_rate"));
      }
      step.loss.backward();
      adam.step();

      const auto count = static_cast<std::int64_t>(batch.indices.size());
      loss_sum += loss * static_cast<double>(count);
      classifies = step.correct >= 0;
      correct += step.correct;
      images += count;
      if (options.progress) {
        const double done = static_cast<double>(epoch - first_epoch) +
                            static_cast<double>(b + 1) / static_cast<double>(batches.size());
        const double left = static_cast<double>(recipe.epochs - first_epoch) - done;
        const double accuracy = !classifies ? std::numeric_limits<double>::quiet_NaN()
                                            : static_cast<double>(correct) / static_cast<double>(images);
        options.progress({stage.name, epoch + 1, recipe.epochs, images, images_per_epoch,
                          loss_sum / static_cast<double>(images), accuracy,
                          seconds_since(run_start) / done * left});
      }
    }

    const double train_seconds = seconds_since(epoch_start);
    stage.network->eval();
    {
      const NoGrad no_grad;
      state.result.validation = stage.validate();
    }
    state.epochs_done = epoch + 1;
    state.result.seconds += seconds_since(epoch_start);
    Json line{{"stage", stage.name},
              {"epoch", epoch + 1},
              {"epochs", recipe.epochs},
              {"learning_rate", adam.learning_rate()},
              {"loss", loss_sum / static_cast<double>(images)}};
    if (classifies) line["train_accuracy"] = static_cast<double>(correct) / static_cast<double>(images);
    line["validation"] = state.result.validation;
    line["train_seconds"] = train_seconds;
    line["images_per_s"] = static_cast<double>(images) / train_seconds;
    state.result.log.push_back(line.dump());
    save_state(stage, adam, state, options);
    if (options.log) options.log(state.result.log);
  }
  stage.network->eval();
  return state.result;
}

}  // namespace cbnet
