#include "bench/peers/workload.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "bench/peers/network_set.h"
#include "bench/runs.h"
#include "cbnet/exit_rule.h"
#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "data/batches.h"
#include "data/dataset.h"
#include "models/checkpoint.h"
#include "models/safetensors.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

constexpr std::int64_t kCalibrationImages = 256, kCalibrationPictures = 64;
/// A stored model says so of itself where it is a network of any layers.
constexpr const char* kAnyNetwork = R"({"any":true})";
constexpr double kUndecided = 1e-4;  // nats

std::string kind_of(const std::string& name) { return name.substr(0, name.find('-')); }

/// "kmnist-first7011" is KMNIST, the dataset that the models are named after.
std::string short_name(const std::string& dataset) { return data::to_string(bench::dataset_id(dataset)); }

Model load_from(const std::filesystem::path& run, const std::string& model) {
  return load_model(RunFolder(run).model_file(model));
}

Model joined_model(const std::string& name, Model autoencoder, const Model& classifier) {
  const NetworkSpec spec = joined(name, autoencoder.network->spec(), classifier.network->spec());
  const std::size_t behind = spec.trunk.size() - classifier.network->spec().trunk.size();
  StateDict weights = autoencoder.network->state_dict();
  for (const auto& [key, tensor] : classifier.network->state_dict()) {
    const std::size_t dot = key.find('.', 6);  // "trunk.3.weight"
    weights.emplace_back(concat("trunk.", std::stoul(key.substr(6, dot - 6)) + behind, key.substr(dot)),
                         tensor);
  }
  Model out{std::move(autoencoder.info), std::make_unique<Network>(spec)};
  out.network->load_state_dict(weights);
  return out;
}

Model trained_model(const std::string& name, const std::filesystem::path& run) {
  const std::string kind = kind_of(name);
  Model model = load_from(run, kind == "cbnet" ? "autoencoder" : kind);
  if (kind == "autoencoder" || kind == "cbnet") {
    if (!model.network->spec().trunk.back().is<kinds::Sigmoid>() || model.info.rescale != 1.0)
      throw InputError(RunFolder(run).model_file("autoencoder").string(),
                       "an autoencoder that ends in sigmoid", "another output",
                       "train it with \"output\": \"sigmoid\" in the recipe");
  }
  if (kind == "cbnet") model = joined_model(name, std::move(model), load_from(run, "classifier"));
  if (model.info.normalisation.any())
    throw InputError(run.string(), "networks that read pixels as they are", "ones that read them normalised",
                     "train with --normalisation none");
  model.network->eval();
  return model;
}

/// Returns the indices of n images, those that stay spread evenly among those that leave.
std::vector<std::int64_t> mixed(const std::vector<double>& entropy, double threshold, double hard_share,
                                std::int64_t n) {
  std::vector<std::int64_t> side[2];
  for (std::size_t i = 0; i < entropy.size(); ++i) {
    if (std::abs(entropy[i] - threshold) >= kUndecided)
      side[entropy[i] < threshold ? 0 : 1].push_back(static_cast<std::int64_t>(i));
  }
  std::vector<std::int64_t> out;
  std::size_t taken[2] = {0, 0};
  for (std::int64_t i = 0; i < n; ++i) {
    const auto due = static_cast<std::size_t>(std::llround(hard_share * static_cast<double>(i + 1)));
    const int which = taken[1] < due ? 1 : 0;
    require(taken[which] < side[which].size(), "peers", "the test set has too few images for ", n,
            " with a fraction of ", hard_share, " that stay");
    out.push_back(side[which][taken[which]++]);
  }
  return out;
}

Tensor first_images(const Tensor& images, std::int64_t n) {
  return data::to_float(images.slice(0, 0, std::min(n, images.size(0))));
}

Workload with_images(Workload workload, const Tensor& pixels) {
  workload.pixels = pixels;
  workload.expected = Tensor::from(reference(workload.model, pixels), {pixels.size(0), workload.model.width});
  return workload;
}

}  // namespace

Workload random_workload(const std::string& name, std::uint64_t seed, double hard_share, std::int64_t n) {
  Workload out;
  out.model = make_model(name, seed, hard_share);
  out.model.calibration = images(1, kCalibrationImages);
  out.hard_share = out.model.has_exit() ? hard_share : 0.0;
  return with_images(std::move(out), images(seed, n));
}

