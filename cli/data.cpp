#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cli/commands.h"
#include "console/options.h"
#include "console/output.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/loaders/cifar10.h"
#include "data/official.h"
#include "data/picture.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "data", "get|verify|list [--dataset D] [options]",
    "Finds the datasets on this machine (list), holds them against the published checksums (verify), and\n"
    "downloads what is missing (get). With --data, list says what pictures a path holds.\n",
    R"(Files are looked for in $CBNET_DATA, data-cache, /usr/local/share/datasets and /usr/share/datasets,
there in a folder named after the dataset or directly, and in its raw. With --data-dir, they are
looked for in that folder only; a $CBNET_DATA that has some of a dataset's files must have all.
Names are those of MNIST, train-images-idx3-ubyte and so on, with .gz or without, and with dots for
hyphens. What no folder has, `get` downloads to data-cache. With --data-dir, `get` sees to it that
the files lie in that folder: it copies them there from one of the others, or downloads them.

Examples:
  cbnet data list
  cbnet data get --dataset mnist
  cbnet data get --dataset all --data-dir datasets
  cbnet data verify --dataset fmnist
  cbnet data list --data flowers
)"};

/// One action found this about one dataset.
struct Finding {
  Json json;
  bool bad = false;
};

std::vector<data::DatasetId> chosen_datasets(const CommandLine& line) {
  if (line.has("dataset") && line.text("dataset") != "all") return {line.dataset()};
  return {data::kAllDatasets.begin(), data::kAllDatasets.end()};
}

/// Says "kmnist-first7011" where only that part of KMNIST is there.
std::string full_name(data::DatasetId id, const data::FoundFiles& files) {
  const std::string file = std::filesystem::path(files.train_images).filename().string();
  const std::size_t part = file.find("-first");
  return concat(data::to_string(id), part == std::string::npos
                                         ? ""
                                         : file.substr(part, file.find_first_of("-.", part + 1) - part));
}

void print_missing(data::DatasetId id, const data::FoundFiles& files) {
  std::cout << data::to_string(id) << ": not complete; searched\n";
  for (const std::string& place : files.searched) std::cout << "  " << place << '\n';
  if (files.refused.empty()) return;
  std::cout << "  for " << files.expected << "\n  and found there " << files.present << '\n';
}

/// This is one split of `list`: its files with their sizes, and how many images they hold.
Finding list_split(const char* name, const std::string& images, const std::string& labels) {
  Finding out;
  out.json = {{"images_file", images}, {"labels_file", labels}};
  std::vector<std::string> files{images, labels};
  if (images == labels) files = data::cifar10_files(images, name[1] == 'r');
  for (const std::string& file : files) {
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(file));
    out.json["size_bytes"].push_back(size);
    std::cout << "  " << file << ", " << grouped(size) << " bytes\n";
  }
  try {
    const data::Split split =
        images == labels ? data::read_cifar10(images, name[1] == 'r') : data::read_split(images, labels);
    out.json["images"] = split.size();
    std::cout << "    " << grouped(split.size()) << ' ' << name << " images and labels\n";
  } catch (const InputError& error) {
    out.bad = true;
    out.json["error"] = error.what();
    std::cout << "    damaged: " << error.what() << '\n';
  }
  return out;
}

Finding list_dataset(data::DatasetId id, const data::Location& location) {
  const data::FoundFiles files = data::find_dataset(id, location);
  if (!files.complete()) {
    print_missing(id, files);
    return {{{"complete", false}, {"searched", files.searched}}, false};
  }
  std::cout << full_name(id, files) << ":\n";
  const Finding train = list_split("training", files.train_images, files.train_labels);
  const Finding test = list_split("test", files.test_images, files.test_labels);
  return {{{"complete", true}, {"name", full_name(id, files)}, {"train", train.json}, {"test", test.json}},
          train.bad || test.bad};
}

/// A dataset that was asked for by name must be there; of `all`, what is there is checked.
Finding verify_one(data::DatasetId id, const data::Location& location, bool must_exist) {
  const data::FoundFiles files = data::find_dataset(id, location);
  if (!files.complete()) {
    print_missing(id, files);
    return {{{"complete", false}, {"searched", files.searched}}, must_exist};
  }
  Finding out;
  out.json = {{"complete", true}, {"name", full_name(id, files)}, {"files", Json::array()}};
  std::cout << full_name(id, files) << ":\n";
  for (const data::VerifiedFile& file : data::verify_dataset(id, files)) {
    out.bad = out.bad || file.verdict == data::Verdict::differs;
    out.json["files"].push_back({{"file", file.path},
                                 {"verdict", data::to_string(file.verdict)},
                                 {"file_md5", file.file_md5},
                                 {"content_md5", file.content_md5},
                                 {"note", file.note}});
    std::cout << "  " << data::to_string(file.verdict) << "  " << file.path
              << (file.note.empty() ? "" : concat(": ", file.note)) << '\n';
  }
  return out;
}

