#include <cmath>
#include <filesystem>
#include <iostream>

#include "cbnet/evaluate.h"
#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "cli/commands.h"
#include "cli/sheet.h"
#include "console/options.h"
#include "console/output.h"
#include "data/dataset.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "eval", "--run RUN --dataset D [options]",
    "Measures the models of a run folder on the whole test set: accuracy, how many images left at\n"
    "each exit, multiply-adds (MACs) an image, size, and recall per class.\n",
    R"(The sheet of --save-sheet shows, for each class, the first hard test images (those that do not
leave BranchyNet early), what the autoencoder makes of each, and CBNet's answer with its confidence.

Examples:
  cbnet eval --run runs/fmnist --dataset fmnist
  cbnet eval --run runs/fmnist --dataset fmnist --model branchynet --threshold 0.3
  cbnet eval --run runs/mnist --dataset mnist --json eval.json --save-sheet hard.png
)"};

struct Result {
  std::string model;
  Evaluation evaluation;
  std::vector<std::int64_t> macs_by_exit;
  std::int64_t parameters = 0;
  std::int64_t size_bytes = 0;
};

std::int64_t size_on_disk(const RunFolder& folder, const std::string& model) {
  const auto size = [&](const std::string& part) {
    return static_cast<std::int64_t>(std::filesystem::file_size(folder.model_file(part)));
  };
  return model == "cbnet" ? size("autoencoder") + size("classifier") : size(model);
}

std::vector<std::string> chosen_models(const CommandLine& line, const std::filesystem::path& run) {
  if (line.has("model")) return {line.text("model")};
  std::vector<std::string> present = models_in(run);
  if (present.empty()) {
    throw InputError(run.string(), "at least one trained model", "none",
                     concat("`cbnet train --dataset fmnist --out ", run.string(), "` makes them"));
  }
  return present;
}

double chosen_threshold(const CommandLine& line) {
  if (!line.has("threshold")) return -1.0;
  const double threshold = line.number("threshold");
  if (threshold < 0) line.fail(concat("--threshold must not be negative; got ", threshold));
  return threshold;
}

double recall(const Evaluation& evaluation, std::size_t label) {
  const auto& row = evaluation.confusion.at(label);
  std::int64_t images = 0;
  for (const std::int64_t count : row) images += count;
  return images == 0 ? std::nan("") : static_cast<double>(row.at(label)) / static_cast<double>(images);
}

Json to_json(const Result& result, const std::vector<std::string>& classes) {
  const Evaluation& evaluation = result.evaluation;
  Json recalls = Json::object();
  for (std::size_t label = 0; label < evaluation.confusion.size(); ++label) {
    recalls[classes.at(label)] = recall(evaluation, label);
  }
  return {{"accuracy", evaluation.accuracy},     {"not_finite", evaluation.not_finite},
          {"exit_rates", evaluation.exit_rates}, {"mean_macs", evaluation.mean_macs},
          {"macs_by_exit", result.macs_by_exit}, {"parameters", result.parameters},
          {"size_bytes", result.size_bytes},     {"recall", std::move(recalls)},
          {"confusion", evaluation.confusion}};
}

void print_results(const std::vector<Result>& results, const std::vector<std::string>& classes) {
  Table summary({"model", "accuracy", "left at each exit", "mean MACs", "parameters", "file bytes"});
  std::vector<std::string> header{"recall of class"};
  for (const Result& result : results) {
    std::string exits;
    for (const double rate : result.evaluation.exit_rates)
      exits += (exits.empty() ? "" : " / ") + percent(rate);
    summary.add({result.model, percent(result.evaluation.accuracy), exits,
                 grouped(std::llround(result.evaluation.mean_macs)), grouped(result.parameters),
                 grouped(result.size_bytes)});
    if (!result.evaluation.confusion.empty()) header.push_back(result.model);
  }
  summary.print(std::cout);
  if (header.size() == 1) return;
  Table recalls(header);
  for (std::size_t label = 0; label < classes.size(); ++label) {
    std::vector<std::string> row{classes[label]};
    for (const Result& result : results) {
      if (!result.evaluation.confusion.empty()) row.push_back(percent(recall(result.evaluation, label)));
    }
    recalls.add(std::move(row));
  }
  std::cout << '\n';
  recalls.print(std::cout);
}

