#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cbnet/plan_predictor.h"
#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "cli/commands.h"
#include "cli/sheet.h"
#include "console/options.h"
#include "console/output.h"
#include "console/run_main.h"
#include "console/run_models.h"
#include "data/dataset_id.h"
#include "data/image.h"
#include "data/picture.h"
#include "models/safetensors.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "predict", "--run RUN | --plan FILE [options] IMAGE...",
    "Classifies pictures: label, probabilities, entropy of the first exit (in nats: 0 is certain, the\n"
    "logarithm of the number of classes a pure guess) and the exit that was taken.\n",
    R"(IMAGE is a PNG, JPEG, PGM or PPM file, a pipe, - for the standard input, or one image of an IDX
file: the file's name, # and the image's number, from 0. It has the size that the network takes, or
--resize stretches it: bilinear, an average over the area where it shrinks. A network of grey
pictures takes colour as its luma (ITU-R BT.601), one of colour pictures takes grey three times. For
the networks of MNIST, Fashion-MNIST and KMNIST a picture should be light on black as theirs are:
one brighter at its border than inside is answered with a warning, and so is, for any network, one
of a single colour. A drawing in one colour on a transparent background is taken by its
transparency, whatever the colour; other transparent parts are black. An image that cannot be read
is reported in its place, and the exit code is then 2.

