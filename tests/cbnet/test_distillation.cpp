#include <nlohmann/json.hpp>

#include "cbnet/pipeline.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

PipelineOptions student(const std::string& teacher) {
  PipelineOptions options;
  options.recipe = short_recipe();
  options.recipe.network.epochs = 2;
  options.recipe.network.copies = 1;
  options.recipe.network.mixup = 0.5;
  options.recipe.network.distillation = {teacher, 2.0, 0.7};
  const NetworkSpec spec{"student", {1, 28, 28}, {kinds::Flatten{}, kinds::Linear{.out = 10}}, {}};
  options.network = OtherNetwork{"student", spec, {}};
  options.model = "student";
  return options;
}

}  // namespace

TEST_CASE("a teacher of the run by name, or a model file; another one's training does not go on") {
  const TempFolder folder;
  const RunFolder run(folder / "run");
  const data::Dataset dataset = bar_dataset(300, 10);
  CHECK_THROWS_SAYING(run_pipeline(dataset, run, student("lenet")), InputError,
                      "expected the teacher 'lenet', a model of this run; found none");
  PipelineOptions teacher;
  teacher.recipe = short_recipe();
  teacher.model = "lenet";
  run_pipeline(dataset, run, teacher);
  run_pipeline(dataset, run, student("lenet"));
  const auto record = nlohmann::json::parse(read_file(run.run_file()));
  CHECK(record.at("recipe").at("network").at("teacher") == "lenet");
  CHECK(record.at("stages").at("student").at("validation").at("accuracy") > 0.5);
  const std::string trained = read_file(run.model_file("student"));

  // The same weights in another place are the same teacher.
  const auto elsewhere = folder / "other.safetensors";
  std::filesystem::copy_file(run.model_file("lenet"), elsewhere);
  PipelineOptions again = student(elsewhere.string());
  again.resume = true;
  run_pipeline(dataset, run, again);
  CHECK(read_file(run.model_file("student")) == trained);

  const RunFolder second(folder / "second");
  teacher.seed = 2;
  run_pipeline(dataset, second, teacher);
  again = student(second.model_file("lenet").string());
  again.resume = true;
  CHECK_THROWS_SAYING(run_pipeline(dataset, run, again), InputError, "expected a model trained with");
}

TEST_CASE("an autoencoder has no teacher") {
  CHECK_THROWS_SAYING(
      recipe_from_json(R"({"autoencoder": {"teacher": "lenet"}})", short_recipe(), "mine.json"), InputError,
      "mixup and a teacher are for classifiers");
}