void save_sheet(const CommandLine& line, const std::filesystem::path& run, const data::TestSet& test,
                const std::vector<std::string>& classes) {
  const auto branchynet = load_predictor(run, "branchynet", chosen_threshold(line));
  const auto cbnet = load_predictor(run, "cbnet");
  save_hard_sheet(line.text("save-sheet"), *branchynet, *cbnet, test.split, classes);
  if (!line.quiet()) std::cout << "\nwrote " << line.text("save-sheet") << '\n';
}

/// Also true for "kmnist-first7011" and KMNIST: the subset has no test set of its own.
bool trained_for(const std::string& trained_on, data::DatasetId id) {
  return trained_on == "unknown" || trained_on.substr(0, trained_on.find('-')) == data::to_string(id);
}

std::string warn_of_other_dataset(const std::string& trained_on, data::DatasetId id) {
  std::string text =
      concat("these models were trained on ", trained_on, ", and are measured on ", data::to_string(id));
  std::cerr << "cbnet: warning: " << text << '\n';
  return text;
}

}  // namespace

int run_eval(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add("Models", "run", "RUN", "the folder that `cbnet train` wrote");
  line.add("Models", "model", "M",
           "lenet, branchynet, autoencoder, classifier, cbnet or an imported one (default: all of them)");
  line.add("Models", "threshold", "T", "of BranchyNet's early exit, in nats, instead of the trained one");
  line.add_output("Models", "save-sheet", "FILE.png",
                  "picture of hard images and what they are converted into");
  line.add_dataset_options("mnist, fmnist or kmnist");
  if (!line.parse(arguments, false)) return 0;

  const std::filesystem::path run = line.required("run");
  const data::DatasetId id = line.dataset();
  Json report = machine_json(line.device());
  const RunFolder folder(run);
  folder.require_exists();
  const double threshold = chosen_threshold(line);
  std::vector<std::unique_ptr<Predictor>> predictors;
  for (const std::string& name : chosen_models(line, run)) {
    const bool wants_threshold = name == "branchynet" || line.has("model");
    predictors.push_back(load_predictor(run, name, wants_threshold ? threshold : -1.0));
  }

  const data::TestSet test = data::load_test_set(id, line.location());
  const std::vector<std::string> classes = data::class_names(id);
  const std::string trained_on = predictors.front()->dataset();
  report["run"] = run.string();
  report["trained_on"] = trained_on;
  report["dataset"] = data::to_string(id);
  report["files"] = {test.images_file, test.labels_file};
  report["test_images"] = test.split.size();
  if (!trained_for(trained_on, id)) report["warning"] = warn_of_other_dataset(trained_on, id);
  std::cout << run.string() << " (trained on " << trained_on << "), " << grouped(test.split.size())
            << " test images of " << data::to_string(id) << " in " << test.images_file << "\n\n";

  std::vector<Result> results;
  report["models"] = Json::object();
  for (const auto& predictor : predictors) {
    results.push_back({predictor->name(), evaluate(*predictor, test.split.images, test.split.labels),
                       predictor->macs_by_exit(), predictor->parameter_count(),
                       size_on_disk(folder, predictor->name())});
    report["models"][predictor->name()] = to_json(results.back(), classes);
  }
  print_results(results, classes);
  bool all_answered = true;
  for (const Result& result : results) {
    if (result.evaluation.not_finite == 0) continue;
    all_answered = false;
    std::cerr << "cbnet: " << result.model << " has no answer to " << result.evaluation.not_finite << " of "
              << result.evaluation.images << " images: its numbers are not finite. They count as wrong\n";
  }
  if (line.has("save-sheet")) {
    save_sheet(line, run, test, classes);
    report["sheet"] = line.text("save-sheet");
  }
  write_report(line.json_file(), report);
  return all_answered ? 0 : 2;
}

}  // namespace cbnet::cli
