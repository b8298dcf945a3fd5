#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "data/idx.h"
#include "data/image.h"
#include "models/safetensors.h"
#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;
using cbnet::read_file;

namespace {

const std::vector<std::string> kModels{"lenet", "branchynet", "autoencoder", "classifier"};

std::vector<std::string> with_excerpt(std::vector<std::string> arguments) {
  const std::vector<std::string> more = excerpt_options();
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string run_file(const std::string& run, const std::string& name) { return run + "/" + name; }

void check_keys(const Json& json, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) CHECK_MESSAGE(json.contains(key), "no key " << key);
}

std::string excerpt_image(int index) {
  return excerpt_folder() + "/t10k-images-idx3-ubyte.gz#" + std::to_string(index);
}

void check_probabilities(const Json& answer) {
  CHECK(answer["probabilities"].size() == 10);
  double sum = 0.0;
  double entropy = 0.0;
  for (const Json& p : answer["probabilities"]) {
    sum += p.get<double>();
    if (p.get<double>() > 0) entropy -= p.get<double>() * std::log(p.get<double>());
  }
  CHECK(sum == doctest::Approx(1.0).epsilon(1e-5));
  // Both are of the only exit here.
  CHECK(answer["entropy"].get<double>() == doctest::Approx(entropy).epsilon(1e-4));
  const auto label = answer["label"].get<std::size_t>();
  for (const Json& p : answer["probabilities"]) CHECK(p <= answer["probabilities"][label]);
}

}  // namespace

TEST_CASE("train writes the run folder and says what came of it") {
  const TempFolder folder;
  const std::string run = folder / "run";
  const ProgramResult result = cbnet_run(train_arguments(run, {"--json", folder / "out/train.json"}));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.out.find("200 training images, 100 test images") != std::string::npos);
  CHECK(result.out.find(excerpt_folder()) != std::string::npos);
  CHECK(result.out.find("seed 1, threads 1, ISA ") != std::string::npos);
  // Not a terminal: plain lines, one an epoch and stage.
  CHECK(result.err.find('\r') == std::string::npos);
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 3 * 12);
  CHECK(result.err.find("branchynet 2/3  epoch 12/12  loss ") != std::string::npos);
  for (const std::string& model : kModels) {
    CHECK(std::filesystem::exists(run_file(run, model + ".safetensors")));
    CHECK_FALSE(std::filesystem::exists(run_file(run, model + ".state.safetensors")));
    CHECK(result.out.find(run_file(run, model + ".safetensors")) != std::string::npos);
  }
  const Json report = read_json(folder / "out/train.json");
  check_keys(report, {"version", "dataset", "files", "seed", "threads", "isa", "recipe", "stages",
                      "model_files", "device"});
  CHECK(report["model_files"]["cbnet"] == run_file(run, "cbnet.json"));
  CHECK(report["recipe"] == read_json(run_file(run, "run.json"))["recipe"]);
  CHECK(report["stages"]["autoencoder"]["validation"].contains("cbnet_accuracy"));
  std::filesystem::path no_leftovers = run;
  for (const auto& entry : std::filesystem::directory_iterator(no_leftovers)) {
    CHECK(entry.path().extension() != ".tmp");
  }
}

TEST_CASE("the same seed gives the same bytes, another one does not, and --quiet says only results") {
  const TempFolder folder;
  const ProgramResult result = cbnet_run(train_arguments(folder / "same", {"--quiet", "--seed", "1"}));
  REQUIRE(result.exit_code == 0);
  CHECK(result.err == "");
  CHECK(result.out.starts_with("\nOn the 17 validation images:\n"));
  for (const std::string& model : kModels) {
    const std::string name = model + ".safetensors";
    CHECK_MESSAGE(read_file(run_file(folder / "same", name)) == read_file(run_file(trained_run(), name)),
                  name);
  }
  const auto other =
      train_arguments(folder / "other", {"--quiet", "--seed", "2", "--model", "lenet", "--epochs", "1"});
  REQUIRE(cbnet_run(other).exit_code == 0);
  CHECK(read_file(folder / "other/lenet.safetensors") !=
        read_file(run_file(trained_run(), "lenet.safetensors")));
}

