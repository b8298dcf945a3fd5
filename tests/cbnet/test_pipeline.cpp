#include "cbnet/pipeline.h"

#include <nlohmann/json.hpp>

#include "cbnet/evaluate.h"
#include "cbnet/predictor.h"
#include "models/checkpoint.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {
PipelineOptions short_options() {
  PipelineOptions options;
  options.recipe = short_recipe();
  return options;
}

const data::Dataset& bars() {
  static const data::Dataset dataset = bar_dataset(600, 100);
  return dataset;
}

/// Trained once for all that starts from a whole run, and what was said.
struct Trained {
  TempFolder folder;
  RunFolder run{folder / "run"};
  std::string said;

  Trained() {
    PipelineOptions options = short_options();
    options.say = [this](const std::string& line) { said += line + "\n"; };
    run_pipeline(bars(), run, options);
  }
};
}  // namespace

TEST_CASE("the whole method trains, writes its folder, resumes and repeats to the bit") {
  static const Trained trained;
  const data::Dataset& dataset = bars();
  const TempFolder folder;
  const RunFolder run(folder / "run");
  std::filesystem::copy(trained.run.path(), run.path());
  CHECK(contains(trained.said, "branchynet: threshold 1 nats (given)"));
  CHECK(contains(trained.said, "classified correctly (the easy pool); targets: fixed_image"));
  for (const std::string& name : model_names()) CHECK(has_model(run.path(), name));
  CHECK_FALSE(std::filesystem::exists(run.state_file("lenet")));

  const auto json = nlohmann::json::parse(read_file(run.run_file()));
  CHECK(json.at("dataset") == "fmnist");
  CHECK(json.at("train_images") == 550);
  CHECK(json.at("stages").at("autoencoder").at("conversion").at("fixed_images").size() == 10);
  CHECK(json.at("stages").at("branchynet").at("validation").at("accuracy") > 0.9);
  CHECK(run.read_log().size() == 4 + 4 + 25);

  const std::string lenet = read_file(run.model_file("lenet"));
  const std::string autoencoder = read_file(run.model_file("autoencoder"));

  SUBCASE("a second run without --resume is refused and harms nothing") {
    CHECK_THROWS_SAYING(run_pipeline(dataset, run, short_options()), InputError, "--resume continues it");
    CHECK(read_file(run.model_file("lenet")) == lenet);
  }
  SUBCASE("with --resume finished models are kept; another recipe is refused") {
    PipelineOptions again = short_options();
    again.resume = true;
    run_pipeline(dataset, run, again);
    CHECK(read_file(run.model_file("autoencoder")) == autoencoder);
    CHECK(run.read_log().size() == 4 + 4 + 25);
    again.recipe.lenet.epochs = 5;
    CHECK_THROWS_SAYING(run_pipeline(dataset, run, again), InputError,
                        "expected a model trained with recipe/epochs 5; found recipe/epochs 4");
  }
  SUBCASE("what is finished is not written again, whatever the threads; a state left by a kill goes") {
    const auto classifier = std::filesystem::last_write_time(run.model_file("classifier"));
    write_file_atomic(run.state_file("branchynet"), "left over");
    PipelineOptions again = short_options();
    again.resume = true;
    const int threads = num_threads();
    set_num_threads(threads + 1);
    run_pipeline(dataset, run, again);
    set_num_threads(threads);
    CHECK(std::filesystem::last_write_time(run.model_file("classifier")) == classifier);
    CHECK_FALSE(std::filesystem::exists(run.state_file("branchynet")));
  }
  SUBCASE("other images, another seed: refused by name") {
    PipelineOptions again = short_options();
    again.resume = true;
    again.seed = 2;
    CHECK_THROWS_SAYING(run_pipeline(dataset, run, again), InputError, "expected a run with seed 2; found 1");
    data::Dataset other = bar_dataset(600, 100);
    other.train.images.data<std::uint8_t>()[0] ^= 1U;
    CHECK_THROWS_SAYING(run_pipeline(other, run, short_options()), InputError, "--resume continues it");
    again.seed = 1;
    CHECK_THROWS_SAYING(run_pipeline(other, run, again), InputError, "expected a run with data_md5");
  }
  SUBCASE("a classifier of another BranchyNet is refused") {
    PipelineOptions other = short_options();
    other.seed = 3;
    other.model = "cbnet";
    const RunFolder stranger(folder / "stranger");
    run_pipeline(dataset, stranger, other);
    std::filesystem::copy_file(stranger.model_file("classifier"), run.model_file("classifier"),
                               std::filesystem::copy_options::overwrite_existing);
    CHECK_THROWS_SAYING(load_predictor(run.path(), "cbnet"), InputError,
                        "was trained for (seed 1); found seed 3");
  }
  SUBCASE("the same seed elsewhere gives the same bytes, another seed does not") {
    const RunFolder twin(folder / "twin");
    PipelineOptions same = short_options();
    run_pipeline(dataset, twin, same);
    CHECK(read_file(twin.model_file("lenet")) == lenet);
    CHECK(read_file(twin.model_file("autoencoder")) == autoencoder);
    const RunFolder stranger(folder / "stranger");
    same.seed = 2;
    same.model = "lenet";
    run_pipeline(dataset, stranger, same);
    CHECK(read_file(stranger.model_file("lenet")) != lenet);
    CHECK_FALSE(has_model(stranger.path(), "branchynet"));
  }
  SUBCASE("every predictor judges the test set; the branch is BranchyNet with everything leaving early") {
    const auto accuracy = [&](const std::string& name, double threshold) {
      return evaluate(*load_predictor(run.path(), name, threshold), dataset.test.images, dataset.test.labels);
    };
    CHECK(accuracy("lenet", -1).accuracy > 0.9);
    CHECK(accuracy("cbnet", -1).accuracy > 0.9);
    const Evaluation all_early = accuracy("branchynet", 10.0);
    CHECK(all_early.exit_rates == std::vector<double>{1.0, 0.0});
    CHECK(all_early.mean_macs == 220'150);
    CHECK(all_early.confusion == accuracy("classifier", -1).confusion);
    CHECK(accuracy("branchynet", 0.0).mean_macs == 1'247'720);
    CHECK(accuracy("branchynet", 0.0).exit_rates == std::vector<double>{0.0, 1.0});
  }
}

TEST_CASE("models trained one by one keep each other's records") {
  const data::Dataset dataset = bar_dataset(200, 10);
  const TempFolder folder;
  const RunFolder run(folder.path());
  PipelineOptions options = short_options();
  options.model = "lenet";
  run_pipeline(dataset, run, options);
  options.model = "branchynet";
  run_pipeline(dataset, run, options);
  const auto stages = nlohmann::json::parse(read_file(run.run_file())).at("stages");
  CHECK(stages.contains("lenet"));
  CHECK(stages.contains("branchynet"));
  CHECK(run.read_log().size() == 4 + 4);
}

TEST_CASE("an unknown model is refused before anything is written") {
  const TempFolder folder;
  PipelineOptions options = short_options();
  options.model = "resnet";
  CHECK_THROWS_SAYING(run_pipeline(bar_dataset(100, 10), RunFolder(folder / "run"), options),
                      std::invalid_argument, "got 'resnet'");
  CHECK_FALSE(std::filesystem::exists(folder / "run"));
}

TEST_CASE("the joint loss weighs both exits") {
  const data::Dataset dataset = bar_dataset(20, 10);
  data::BatchOptions batch_options;
  batch_options.batch_size = 20;
  const data::Batch batch = data::Batches(dataset.train.images, dataset.train.labels, batch_options).batch(0);
  Network network(branchynet_spec(), 1);
  const double early = joint_step(network, batch, 1, 0).loss.value().item();
  const double final = joint_step(network, batch, 0, 1).loss.value().item();
  CHECK(joint_step(network, batch, 2, 3).loss.value().item() == doctest::Approx(2 * early + 3 * final));
}