Examples:
  cbnet predict --run runs/fmnist shoe.png bag.pgm
  cbnet predict --run runs/mnist --model branchynet 'data/t10k-images-idx3-ubyte.gz#0'
  cbnet predict --run runs/mnist --invert auto scans/*.png
  cbnet predict --run runs/fmnist --resize --json - photo.jpg
  cbnet predict --plan runs/fmnist/cbnet.int8.plan shoe.png
  cbnet predict --run runs/fmnist shoe.png --save-converted easy-shoe.png --json answer.json
)"};

/// This answers, by the name under which the report has it.
struct Chosen {
  std::string model;
  std::unique_ptr<Predictor> predictor;
};

/// Loads the first of CBNet, BranchyNet, LeNet and the classifier that the folder has, be it damaged: another
/// model does not answer in its place unasked. Else the first imported one that can be loaded.
Chosen best_of(const std::filesystem::path& run, std::vector<UnusableModel>& unusable) {
  for (const char* name : {"cbnet", "branchynet", "lenet", "classifier"}) {
    if (has_model(run, name)) return {name, load_predictor(run, name)};
  }
  for (const std::string& name : models_in(run)) {
    if (name == "autoencoder") continue;
    try {
      return {name, load_predictor(run, name)};
    } catch (const std::exception& error) {
      unusable.push_back({name, error.what()});
    }
  }
  if (!unusable.empty()) throw InputError(unusable.front().reason);
  throw InputError(run.string(), "a trained model that classifies", "none",
                   concat("`cbnet train --dataset fmnist --out ", run.string(), "` makes one"));
}

/// Wrong combinations are refused before the model is loaded.
void check_converts(const CommandLine& line, const std::string& model) {
  const bool converts = model == "autoencoder" || model == "cbnet";
  if (line.has("save-converted") && !converts) {
    line.fail(concat("--save-converted needs the model cbnet or autoencoder; ", model, " converts nothing"));
  }
  if (model == "autoencoder" && !line.has("save-converted") && !line.has("save-logits")) {
    line.fail("the autoencoder alone does not classify; say with --save-converted where its images go");
  }
}

Chosen chosen(const CommandLine& line, std::vector<UnusableModel>& unusable) {
  const std::vector<double> thresholds = line.thresholds();
  if (line.has("plan")) {
    if (line.has("run") || line.has("model")) line.fail("--plan stands for --run and --model");
    CompiledModel compiled = load_compiled(line.required("plan"), thresholds);
    check_converts(line, compiled.info.model);
    return {compiled.info.model, std::move(compiled.predictor)};
  }
  const std::filesystem::path run = line.required("run");
  RunFolder(run).require_exists();
  if (line.has("model")) {
    check_converts(line, line.text("model"));
    return {line.text("model"), load_predictor(run, line.text("model"), thresholds)};
  }
  Chosen out = best_of(run, unusable);
  check_converts(line, out.model);
  if (!thresholds.empty()) out.predictor = load_predictor(run, out.model, thresholds);
  return out;
}

/// This is one image that was asked for.
struct Picture {
  std::string name;
  Tensor image;       // u8 (C,H,W); undefined where it could not be read
  std::string error;  // why
  bool inverted = false;
  std::vector<std::string> warnings;
};

/// Pictures are taken so.
struct Taking {
  Shape input;  // of the network
  bool resize = false;
  std::string invert;  // yes, no or auto, which turns those that are brighter at their border than inside
  bool light_on_black = true;  // as the images that trained the network
};

Picture read_picture(const std::string& name, const Taking& taking) {
  Picture out;
  out.name = name;
  try {
    out.image = data::read_picture(name, taking.input, taking.resize);
  } catch (const InputError& error) {
    out.error = error.what();
    std::cerr << "cbnet: " << one_line(out.error) << '\n';
    return out;
  }
  const bool uniform = data::is_uniform(out.image);
  const auto is_dark_on_light = [&] {
    return !uniform && std::min(taking.input[1], taking.input[2]) > 2 &&
           data::is_brighter_at_border(out.image);
  };
  out.inverted = taking.invert == "yes" || (taking.invert == "auto" && is_dark_on_light());
  if (out.inverted) out.image = data::inverted(out.image);
  if (uniform) {
    out.warnings.emplace_back("one colour throughout, which shows nothing to classify");
  } else if (taking.light_on_black && is_dark_on_light()) {
    out.warnings.emplace_back(
        "brighter at its border than inside, while the training images are light on black; hint: --invert "
        "turns "
        "it, or --invert=auto all such pictures");
  }
  for (const std::string& warning : out.warnings)
    std::cerr << "cbnet: warning: " << one_line(concat(name, ": ", warning)) << '\n';
  return out;
}

/// Returns those that could be read, u8 (N,C,H,W); undefined when there are none.
Tensor stack(const std::vector<Picture>& pictures) {
  std::vector<const Tensor*> readable;
  for (const Picture& picture : pictures)
    if (picture.image.defined()) readable.push_back(&picture.image);
  if (readable.empty()) return {};
  Shape shape = readable.front()->shape();
  shape.insert(shape.begin(), static_cast<std::int64_t>(readable.size()));
  Tensor images = Tensor::empty(shape, DType::u8);
  for (std::size_t i = 0; i < readable.size(); ++i)
    images.select(0, static_cast<std::int64_t>(i)).copy_from(*readable[i]);
  return images;
}

/// Takes images in batches, so that thousands of them take no more memory than a few.
Predictions predict_all(Predictor& predictor, const Tensor& images) {
  constexpr std::int64_t kBatch = 500;
  const std::int64_t count = images.defined() ? images.size(0) : 0;
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

/// Tells whether the numbers for image i are finite: its class, or the pixels of the autoencoder alone.
bool is_answered(const Predictions& answers, std::size_t i) {
  if (i < answers.labels.size()) return answers.labels[i] >= 0;
  return all_finite(answers.converted.select(0, static_cast<std::int64_t>(i)));
}

/// Returns the answers to all images, as the JSON report lists them. The autoencoder alone gives no classes.
Json answers_json(const Predictions& answers, const std::vector<Picture>& pictures,
                  const std::vector<std::string>& classes, std::int64_t last_exit) {
  Json out = Json::array();
  std::size_t i = 0;
  for (const Picture& picture : pictures) {
    if (!picture.image.defined()) {
      out.push_back({{"image", picture.name}, {"error", picture.error}});
      continue;
    }
    const auto row = static_cast<std::int64_t>(i);
    Json answer = {{"image", picture.name}};
    if (i < answers.labels.size()) {
      const std::int64_t label = answers.labels[i];
      answer.update({{"label", label < 0 ? Json() : Json(label)},
                     {"class", label < 0 ? Json() : Json(classes.at(static_cast<std::size_t>(label)))},
                     {"probabilities", answers.probabilities.select(0, row).to_vector<float>()},
                     {"entropy", answers.entropy[i]},
                     {"exit", answers.exit[i] == last_exit ? "final" : "early"},
                     {"exit_index", answers.exit[i]}});
    }
    answer["answered"] = is_answered(answers, i);
    answer["inverted"] = picture.inverted;
    answer["warnings"] = picture.warnings;
    out.push_back(std::move(answer));
    ++i;
  }
  return out;
}

void print_answers(const Json& answers, const std::vector<std::string>& classes) {
  for (const Json& answer : answers) {
    if (answer.contains("error")) {
      std::cout << answer.at("image").get<std::string>() << ": not classified, for it cannot be read\n";
      continue;
    }
    if (!answer.at("answered").get<bool>()) {
      std::cout << answer.at("image").get<std::string>()
                << ": no answer: the network's numbers are not finite\n";
      continue;
    }
    if (!answer.contains("label")) continue;
    const auto label = answer.at("label").get<std::size_t>();
    const Json& probabilities = answer.at("probabilities");
    std::cout << answer.at("image").get<std::string>() << ": " << label << " (" << classes.at(label) << "), "
              << percent(probabilities.at(label).get<double>()) << ", entropy "
              << fixed(answer.at("entropy").get<double>(), 4) << " nats, "
              << answer.at("exit").get<std::string>() << " exit (" << answer.at("exit_index") << ")"
              << (answer.at("inverted").get<bool>() ? ", inverted\n" : "\n");
    Table table({"label", "class", "probability"}, 2);
    for (std::size_t c = 0; c < classes.size(); ++c) {
      table.add({concat(c), classes[c], fixed(probabilities.at(c).get<double>(), 6)});
    }
    table.print(std::cout);
  }
}

/// Writes below each converted image on a sheet: the image's file and, where there is one, the answer.
std::vector<std::string> captions(const Json& answers) {
  std::vector<std::string> out;
  for (const Json& answer : answers) {
    if (answer.contains("error")) continue;
    std::string caption = std::filesystem::path(answer.at("image").get<std::string>()).filename().string();
    constexpr std::size_t kLongest = 24;
    if (caption.size() > kLongest) caption = concat("...", caption.substr(caption.size() - kLongest + 3));
    if (answer.contains("class")) {
      const Json& name = answer.at("class");
      caption += "\n" + (name.is_null() ? "no answer" : name.get<std::string>());
    }
    out.push_back(caption);
  }
  return out;
}

/// Writes the pixels, and what the modules make of them at every exit.
void save_logits(const CommandLine& line, const std::string& model, const Tensor& images) {
  SafetensorsFile file;
  file.metadata = {{"cbnet.logits", "1"}, {"cbnet.model", model}};
  file.tensors = outputs_of_modules(line.text("run"), model, images);
  file.tensors.emplace_back("pixels", images);
  write_safetensors(line.text("save-logits"), file);
  if (!line.quiet()) std::cout << "wrote " << line.text("save-logits") << '\n';
}

}  // namespace

int run_predict(const Arguments& arguments) {
  CommandLine line(kManual);
  line.allow_other_devices();
  line.add("Prediction", "run", "RUN", "the folder that `cbnet train` wrote");
  line.add(
      "Prediction", "model", "M",
      "lenet, branchynet, autoencoder, classifier, cbnet or an imported one (default: the best there is)");
  line.add("Prediction", "plan", "FILE", "a plan that `cbnet compile` wrote, in place of --run and --model");
  line.add("Prediction", "threshold", "T,…",
           "of side exits, in nats, instead of the trained ones; one for all or one each");
  line.add_output(
      "Prediction", "save-converted", "FILE.png",
      "what the autoencoder makes of the image; of several images, a sheet; - is the standard output");
  line.add_output("Prediction", "save-logits", "FILE.safetensors",
                  "the images' pixels and every exit's logits, for other programs to compare theirs with");
  line.add_choice("Prediction", "invert", {"yes", "no", "auto"},
                  "turn dark on white to light on black: all pictures, or those brighter at their border");
  line.add("Prediction", "resize", "", "stretch pictures of another size to the one that the network takes");
  if (!line.parse(arguments, true)) return 0;

  const std::vector<std::string>& names = line.positional();
  if (!line.has("plan")) static_cast<void>(line.required("run"));
  if (names.empty()) line.fail("no IMAGE is given");
  if (line.has("save-logits") && line.has("plan"))
    line.fail("--save-logits needs --run: a plan has no modules");
  Json report = machine_json(line.device());
  std::vector<UnusableModel> unusable;
  const auto [model, predictor] = chosen(line, unusable);
  warn_of_unusable("cbnet", line.text("run"), unusable);
  const std::vector<std::string>& classes = predictor->info().classes;
  const Taking taking{predictor->info().input, line.is_set("resize"), line.text("invert"),
                      data::known_dataset(predictor->dataset()).has_value()};
  std::vector<Picture> pictures;
  pictures.reserve(names.size());
  for (const std::string& name : names) pictures.push_back(read_picture(name, taking));
  const Tensor images = stack(pictures);
  const Predictions answers = predict_all(*predictor, images);
  const auto last_exit = static_cast<std::int64_t>(predictor->macs_by_exit().size()) - 1;
  if (line.has("run")) report["run"] = line.text("run");
  if (line.has("plan")) report["plan"] = line.text("plan");
  report["model"] = model;
  report["dataset"] = predictor->dataset();
  report["classes"] = classes;
  report["images"] = answers_json(answers, pictures, classes, last_exit);
  if (images.defined()) print_answers(report["images"], classes);
  if (line.has("save-converted") && images.defined()) {
    if (!answers.converted.defined())
      throw InputError(line.text("plan"), "a plan whose autoencoder can be told apart", "one whose cannot",
                       "--run converts with the model itself");
    save_converted(line.text("save-converted"), answers.converted, captions(report["images"]));
    report["converted"] = line.text("save-converted");
    if (!line.quiet()) std::cout << "wrote " << line.text("save-converted") << '\n';
  }
  if (line.has("save-logits") && images.defined()) {
    save_logits(line, model, images);
    report["logits"] = line.text("save-logits");
  }
  write_report(line.json_file(), report);
  constexpr int kBadInput = 2;
  const Json& all = report["images"];
  return std::all_of(all.begin(), all.end(),
                     [](const Json& answer) { return answer.value("answered", false); })
             ? 0
             : kBadInput;
}

}  // namespace cbnet::cli