TEST_CASE("a finished run is never overwritten; --resume keeps every byte; another recipe is refused") {
  const std::string& run = trained_run();
  std::vector<std::pair<std::string, std::string>> before;
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    before.emplace_back(entry.path().string(), read_file(entry.path()));
  }
  CHECK(before.size() == 10);
  const ProgramResult refused = cbnet_run(train_arguments(run, {"--quiet"}));
  check_refused(refused, "--resume continues it");
  const ProgramResult result = cbnet_run(train_arguments(run, {"--resume"}));
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("lenet: finished before, kept") != std::string::npos);
  check_refused(cbnet_run(train_arguments(run, {"--resume", "--quiet", "--seed", "9"})),
                "hint: choose another --out");
  // Named members: Clang 14 cannot capture structured bindings in the lambda of a message.
  for (const auto& kept : before) CHECK_MESSAGE(read_file(kept.first) == kept.second, kept.first);
}

TEST_CASE("a finished training goes on to more epochs; fewer and other settings are refused by name") {
  const TempFolder folder;
  const auto train = [&](const std::string& run, const char* epochs, std::vector<std::string> more) {
    std::vector<std::string> words{
        "train",           "--out", folder / run, "--batch-size", "10",       "--threshold", "2.5",
        "--learning-rate", "0.002", "--schedule", "constant",     "--epochs", epochs,        "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return cbnet_run(with_excerpt(words));
  };
  REQUIRE(train("whole", "12", {}).exit_code == 0);
  REQUIRE(train("run", "8", {}).exit_code == 0);
  CHECK(train("run", "12", {"--resume"}).exit_code == 0);
  for (const char* model : {"lenet", "branchynet", "autoencoder", "classifier"}) {
    const std::string file = std::string(model) + ".safetensors";
    CHECK_MESSAGE(read_file(run_file(folder / "run", file)) == read_file(run_file(folder / "whole", file)),
                  file);
  }
  check_refused(train("run", "9", {"--resume"}), "expected a model trained for at most 9 epochs; found 12");
  check_refused(train("run", "13", {"--resume", "--weight-decay", "0.1"}), "recipe/weight_decay 0.1");
  check_refused(train("run", "13", {"--resume", "--model", "branchynet"}), "--model cbnet makes it anew");
}

TEST_CASE("eval measures every model of the run on the test set") {
  const TempFolder folder;
  const ProgramResult result =
      cbnet_run(with_excerpt({"eval", "--run", trained_run(), "--json", folder / "e.json"}));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err == "");
  CHECK(result.out.find("Ankle boot") != std::string::npos);
  const Json report = read_json(folder / "e.json");
  check_keys(report, {"version", "device", "isa", "threads", "run", "trained_on", "dataset", "files",
                      "test_images", "models"});
  CHECK(report["test_images"] == 100);
  for (const char* name : {"lenet", "branchynet", "classifier", "cbnet"}) {
    const Json& model = report["models"][name];
    check_keys(model, {"accuracy", "exit_rates", "mean_macs", "macs_by_exit", "parameters", "size_bytes",
                       "recall", "confusion"});
    double right = 0;
    double images = 0;
    for (std::size_t label = 0; label < 10; ++label) {
      right += model["confusion"][label][label].get<double>();
      for (const Json& count : model["confusion"][label]) images += count.get<double>();
    }
    CHECK(images == 100);
    CHECK(model["accuracy"].get<double>() == doctest::Approx(right / 100));
    CHECK(model["recall"]["Bag"].get<double>() ==
          doctest::Approx(model["confusion"][8][8].get<double>() / 10));
  }
  CHECK(report["models"]["autoencoder"]["accuracy"].is_null());
  CHECK(report["models"]["lenet"]["parameters"] == 67824);
  CHECK(report["models"]["lenet"]["mean_macs"] == 1140070);
  // At this threshold every image leaves early.
  CHECK(report["models"]["branchynet"]["exit_rates"] == Json{1.0, 0.0});
  CHECK(report["models"]["branchynet"]["mean_macs"] == 220150);
}

