#include "bench/peers/workload.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cbnet/run_folder.h"
#include "models/checkpoint.h"
#include "models/zoo.h"
#include "tests/data/files.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::peers;

namespace {

/// The excerpt of Fashion-MNIST that the tests ship.
data::Location excerpt() {
  data::Location out;
  out.data_dir = test::excerpt_folder();
  out.allow_download = false;
  return out;
}

void save(const RunFolder& run, const std::string& name, const NetworkSpec& spec,
          const std::vector<double>& thresholds) {
  ModelInfo info;
  info.model = name;
  info.dataset = "fmnist";
  info.thresholds = thresholds;
  save_model(run.model_file(name), Network(spec, 3), info);
}

}  // namespace

TEST_CASE("peers: a workload comes back from its files as it was") {
  const testing::TempFolder folder;
  for (const char* name : {"branchynet", "autoencoder-mnist"}) {
    const Workload made = random_workload(name, 2, 0.25, 8);
    save_workload(folder.path(), made);
    const Workload read = load_workload(folder.path());
    CHECK(read.model.name == name);
    CHECK(read.model.threshold == made.model.threshold);
    CHECK(read.model.has_exit() == made.model.has_exit());
    CHECK(read.pixels.to_vector<float>() == made.pixels.to_vector<float>());
    CHECK(read.model.calibration.numel() == made.model.calibration.numel());
    CHECK(read.expected.to_vector<double>() == reference(read.model, read.pixels));
  }
}

TEST_CASE("peers: zeros are counted where dense layers read them") {
  Workload workload = random_workload("autoencoder-mnist", 2, 0.0, 4);
  const double before = zero_share(workload);
  CHECK(before > 0.05);  // behind two ReLUs
  CHECK(before < 0.4);
  workload.pixels = Tensor::zeros(workload.pixels.shape());
  CHECK(zero_share(workload) > 614'656.0 / 953'088.0);
  CHECK(zero_share(random_workload("lenet", 2, 0.0, 4)) == 0.0);
}

TEST_CASE("peers: trained networks and test images, at the share of the whole test set") {
  const testing::TempFolder folder;
  const RunFolder run(folder.path());
  CHECK_THROWS_SAYING(trained_run(folder.path()), InputError, "trained models");
  save(run, "branchynet", branchynet_spec(), {2.295});
  save(run, "classifier", classifier_spec(), {});
  save(run, "autoencoder", autoencoder_spec("fmnist", OutputActivation::sigmoid), {});
  run.write_cbnet({"autoencoder.safetensors", "classifier.safetensors"}, "fmnist");
  const TrainedRun trained = trained_run(folder.path());
  CHECK(trained.dataset == "fmnist");
  CHECK(trained.models ==
        std::vector<std::string>{"classifier", "branchynet", "autoencoder-fmnist", "cbnet-fmnist"});

  const Workload exits = trained_workload("branchynet", folder.path(), excerpt(), 16);
  CHECK(exits.pixels.size(0) == 16);
  CHECK(exits.hard_share > 0.0);
  CHECK(exits.hard_share < 1.0);
  // Of the first images, as many stay as of the whole test set.
  PeerModel late = exits.model;
  late.threshold = -1.0;
  const std::vector<double> stayed = reference(late, exits.pixels);
  const std::vector<double> early_or_late = exits.expected.to_vector<double>();
  int hard = 0;
  for (std::int64_t i = 0; i < 16; ++i)
    hard +=
        early_or_late[static_cast<std::size_t>(10 * i)] == stayed[static_cast<std::size_t>(10 * i)] ? 1 : 0;
  CHECK(hard == std::llround(16 * exits.hard_share));

  // CBNet is its two halves, one after the other.
  const Workload whole = trained_workload("cbnet-fmnist", folder.path(), excerpt(), 3);
  const Workload first = trained_workload("autoencoder-fmnist", folder.path(), excerpt(), 3);
  const Workload second = trained_workload("classifier", folder.path(), excerpt(), 3);
  const std::vector<double> expected = reference(second.model, first.expected.reshape({3, 1, 28, 28}));
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(whole.expected.to_vector<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-9));

  save(run, "autoencoder", autoencoder_spec("fmnist", OutputActivation::softmax), {});
  CHECK_THROWS_SAYING(trained_workload("autoencoder-fmnist", folder.path(), excerpt(), 3), InputError,
                      "ends in sigmoid");
}
