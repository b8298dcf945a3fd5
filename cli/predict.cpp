#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "cli/commands.h"
#include "cli/sheet.h"
#include "console/options.h"
#include "console/output.h"
#include "data/image.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "predict", "--run RUN [options] IMAGE...",
    "Classifies images of 28x28 pixels: label, probabilities, entropy of the first exit (in nats: 0 is\n"
    "certain, 2.30 a pure guess) and the exit that was taken.\n",
    R"(IMAGE is a PNG or PGM file, or one image of an IDX file: the file's name, # and the image's
number, from 0. Like the training images, it is light on black.

Examples:
  cbnet predict --run runs/fmnist shoe.png bag.pgm
  cbnet predict --run runs/mnist --model branchynet 'data/t10k-images-idx3-ubyte.gz#0'
  cbnet predict --run runs/fmnist shoe.png --save-converted easy-shoe.png --json answer.json
)"};

/// --model, or the first of CBNet, BranchyNet, LeNet, the classifier and an imported one that the folder has.
std::string chosen_model(const CommandLine& line, const std::filesystem::path& run) {
  if (line.has("model")) return line.text("model");
  for (const char* name : {"cbnet", "branchynet", "lenet", "classifier"}) {
    if (has_model(run, name)) return name;
  }
  for (const std::string& name : models_in(run)) {
    if (name != "autoencoder") return name;
  }
  throw InputError(run.string(), "a trained model that classifies", "none",
                   concat("`cbnet train --dataset fmnist --out ", run.string(), "` makes one"));
}

/// u8 (N,28,28).
Tensor read_images(const std::vector<std::string>& names) {
  Tensor images =
      Tensor::empty({static_cast<std::int64_t>(names.size()), data::kImageSize, data::kImageSize}, DType::u8);
  for (std::size_t i = 0; i < names.size(); ++i) {
    images.select(0, static_cast<std::int64_t>(i)).copy_from(data::read_image_28(names[i]));
  }
  return images;
}

/// Images in batches, so that thousands of them take no more memory than a few.
Predictions predict_all(Predictor& predictor, const Tensor& images) {
  constexpr std::int64_t kBatch = 500;
  const std::int64_t count = images.size(0);
  Predictions out;
  const auto keep = [count](Tensor& all, const Tensor& part, std::int64_t begin) {
    if (!part.defined()) return;
    Shape shape = part.shape();
    shape[0] = count;
    if (!all.defined()) all = Tensor::empty(shape, part.dtype());
    all.slice(0, begin, begin + part.size(0)).copy_from(part);
  };
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    const Predictions part = predictor.predict(images.slice(0, begin, std::min(begin + kBatch, count)));
    keep(out.probabilities, part.probabilities, begin);
    keep(out.converted, part.converted, begin);
    out.labels.insert(out.labels.end(), part.labels.begin(), part.labels.end());
    out.entropy.insert(out.entropy.end(), part.entropy.begin(), part.entropy.end());
    out.exit.insert(out.exit.end(), part.exit.begin(), part.exit.end());
  }
  return out;
}

/// The answers to all images, as the JSON report lists them.
Json answers_json(const Predictions& answers, const std::vector<std::string>& names,
                  const std::vector<std::string>& classes, std::int64_t last_exit) {
  Json out = Json::array();
  for (std::size_t i = 0; i < answers.labels.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const std::int64_t label = answers.labels[i];
    out.push_back({{"image", names[i]},
                   {"label", label < 0 ? Json() : Json(label)},
                   {"class", label < 0 ? Json() : Json(classes.at(static_cast<std::size_t>(label)))},
                   {"probabilities", answers.probabilities.select(0, row).to_vector<float>()},
                   {"entropy", answers.entropy[i]},
                   {"exit", answers.exit[i] == last_exit ? "final" : "early"},
                   {"exit_index", answers.exit[i]}});
  }
  return out;
}