TEST_CASE("eval takes one model, a threshold, explicit files, and warns about another dataset") {
  const TempFolder folder;
  const std::string images = excerpt_folder() + "/t10k-images-idx3-ubyte.gz";
  const std::string labels = excerpt_folder() + "/t10k-labels-idx1-ubyte.gz";
  const ProgramResult result = cbnet_run({"eval", "--run", trained_run(), "--dataset", "mnist",
                                          "--test-images", images, "--test-labels", labels, "--model",
                                          "branchynet", "--threshold", "0", "--json", folder / "e.json"});
  REQUIRE(result.exit_code == 0);
  CHECK(result.err == "cbnet: warning: these models were trained on fmnist, and are measured on mnist\n");
  const Json report = read_json(folder / "e.json");
  CHECK(report.contains("warning"));
  CHECK(report["models"].size() == 1);
  CHECK(report["models"]["branchynet"]["exit_rates"] == Json{0.0, 1.0});
  CHECK(report["models"]["branchynet"]["mean_macs"] == 1247720);
  check_refused(
      cbnet_run(with_excerpt({"eval", "--run", trained_run(), "--model", "lenet", "--threshold", "1"})),
      "only a model with side exits has thresholds");
  check_refused(cbnet_run(with_excerpt({"eval", "--run", trained_run(), "--model", "vgg"})), "got 'vgg'");
}

TEST_CASE("eval draws the hard images and what they are converted into") {
  const TempFolder folder;
  const std::string sheet = folder / "pictures/hard.png";
  const ProgramResult result = cbnet_run(with_excerpt({"eval", "--run", trained_run(), "--threshold", "0.2",
                                                       "--save-sheet", sheet, "--json", folder / "e.json"}));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(read_json(folder / "e.json")["sheet"] == sheet);
  const cbnet::Tensor picture = cbnet::data::read_image(sheet);
  CHECK(picture.size(1) > 10 * 112);
  CHECK(picture.size(2) > 8 * 112);
  const ProgramResult none =
      cbnet_run(with_excerpt({"eval", "--run", trained_run(), "--save-sheet", folder / "none.png"}));
  CHECK(none.exit_code == 2);
  CHECK(none.err.find("past the first exit") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "none.png"));
}