/// Copies the files of a dataset that is elsewhere on this machine into `folder`, each whole or not at all.
void copy_files(const data::FoundFiles& files, const std::filesystem::path& folder) {
  for (const std::string& file : files.all())
    write_file_atomic(folder / std::filesystem::path(file).filename(), read_file(file));
}

/// Without --data-dir, what is nowhere on this machine is downloaded. With it, what is not in that folder is
/// copied there from elsewhere on this machine, or downloaded there.
Finding get_dataset(data::DatasetId id, const data::Location& location, bool quiet) {
  data::Location target = location;
  if (!location.data_dir.empty()) {
    // Unlike elsewhere, the folder may be missing: it is made.
    if (std::filesystem::exists(location.data_dir) && !std::filesystem::is_directory(location.data_dir))
      throw InputError(location.data_dir, "a folder", "a file", "check --data-dir");
    target.cache_dir = location.data_dir;
    target.data_dir.clear();
    target.system_dirs.clear();
    target.use_environment = false;
  }
  data::FoundFiles files = data::find_dataset(id, target);
  std::string how = " is here already:\n";
  if (!files.complete()) {
    data::Location elsewhere = location;
    elsewhere.data_dir.clear();
    const data::FoundFiles present = data::find_dataset(id, elsewhere);
    if (!location.data_dir.empty() && present.complete()) {
      copy_files(present, std::filesystem::path(location.data_dir) / data::to_string(id));
      how = " copied:\n";
    } else {
      if (!quiet) std::cerr << "cbnet: downloading " << data::title(id) << '\n';
      const data::Dataset dataset = data::load_dataset(id, target);
      how = " downloaded:\n";
    }
    files = data::find_dataset(id, target);
  }
  std::cout << full_name(id, files) << how;
  for (const std::string& file : files.all()) std::cout << "  " << file << '\n';
  return {{{"name", full_name(id, files)}, {"downloaded", how == " downloaded:\n"}, {"files", files.all()}},
          false};
}

/// Prints how many pictures of which size, in which classes, a path holds, and returns that for the report.
Json list_path(const data::Source& source) {
  const data::Dataset dataset = data::load_dataset(source);
  const Shape shape = dataset.train.image_shape();
  std::cout << dataset.name << ": " << data::loader_for(source.path).name << ", "
            << grouped(dataset.train.size()) << " training images, " << grouped(dataset.test.size())
            << " test images" << (dataset.cut_off ? " cut off from them" : "") << ", "
            << data::picture_text(shape) << '\n';
  std::string names;
  for (const std::string& name : dataset.classes) names += concat(names.empty() ? "" : ", ", name);
  std::cout << "  " << dataset.classes.size() << " classes: " << names << '\n';
  return {{"name", dataset.name},
          {"files", dataset.files},
          {"train", {{"images", dataset.train.size()}}},
          {"test", {{"images", dataset.test.size()}, {"cut_off", dataset.cut_off}}},
          {"image", shape},
          {"classes", dataset.classes}};
}

}  // namespace

int run_data(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add_dataset_options("mnist, fmnist, kmnist, cifar10 or all (default)");
  if (!line.parse(arguments, true)) return 0;
  const std::vector<std::string> actions{"get", "verify", "list"};
  if (line.positional().empty()) line.fail("what to do is missing: get, verify or list");
  const std::string& action = line.positional().front();
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    line.fail(concat("expected get, verify or list; got '", action, "'", suggestion(action, actions, "")));
  }
  if (line.positional().size() > 1) line.fail(concat("unexpected argument '", line.positional()[1], "'"));

  if (line.has("data")) {
    if (action != "list") line.fail(concat("--data goes with list; got ", action));
    write_report(line.json_file(), list_path(line.source()));
    return 0;
  }
  const std::vector<data::DatasetId> datasets = chosen_datasets(line);
  Json report = Json::object();
  bool bad = false;
  for (const data::DatasetId id : datasets) {
    const Finding finding = action == "list"     ? list_dataset(id, line.location())
                            : action == "verify" ? verify_one(id, line.location(), datasets.size() == 1)
                                                 : get_dataset(id, line.location(), line.quiet());
    report[data::to_string(id)] = finding.json;
    bad = bad || finding.bad;
  }
  write_report(line.json_file(), report);
  if (bad) throw InputError("the files above", "those that were published", "missing, damaged or other ones");
  return 0;
}

}  // namespace cbnet::cli