void print_answers(const Json& answers, const std::vector<std::string>& classes) {
  for (const Json& answer : answers) {
    if (answer.at("label").is_null()) {
      std::cout << answer.at("image").get<std::string>()
                << ": no answer: the network's numbers are not finite\n";
      continue;
    }
    const auto label = answer.at("label").get<std::size_t>();
    const Json& probabilities = answer.at("probabilities");
    std::cout << answer.at("image").get<std::string>() << ": " << label << " (" << classes.at(label) << "), "
              << percent(probabilities.at(label).get<double>()) << ", entropy "
              << fixed(answer.at("entropy").get<double>(), 4) << " nats, "
              << answer.at("exit").get<std::string>() << " exit (" << answer.at("exit_index") << ")\n";
    Table table({"label", "class", "probability"}, 2);
    for (std::size_t c = 0; c < classes.size(); ++c) {
      table.add({concat(c), classes[c], fixed(probabilities.at(c).get<double>(), 6)});
    }
    table.print(std::cout);
  }
}

/// What is below each converted image on a sheet: the image's file and, where there is one, the answer.
std::vector<std::string> captions(const Json& answers, const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string caption = std::filesystem::path(names[i]).filename().string();
    constexpr std::size_t kLongest = 24;
    if (caption.size() > kLongest) caption = concat("...", caption.substr(caption.size() - kLongest + 3));
    if (!answers.empty()) {
      const Json& name = answers.at(i).at("class");
      caption += "\n" + (name.is_null() ? "no answer" : name.get<std::string>());
    }
    out.push_back(caption);
  }
  return out;
}

data::DatasetId dataset_of(const Predictor& predictor) {
  const std::string name = predictor.dataset();
  try {
    return data::parse_dataset_id(name.substr(0, name.find('-')));
  } catch (const std::invalid_argument& error) {
    throw InputError(concat("the model ", predictor.name()), "one trained on a known dataset", error.what());
  }
}

}  // namespace

int run_predict(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add("Prediction", "run", "RUN", "the folder that `cbnet train` wrote");
  line.add(
      "Prediction", "model", "M",
      "lenet, branchynet, autoencoder, classifier, cbnet or an imported one (default: the best there is)");
  line.add("Prediction", "threshold", "T", "of BranchyNet's early exit, in nats, instead of the trained one");
  line.add_output("Prediction", "save-converted", "FILE.png",
                  "what the autoencoder makes of the image; of several images, a sheet");
  if (!line.parse(arguments, true)) return 0;

  const std::filesystem::path run = line.required("run");
  const std::vector<std::string>& names = line.positional();
  if (names.empty()) line.fail("no IMAGE is given");
  Json report = machine_json(line.device());
  RunFolder(run).require_exists();
  const std::string model = chosen_model(line, run);
  const bool converts = model == "autoencoder" || model == "cbnet";
  if (line.has("save-converted") && !converts) {
    line.fail(concat("--save-converted needs the model cbnet or autoencoder; ", model, " converts nothing"));
  }
  if (model == "autoencoder" && !line.has("save-converted")) {
    line.fail("the autoencoder alone does not classify; say with --save-converted where its images go");
  }
  double threshold = -1.0;
  if (line.has("threshold")) threshold = line.number("threshold");
  if (line.has("threshold") && threshold < 0) line.fail("--threshold must not be negative");

  const auto predictor = load_predictor(run, model, threshold);
  const std::vector<std::string> classes = data::class_names(dataset_of(*predictor));
  const Predictions answers = predict_all(*predictor, read_images(names));
  const auto last_exit = static_cast<std::int64_t>(predictor->macs_by_exit().size()) - 1;
  report["run"] = run.string();
  report["model"] = model;
  report["dataset"] = predictor->dataset();
  report["classes"] = classes;
  report["images"] = answers_json(answers, names, classes, last_exit);
  print_answers(report["images"], classes);
  if (line.has("save-converted")) {
    save_converted(line.text("save-converted"), answers.converted, captions(report["images"], names));
    report["converted"] = line.text("save-converted");
    if (!line.quiet()) std::cout << "wrote " << line.text("save-converted") << '\n';
  }
  write_report(line.json_file(), report);
  return std::count(answers.labels.begin(), answers.labels.end(), -1) == 0 ? 0 : 2;
}

}  // namespace cbnet::cli
