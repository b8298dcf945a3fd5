#include "cbnet/pipeline.h"

#include <functional>
#include <map>
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
    again.recipe.lenet.batch_size = 40;
    CHECK_THROWS_SAYING(run_pipeline(dataset, run, again), InputError,
                        "expected a model trained with recipe/batch_size 40; found recipe/batch_size 50");
    again.recipe = short_recipe();
    again.recipe.lenet.epochs = 3;
    CHECK_THROWS_SAYING(run_pipeline(dataset, run, again), InputError,
                        "expected a model trained for at most 3 epochs; found 4");
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
    const auto accuracy = [&](const std::string& name, const std::vector<double>& thresholds) {
      return evaluate(*load_predictor(run.path(), name, thresholds), dataset.test.images,
                      dataset.test.labels);
    };
    CHECK(accuracy("lenet", {}).accuracy > 0.9);
    CHECK(accuracy("cbnet", {}).accuracy > 0.9);
    const Evaluation all_early = accuracy("branchynet", {10.0});
    CHECK(all_early.exit_rates == std::vector<double>{1.0, 0.0});
    CHECK(all_early.mean_macs == 220'150);
    CHECK(all_early.confusion == accuracy("classifier", {}).confusion);
    CHECK(accuracy("branchynet", {0.0}).mean_macs == 1'247'720);
    CHECK(accuracy("branchynet", {0.0}).exit_rates == std::vector<double>{0.0, 1.0});
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
  const double early = classification_step(network, batch, 1, 0).loss.value().item();
  const double final = classification_step(network, batch, 0, 1).loss.value().item();
  CHECK(classification_step(network, batch, 2, 3).loss.value().item() ==
        doctest::Approx(2 * early + 3 * final));
}

namespace {

/// Everything that a run leaves but the records, which hold times.
std::map<std::string, std::string> weights_of(const RunFolder& run) {
  std::map<std::string, std::string> out;
  for (const char* model : {"lenet", "branchynet", "autoencoder", "classifier"}) {
    if (has_model(run.path(), model)) out[model] = read_file(run.model_file(model));
  }
  return out;
}

PipelineOptions epochs_at_constant_rate(std::int64_t epochs) {
  PipelineOptions options = short_options();
  for (TrainRecipe* part : {&options.recipe.lenet, &options.recipe.branchynet, &options.recipe.autoencoder}) {
    part->epochs = epochs;
    part->schedule = ScheduleKind::constant;
  }
  options.recipe.thresholds = {2.5};
  return options;
}

void go_on(const data::Dataset& dataset, const RunFolder& run, PipelineOptions options) {
  options.resume = true;
  run_pipeline(dataset, run, options);
}

}  // namespace

TEST_CASE("a finished training goes on to more epochs, with the bits of one training of all of them") {
  const data::Dataset& dataset = bars();
  const TempFolder folder;
  const RunFolder run(folder / "run"), whole(folder / "whole");
  run_pipeline(dataset, whole, epochs_at_constant_rate(5));
  run_pipeline(dataset, run, epochs_at_constant_rate(3));
  const auto expected = weights_of(whole);
  REQUIRE(expected.size() == 4);

  SUBCASE("at once") { go_on(dataset, run, epochs_at_constant_rate(5)); }
  SUBCASE("over one epoch more") {
    go_on(dataset, run, epochs_at_constant_rate(4));
    go_on(dataset, run, epochs_at_constant_rate(5));
  }
  SUBCASE("killed after any epoch on the way") {
    struct Kill {};
    PipelineOptions killed = epochs_at_constant_rate(5);
    for (const int batches : {12, 7, 12, 7, 30, 3}) {
      int seen = 0;
      killed.progress = [&](const Progress&) {
        if (++seen == batches) throw Kill();
      };
      CHECK_THROWS_AS(go_on(dataset, run, killed), Kill);
    }
    go_on(dataset, run, epochs_at_constant_rate(5));
  }
  CHECK(weights_of(run) == expected);
  CHECK(evaluate(*load_predictor(run.path(), "cbnet"), dataset.test.images, dataset.test.labels).images ==
        100);
  CHECK(run.read_log().size() == 15);
  CHECK_FALSE(contains(read_file(run.run_file()), "earlier_epochs"));
  // Fewer are refused before anything is trained, and nothing is harmed.
  PipelineOptions fewer = epochs_at_constant_rate(5);
  fewer.recipe.autoencoder.epochs = 4;
  fewer.recipe.lenet.epochs = 6;
  CHECK_THROWS_SAYING(go_on(dataset, run, fewer), InputError, "at most 4 epochs; found 5");
  CHECK(weights_of(run) == expected);
}

