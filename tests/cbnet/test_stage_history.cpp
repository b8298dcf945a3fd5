#include "cbnet/stage_history.h"

#include "models/zoo.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"
#include "train/provenance.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

// test_pipeline.cpp follows whole trainings; here stand models without one.
struct Setup {
  TempFolder folder;
  RunFolder run{folder.path()};
  Recipe recipe = short_recipe();

  StageHistory history() const { return {run, recipe, {"fmnist", "md5", 1}}; }
  void put(const std::string& stage, const NetworkSpec& spec, const std::string& fingerprint) const {
    ModelInfo info;
    info.model = stage;
    info.provenance = make_provenance(fingerprint);
    save_model(run.model_file(stage), Network(spec, 1), info);
  }
};

}  // namespace

TEST_CASE("a stage of the same settings is kept, once") {
  const Setup setup;
  StageHistory history = setup.history();
  setup.put("lenet", lenet_spec(), history.fingerprint("lenet"));
  history.look_at({"lenet"});
  CHECK(history.take_finished("lenet").has_value());
  CHECK_FALSE(history.take_finished("lenet").has_value());
  CHECK_FALSE(history.is_anew("lenet"));
}

TEST_CASE("the epochs of a lengthened training are part of what it is, and of what was made from it") {
  const Setup setup;
  StageHistory history = setup.history();
  const std::string plain = history.fingerprint("autoencoder");
  setup.put("branchynet", branchynet_spec(), with_earlier(history.fingerprint("branchynet"), {{2, 2}}));
  setup.put("autoencoder", autoencoder_spec("fmnist", OutputActivation::sigmoid), plain);
  history.look_at({"branchynet", "autoencoder"});
  CHECK(history.take_finished("branchynet").has_value());
  CHECK(history.fingerprint("autoencoder") != plain);
  CHECK(history.is_anew("autoencoder"));
}

TEST_CASE("more epochs need the state, fewer are refused, and so is what is no fingerprint") {
  Setup setup;
  setup.put("lenet", lenet_spec(), setup.history().fingerprint("lenet"));
  setup.recipe.lenet.epochs = 9;
  CHECK_THROWS_SAYING(setup.history().look_at({"lenet"}), InputError, "--epochs 4 keeps the model");
  write_file_atomic(setup.run.finished_file("lenet"), "a state");
  StageHistory longer = setup.history();
  longer.look_at({"lenet"});
  CHECK_FALSE(longer.take_finished("lenet").has_value());
  setup.recipe.lenet.epochs = 3;
  CHECK_THROWS_SAYING(setup.history().look_at({"lenet"}), InputError, "at most 3 epochs; found 4");
  setup.put("lenet", lenet_spec(), "{\"recipe\":{\"epochs\":2.5}}");
  CHECK_THROWS_SAYING(setup.history().look_at({"lenet"}), InputError, "choose another --out");
}