Workload given_workload(const std::string& given, std::uint64_t seed, std::int64_t n) {
  Workload out;
  out.model = given_model(given, seed);
  out.model.calibration = pictures(seed + 1, kCalibrationPictures, out.model.spec.input);
  return with_images(std::move(out), pictures(seed, n, out.model.spec.input));
}

TrainedRun trained_run(const std::filesystem::path& path) {
  TrainedRun out{path, bench::load_models(path.string()).usable.front()->dataset(), {}};
  for (const char* model : {"lenet", "classifier", "branchynet"}) {
    if (has_model(path, model)) out.models.emplace_back(model);
  }
  for (const char* model : {"autoencoder", "cbnet"}) {
    if (has_model(path, model)) out.models.push_back(concat(model, "-", short_name(out.dataset)));
  }
  return out;
}

Workload trained_workload(const std::string& name, const std::filesystem::path& run,
                          const data::Location& location, std::int64_t n) {
  Model model = trained_model(name, run);
  const data::Dataset dataset = data::load_dataset(bench::dataset_id(model.info.dataset), location);
  const double threshold = model.info.thresholds.empty() ? 0.0 : model.info.thresholds.front();
  Workload out;
  out.model = peer_model(name, model.network->spec(), model.network->state_dict(), threshold);
  out.model.calibration = first_images(dataset.train.images, kCalibrationImages);
  if (!out.model.has_exit()) return with_images(std::move(out), first_images(dataset.test.images, n));
  const std::vector<double> entropy = score_exits(*model.network, dataset.test.images).front().entropy;
  const auto hard = std::count_if(entropy.begin(), entropy.end(), [&](double h) { return !(h < threshold); });
  out.hard_share = static_cast<double>(hard) / static_cast<double>(entropy.size());
  const std::vector<std::int64_t> chosen = mixed(entropy, threshold, out.hard_share, n);
  return with_images(std::move(out), data::to_float(dataset.test.images, chosen));
}

double zero_share(const Workload& workload) {
  const PeerModel& model = workload.model;
  const NoGrad no_grad;
  Network network(model.spec);
  network.load_state_dict(model.weights);
  network.eval();
  double all = 0.0, zeros = 0.0;
  Variable x(workload.pixels);
  for (std::size_t i = 0; i < model.trunk.size() && !model.trunk[i].is<kinds::Conv2d>(); ++i) {
    if (model.trunk[i].is<kinds::Linear>()) {
      const double macs = static_cast<double>(model.trunk[i].weight.numel());
      const float* p = x.value().data<float>();
      all += macs;
      zeros += macs * static_cast<double>(std::count(p, p + x.value().numel(), 0.0F)) /
               static_cast<double>(x.value().numel());
    }
    x = network.forward_trunk(x, static_cast<std::int64_t>(i), static_cast<std::int64_t>(i + 1));
  }
  return all > 0.0 ? zeros / all : 0.0;
}

void save_workload(const std::filesystem::path& folder, const Workload& workload) {
  Network network(workload.model.spec);
  network.load_state_dict(workload.model.weights);
  ModelInfo info;
  info.model = workload.model.name;
  info.dataset = "unknown";
  if (workload.model.is_graph()) info.provenance = kAnyNetwork;
  info.thresholds.assign(workload.model.spec.exits.size(), workload.model.threshold);
  save_model(folder / "model.safetensors", network, info);
  write_safetensors(folder / "images.safetensors", {{},
                                                    {{"pixels", workload.pixels},
                                                     {"expected", workload.expected},
                                                     {"calibration", workload.model.calibration}}});
}

Workload load_workload(const std::filesystem::path& folder) {
  Model model = load_model(folder / "model.safetensors");
  const double threshold = model.info.thresholds.empty() ? 0.0 : model.info.thresholds.front();
  Workload out;
  const NetworkSpec& spec = model.network->spec();
  out.model = model.info.provenance == kAnyNetwork
                  ? network_model(model.info.model, spec, model.network->state_dict())
                  : peer_model(model.info.model, spec, model.network->state_dict(), threshold);
  for (auto& [name, tensor] : read_safetensors(folder / "images.safetensors").tensors) {
    if (name == "pixels") out.pixels = tensor;
    if (name == "expected") out.expected = tensor;
    if (name == "calibration") out.model.calibration = tensor;
  }
  return out;
}

}  // namespace cbnet::peers
