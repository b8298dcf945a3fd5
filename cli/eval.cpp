#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "cbnet/evaluate.h"
#include "cbnet/plan_predictor.h"
#include "cbnet/predictor.h"
#include "cbnet/requirements.h"
#include "cbnet/run_folder.h"
#include "cli/commands.h"
#include "cli/sheet.h"
#include "console/options.h"
#include "console/output.h"
#include "console/run_models.h"
#include "data/dataset.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "eval", "--run RUN | --plan FILE --dataset D | --data PATH [options]",
    "Measures the models of a run folder on the whole test set: accuracy, how many images left at\n"
    "each exit, multiply-adds (MACs) an image, size, and recall per class.\n",
    R"(The sheet of --save-sheet shows, for each class, the first hard test images (those that do not
leave BranchyNet, or another model with side exits, early), what the autoencoder makes of each, and
CBNet's answer with its confidence.
A file that cannot be used is left out with a warning; the exit code is 2 if training wrote it.

Examples:
  cbnet eval --run runs/fmnist --dataset fmnist
  cbnet eval --run runs/fmnist --dataset fmnist --model branchynet --threshold 0.3
  cbnet eval --plan runs/fmnist/cbnet.int8.plan --dataset fmnist
  cbnet eval --run runs/mnist --dataset mnist --json eval.json --save-sheet hard.png
)"};

/// This is measured, and by this name.
struct Subject {
  std::string name;  // a plan's is its file
  std::unique_ptr<Predictor> predictor;
  std::int64_t size_bytes = 0;
};

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

/// Loads the models that the command line asks for, then the plans. What it does not name is left out where
/// it cannot be loaded.
std::vector<Subject> chosen_subjects(const CommandLine& line, std::vector<UnusableModel>& unusable) {
  std::vector<Subject> out;
  const std::vector<double> thresholds = line.thresholds();
  if (line.has("run")) {
    const std::string run = line.text("run");
    const RunFolder folder(run);
    RunModels models;
    if (line.has("model"))
      models.usable.push_back(load_predictor(run, line.text("model"), thresholds));
    else
      models = load_run(run, thresholds);
    if (models.usable.empty()) {
      throw InputError(run, "at least one trained model", "none",
                       concat("`cbnet train --dataset fmnist --out ", run, "` makes them"));
    }
    for (auto& model : models.usable) {
      const std::string name = model->name();
      out.push_back({name, std::move(model), size_on_disk(folder, name)});
    }
    unusable = std::move(models.unusable);
  }
  if (!line.has("plan")) return out;
  for (const std::string& file : line.list("plan")) {
    auto compiled = load_compiled(file, line.has("run") ? std::vector<double>() : thresholds);
    out.push_back(
        {file, std::move(compiled.predictor), static_cast<std::int64_t>(std::filesystem::file_size(file))});
  }
  return out;
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

/// `exiting` is the model whose first exit tells hard images from easy ones.
void save_sheet(const CommandLine& line, const std::filesystem::path& run, const std::string& exiting,
                const data::Dataset& test, const std::vector<std::string>& classes) {
  const auto judge = load_predictor(run, exiting, line.thresholds());
  const auto cbnet = load_predictor(run, "cbnet");
  save_hard_sheet(line.text("save-sheet"), *judge, *cbnet, test.test, classes);
  if (!line.quiet()) std::cout << "\nwrote " << line.text("save-sheet") << '\n';
}

/// Is true also for "kmnist-first7011" and KMNIST: the subset has no test set of its own.
bool trained_for(const std::string& trained_on, const std::string& dataset) {
  const auto id = data::known_dataset(trained_on);
  return trained_on == "unknown" || trained_on == dataset || (id && id == data::known_dataset(dataset));
}

std::string warn_of_other_dataset(const std::string& trained_on, const std::string& dataset) {
  std::string text = concat("these models were trained on ", trained_on, ", and are measured on ", dataset);
  std::cerr << "cbnet: warning: " << text << '\n';
  return text;
}

}  // namespace

int run_eval(const Arguments& arguments) {
  CommandLine line(kManual);
  line.allow_other_devices();
  line.add("Models", "run", "RUN", "the folder that `cbnet train` wrote");
  line.add("Models", "model", "M",
           "one of the run's: lenet, branchynet, … or the name of its file (default: all of them)");
  line.add_list(
      "Models", "plan", "FILE",
      "a plan that `cbnet compile` wrote, after the models of --run or without it; may be repeated");
  line.add("Models", "threshold", "T,…",
           "of side exits, in nats, instead of the trained ones; one for all or T,T,…");
  line.add_output("Models", "save-sheet", "FILE.png",
                  "picture of hard images and what they are converted into; - is the standard output");
  line.add_dataset_options(kDatasetNames);
  if (!line.parse(arguments, false)) return 0;

  // Without a plan, it is the run that is missing.
  if (!line.has("plan")) static_cast<void>(line.required("run"));
  for (const char* option : {"model", "save-sheet"})
    if (line.has(option) && !line.has("run")) line.fail(concat("--", option, " needs --run"));
  const data::Source source = line.source();
  Json report = machine_json(line.device());
  std::vector<UnusableModel> unusable;
  const std::vector<Subject> subjects = chosen_subjects(line, unusable);
  warn_of_unusable("cbnet", line.text("run"), unusable);

  const data::Dataset test = data::load_dataset(source, data::Splits::test);
  const std::vector<std::string>& classes = test.classes;
  const std::string trained_on = subjects.front().predictor->dataset();
  const std::string measured = line.has("run") ? line.text("run") : subjects.front().name;
  if (line.has("run")) report["run"] = measured;
  report["trained_on"] = trained_on;
  report["dataset"] = test.name;
  report["files"] = test.files;
  report["test_images"] = test.test.size();
  for (const Subject& subject : subjects) {
    require_fits(subject.predictor->info(), test.test, test);
    if (report.contains("warning") || trained_for(subject.predictor->dataset(), test.name)) continue;
    report["warning"] = warn_of_other_dataset(subject.predictor->dataset(), test.name);
  }
  if (line.has("run")) require_unseen(RunFolder(line.text("run")), test);
  std::cout << measured << " (trained on " << trained_on << "), " << grouped(test.test.size())
            << " test images of " << test.name << " in "
            << (line.has("data") ? source.path : test.files.front()) << "\n\n";

  std::vector<Result> results;
  report["models"] = Json::object();
  for (const Subject& subject : subjects) {
    Predictor& predictor = *subject.predictor;
    results.push_back({subject.name, evaluate(predictor, test.test.images, test.test.labels),
                       predictor.macs_by_exit(), predictor.parameter_count(), subject.size_bytes});
    report["models"][subject.name] = to_json(results.back(), classes);
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
    const auto exiting = std::find_if(subjects.begin(), subjects.end(), [](const Subject& subject) {
      return subject.predictor->macs_by_exit().size() > 1;
    });
    if (exiting == subjects.end())
      line.fail("--save-sheet needs a model with a side exit beside CBNet: it tells which images are hard");
    save_sheet(line, line.text("run"), exiting->name, test, classes);
    report["sheet"] = line.text("save-sheet");
  }
  if (!unusable.empty()) report["unusable"] = unusable_json(unusable);
  write_report(line.json_file(), report);
  return all_answered ? exit_code_for(unusable) : 2;
}

}  // namespace cbnet::cli