TEST_CASE("where the schedule depends on the length, it goes on and says what differs") {
  const data::Dataset& dataset = bars();
  const TempFolder folder;
  const RunFolder run(folder / "run"), whole(folder / "whole");
  const auto cosine = [](std::int64_t epochs, const char* model) {
    PipelineOptions options = short_options();
    for (TrainRecipe* part : {&options.recipe.lenet, &options.recipe.branchynet, &options.recipe.autoencoder})
      part->epochs = epochs;
    options.recipe.thresholds = {2.5};
    options.model = model;
    return options;
  };
  run_pipeline(dataset, whole, cosine(4, "lenet"));
  run_pipeline(dataset, run, cosine(2, "all"));
  std::string said;
  PipelineOptions longer = cosine(4, "all");
  longer.say = [&](const std::string& line) { said += line + "\n"; };
  go_on(dataset, run, longer);
  CHECK(contains(said, "lenet: epoch 2 of 2 is done; it goes on to epoch 4"));
  CHECK(contains(said, "not the weights that 4 epochs at once give: the schedule (cosine)"));
  CHECK(contains(said, "autoencoder: trained anew, for the network that it is made from has changed"));
  CHECK(read_file(run.model_file("lenet")) != read_file(whole.model_file("lenet")));
  const auto stages = nlohmann::json::parse(read_file(run.run_file())).at("stages");
  CHECK(stages.at("lenet").at("earlier_epochs").at(0) == nlohmann::json{{"until", 2}, {"of", 2}});
  CHECK(stages.at("lenet").at("epochs") == 4);
  CHECK_FALSE(stages.at("autoencoder").contains("earlier_epochs"));
  CHECK(load_predictor(run.path(), "cbnet")->name() == "cbnet");
  // What was lengthened is finished like anything else.
  const auto before = weights_of(run);
  go_on(dataset, run, cosine(4, "all"));
  CHECK(weights_of(run) == before);
}

TEST_CASE("more epochs leave no model of the BranchyNet before, and need the state") {
  const data::Dataset& dataset = bars();
  const TempFolder folder;
  const RunFolder run(folder / "run");
  run_pipeline(dataset, run, epochs_at_constant_rate(1));
  const auto before = weights_of(run);
  PipelineOptions longer = epochs_at_constant_rate(2);
  longer.model = "branchynet";
  CHECK_THROWS_SAYING(go_on(dataset, run, longer), InputError, "--model cbnet makes it anew");
  CHECK(weights_of(run) == before);
  longer.model = "autoencoder";
  go_on(dataset, run, longer);
  CHECK(load_predictor(run.path(), "cbnet")->name() == "cbnet");
  std::filesystem::remove(run.finished_file("lenet"));
  longer.model = "lenet";
  CHECK_THROWS_SAYING(go_on(dataset, run, longer), InputError, "--epochs 1 keeps the model");
}

TEST_CASE("classes without images train; what cannot is refused before anything is written") {
  const auto only = [](std::int64_t images, const std::function<bool(std::int64_t)>& keep) {
    data::Dataset dataset = bar_dataset(600, 20);
    std::vector<std::int64_t> chosen;
    const auto labels = dataset.train.labels.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < labels.size() && static_cast<std::int64_t>(chosen.size()) < images; ++i) {
      if (keep(labels[i])) chosen.push_back(static_cast<std::int64_t>(i));
    }
    dataset.train = {data::gather(dataset.train.images, chosen), data::gather(dataset.train.labels, chosen)};
    return dataset;
  };
  const TempFolder folder;
  const RunFolder run(folder / "run");
  std::string said;
  PipelineOptions options = short_options();
  options.say = [&](const std::string& line) { said += line + "\n"; };
  const auto all = [](std::int64_t) { return true; };

  SUBCASE("labels 0 to 4, a class missing in the middle, and one class alone") {
    options.recipe.thresholds = {2.5};  // few images: at less, not every class has an easy one
    const data::Dataset five = only(300, [](std::int64_t label) { return label < 5; });
    run_pipeline(five, run, options);
    CHECK(contains(said, "no model learns it: class 5 (Sandal), 6"));
    const auto stages = nlohmann::json::parse(read_file(run.run_file())).at("stages");
    CHECK(stages.at("autoencoder").at("conversion").at("fixed_images").at(7).is_null());
    CHECK(stages.at("autoencoder").at("conversion").at("fixed_images").at(4).is_number());
    const data::Dataset gap = only(300, [](std::int64_t label) { return label != 4; });
    options.recipe.target = TargetPolicy::random_easy;
    options.recipe.output = OutputActivation::softmax;
    options.recipe.reconstruction = ReconstructionLoss::mse;
    run_pipeline(gap, RunFolder(folder / "gap"), options);
    const data::Dataset one = only(60, [](std::int64_t label) { return label == 3; });
    run_pipeline(one, RunFolder(folder / "one"), options);
    CHECK(has_model(folder / "one", "cbnet"));
  }
  SUBCASE("five images hold none out, one cannot, and all held out leave none") {
    CHECK_THROWS_SAYING(run_pipeline(only(5, all), run, options), InputError,
                        "found 5 and 0 with a validation_fraction of 0.0833333; hint: "
                        "--validation-fraction 0.2 holds out one of 5 images");
    CHECK_THROWS_SAYING(run_pipeline(only(1, all), run, options), InputError, "at least 2 training images");
    options.recipe.validation_fraction = 0.95;
    CHECK_THROWS_SAYING(run_pipeline(only(5, all), run, options), InputError, "found 0 and 5");
    CHECK_FALSE(std::filesystem::exists(run.path()));
    options.recipe.validation_fraction = 0.2;
    options.model = "branchynet";
    run_pipeline(only(5, all), run, options);
    CHECK(contains(said, "with images for validation alone"));
  }
  SUBCASE("a threshold at which nothing is easy") {
    options.recipe.thresholds = {0.0};
    CHECK_THROWS_SAYING(run_pipeline(bars(), run, options), InputError, "a threshold above 0");
    options.model = "branchynet";
    options.recipe.branchynet.epochs = 1;
    run_pipeline(bars(), run, options);
  }
}