TEST_CASE("predict classifies PNG, PGM and IDX images alike") {
  const TempFolder folder;
  const cbnet::Tensor image = cbnet::data::read_picture(excerpt_image(3), {1, 28, 28}, false);
  cbnet::data::write_png(folder / "a,b.png", image);
  std::string pgm = "P5\n28 28\n255\n";
  pgm.append(reinterpret_cast<const char*>(image.data<std::uint8_t>()), 28 * 28);
  put(folder / "a.pgm", pgm);
  const ProgramResult result =
      cbnet_run({"predict", "--run", trained_run(), folder / "a,b.png", folder / "a.pgm", excerpt_image(3),
                 excerpt_image(4), "--json", folder / "p.json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.out.find("entropy ") != std::string::npos);
  const Json report = read_json(folder / "p.json");
  check_keys(report, {"version", "device", "isa", "threads", "run", "model", "dataset", "classes", "images"});
  CHECK(report["model"] == "cbnet");
  REQUIRE(report["images"].size() == 4);
  for (const Json& answer : report["images"]) {
    check_keys(answer, {"image", "label", "class", "probabilities", "entropy", "exit", "exit_index"});
    CHECK(answer["class"] == report["classes"][answer["label"].get<std::size_t>()]);
    check_probabilities(answer);
  }
  for (const std::size_t i : {1, 2})
    CHECK(report["images"][i]["probabilities"] == report["images"][0]["probabilities"]);
  CHECK(report["images"][3]["probabilities"] != report["images"][0]["probabilities"]);
}

TEST_CASE("predict tells the exit that was taken, and agrees with eval") {
  const TempFolder folder;
  std::vector<std::string> arguments{"predict", "--run", trained_run(), "--model", "branchynet"};
  for (int i = 0; i < 100; ++i) arguments.push_back(excerpt_image(i));
  arguments.insert(arguments.end(), {"--threshold", "1.0", "--json", folder / "p.json"});
  REQUIRE(cbnet_run(arguments).exit_code == 0);
  REQUIRE(cbnet_run(with_excerpt({"eval", "--run", trained_run(), "--model", "branchynet", "--threshold",
                                  "1.0", "--json", folder / "e.json"}))
              .exit_code == 0);
  const Json images = read_json(folder / "p.json")["images"];
  const Json measured = read_json(folder / "e.json")["models"]["branchynet"];
  const auto labels =
      cbnet::data::read_idx(excerpt_folder() + "/t10k-labels-idx1-ubyte.gz").to_vector<std::int64_t>();
  int early = 0;
  int right = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    const bool left = images[i]["entropy"].get<double>() < 1.0;
    CHECK(images[i]["exit"] == (left ? "early" : "final"));
    CHECK(images[i]["exit_index"] == (left ? 0 : 1));
    early += left ? 1 : 0;
    right += images[i]["label"] == labels[i] ? 1 : 0;
  }
  CHECK(early > 0);
  CHECK(early < 100);
  CHECK(measured["exit_rates"][0].get<double>() == doctest::Approx(early / 100.0));
  CHECK(measured["accuracy"].get<double>() == doctest::Approx(right / 100.0));
}

TEST_CASE("predict saves what the autoencoder makes") {
  const TempFolder folder;
  REQUIRE(
      cbnet_run({"predict", "--run", trained_run(), excerpt_image(0), "--save-converted", folder / "one.png"})
          .exit_code == 0);
  CHECK(cbnet::data::read_image(folder / "one.png").shape() == cbnet::Shape{1, 28, 28});
  const ProgramResult sheet =
      cbnet_run({"predict", "--run", trained_run(), "--model", "autoencoder", excerpt_image(0),
                 excerpt_image(1), "--save-converted", folder / "two.png"});
  REQUIRE(sheet.exit_code == 0);
  CHECK(cbnet::data::read_image(folder / "two.png").size(2) > 2 * 112);
  check_refused(cbnet_run({"predict", "--run", trained_run(), "--model", "lenet", excerpt_image(0),
                           "--save-converted", folder / "no.png"}),
                "lenet converts nothing");
  check_refused(cbnet_run({"predict", "--run", trained_run(), "--model", "autoencoder", excerpt_image(0)}),
                "does not classify");
}

TEST_CASE("predict saves pixels and logits, from which its probabilities follow") {
  const TempFolder folder;
  const std::string file = folder / "logits.safetensors";
  REQUIRE(cbnet_run({"predict", "--run", trained_run(), "--model", "branchynet", "--threshold", "0",
                     excerpt_image(0), excerpt_image(1), "--save-logits", file, "--json", folder / "p.json"})
              .exit_code == 0);
  const cbnet::SafetensorsFile saved = cbnet::read_safetensors(file);
  CHECK(*saved.find_metadata("cbnet.model") == "branchynet");
  REQUIRE(saved.tensors.size() == 3);
  CHECK(saved.tensors[0].first == "exits.0");
  CHECK(saved.tensors[1].first == "exits.1");
  CHECK(saved.tensors[2].first == "pixels");
  CHECK(saved.tensors[2].second.select(0, 1).to_vector<std::uint8_t>() ==
        cbnet::data::read_picture(excerpt_image(1), {1, 28, 28}, false).to_vector<std::uint8_t>());
  const auto images = read_json(folder / "p.json")["images"];
  for (std::int64_t i = 0; i < 2; ++i) {
    const auto logits = saved.tensors[1].second.select(0, i).to_vector<double>();
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit);
    for (std::size_t c = 0; c < logits.size(); ++c) {
      CHECK(std::exp(logits[c]) / sum ==
            doctest::Approx(images[static_cast<std::size_t>(i)]["probabilities"][c].get<double>())
                .epsilon(1e-4));
    }
  }
  CHECK(cbnet_run({"predict", "--run", trained_run(), "--model", "autoencoder", excerpt_image(0),
                   "--save-logits", file})
            .exit_code == 0);
  CHECK(cbnet::read_safetensors(file).tensors.front().first == "converted");
  check_refused(cbnet_run({"predict", "--plan", "p.plan", excerpt_image(0), "--save-logits", file}),
                "--save-logits needs --run");
}

TEST_CASE("info tells of the machine, the networks and a model file") {
  const TempFolder folder;
  REQUIRE(cbnet_run({"info", "--json", folder / "i.json"}).exit_code == 0);
  const Json machine = read_json(folder / "i.json");
  check_keys(machine, {"version", "device", "isa", "blas", "threads", "wait_policy", "available_isas", "cuda",
                       "networks"});
  CHECK(machine["networks"][1]["macs_by_exit"] == Json{220150, 1247720});

  const std::string file = run_file(trained_run(), "branchynet.safetensors");
  const ProgramResult result = cbnet_run({"info", "--model", file, "--json", folder / "m.json"});
  REQUIRE(result.exit_code == 0);
  CHECK(result.out.find("trunk.0") != std::string::npos);
  CHECK(result.out.find("2.5 nats") != std::string::npos);
  const Json model = read_json(folder / "m.json")["model"];
  check_keys(model, {"file", "model", "dataset", "input", "layers", "macs", "macs_by_exit", "parameters",
                     "weight_bytes", "thresholds", "normalisation", "rescale", "provenance"});
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
  for (const Json& layer : model["layers"]) {
    check_keys(layer, {"name", "description", "output", "macs", "parameters"});
    macs += layer["macs"].get<std::int64_t>();
    parameters += layer["parameters"].get<std::int64_t>();
  }
  CHECK(macs == model["macs"]);
  CHECK(parameters == model["parameters"]);
  CHECK(model["provenance"]["threads"] == 1);
}

TEST_CASE("data lists, verifies and gets what is there") {
  const TempFolder folder;
  const std::vector<std::string> common{"--json", folder / "d.json"};
  const auto run = [&](const std::string& action) {
    std::vector<std::string> arguments = with_excerpt({"data", action});
    arguments.insert(arguments.end(), common.begin(), common.end());
    return cbnet_run(arguments);
  };
  CHECK(run("list").exit_code == 0);
  CHECK(read_json(folder / "d.json")["fmnist"]["train"]["images"] == 200);
  CHECK(run("get").exit_code == 0);
  CHECK(read_json(folder / "d.json")["fmnist"]["downloaded"] == false);
  // An excerpt is not what was published.
  const ProgramResult verified = run("verify");
  CHECK(verified.exit_code == 2);
  CHECK(read_json(folder / "d.json")["fmnist"]["files"][0]["verdict"] == "differs");
}

TEST_CASE("data get puts a dataset from elsewhere on the machine into the folder that is named") {
  const TempFolder folder;
  ProgramOptions options;
  options.environment = {{"CBNET_DATA", excerpt_folder()}};
  const std::vector<std::string> get{"data", "get", "--dataset", "fmnist", "--data-dir", folder / "usb"};
  const ProgramResult first = cbnet_run(get, options);
  INFO(first.err);
  CHECK(first.exit_code == 0);
  CHECK(first.out.find("fmnist copied:") != std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(excerpt_folder())) {
    if (entry.path().extension() != ".gz") continue;
    CHECK(cbnet::read_file(folder / ("usb/fmnist/" + entry.path().filename().string())) ==
          cbnet::read_file(entry.path().string()));
  }
  CHECK(cbnet_run(get, options).out.find("is here already") != std::string::npos);
  put(folder / "file", "");
  check_refused(cbnet_run({"data", "get", "--dataset", "fmnist", "--data-dir", folder / "file"}, options),
                "expected a folder; found a file; hint: check --data-dir");
}

TEST_CASE("KMNIST's subset goes by its own name") {
  const TempFolder folder;
  put(folder / "k/train-first7011-images-idx3-ubyte", idx_images(7011));
  put(folder / "k/train-first7011-labels-idx1-ubyte", idx_labels(7011));
  put(folder / "k/t10k-images-idx3-ubyte", idx_images(10));
  put(folder / "k/t10k-labels-idx1-ubyte", idx_labels(10));
  for (const std::string action : {"list", "get", "verify"}) {
    const ProgramResult result =
        cbnet_run({"data", action, "--dataset", "kmnist", "--data-dir", folder / "k"});
    INFO(action << result.err);
    CHECK(result.out.find("kmnist-first7011") != std::string::npos);
  }
}
