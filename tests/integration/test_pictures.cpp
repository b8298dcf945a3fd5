// Pictures that a network was never trained for, and folders of data that are not what they were named for.

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/picture.h"
#include "tests/data/files.h"
#include "tests/data/png_bytes.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;
using cbnet::Tensor;

namespace {

Tensor excerpt_picture(int index) {
  return cbnet::data::read_picture(excerpt_folder() + "/t10k-images-idx3-ubyte.gz#" + std::to_string(index),
                                   {1, 28, 28}, false);
}

/// Black or white ink on nothing: the picture as alpha.
std::string ink_png(const Tensor& picture, char ink) {
  std::string rows;
  for (int i = 0; i < 784; ++i) {
    if (i % 28 == 0) rows += '\0';
    rows += std::string(3, ink) + static_cast<char>(picture.data<std::uint8_t>()[i]);
  }
  return png(28, 28, 8, 6, rows);
}

Json predicted(const TempFolder& folder, const std::vector<std::string>& more, std::string* err = nullptr) {
  std::vector<std::string> words{"predict", "--run", trained_run(), "--json", folder / "p.json"};
  words.insert(words.end(), more.begin(), more.end());
  const ProgramResult result = cbnet_run(words);
  INFO(result.err);
  CHECK(result.exit_code == 0);
  if (err != nullptr) *err = result.err;
  return read_json(folder / "p.json")["images"];
}

}  // namespace

TEST_CASE("ink on a transparent background is read by its transparency, whatever its colour") {
  const TempFolder folder;
  const Tensor picture = excerpt_picture(3);
  cbnet::data::write_png(folder / "plain.png", picture);
  put(folder / "black.png", ink_png(picture, '\0'));
  put(folder / "white.png", ink_png(picture, '\xff'));
  // One at a time: where several are predicted together, the last bits depend on their places.
  const auto probabilities = [&](const std::string& name) {
    std::string err;
    const Json images = predicted(folder, {folder / name}, &err);
    CHECK(err.empty());
    return images[0]["probabilities"];
  };
  for (const char* name : {"black.png", "white.png"})
    CHECK(probabilities(name) == probabilities("plain.png"));
}

TEST_CASE("a picture of one grey and one that is dark on white are answered with a warning") {
  const TempFolder folder;
  const Tensor picture = excerpt_picture(3);
  cbnet::data::write_png(folder / "good.png", picture);
  cbnet::data::write_png(folder / "turned.png", cbnet::data::inverted(picture));
  cbnet::data::write_png(folder / "black.png", Tensor::zeros({1, 28, 28}, cbnet::DType::u8));
  const std::vector<std::string> files{folder / "good.png", folder / "turned.png", folder / "black.png"};
  std::string err;
  const Json plain = predicted(folder, files, &err);
  CHECK(plain[0]["warnings"].empty());
  REQUIRE(plain[1]["warnings"].size() == 1);
  CHECK(plain[1]["warnings"][0].get<std::string>().find("brighter at its border than inside") == 0);
  REQUIRE(plain[2]["warnings"].size() == 1);
  CHECK(plain[2]["warnings"][0].get<std::string>().find("one colour throughout") == 0);
  CHECK(err.find("cbnet: warning: " + (folder / "turned.png") + ": brighter at its border") !=
        std::string::npos);
  CHECK(err.find("cbnet: warning: " + (folder / "black.png") + ": one colour throughout") !=
        std::string::npos);
  CHECK(err.find("good.png") == std::string::npos);

  std::vector<std::string> words = files;
  words.insert(words.begin(), {"--invert", "auto"});
  const Json turned = predicted(folder, words);
  CHECK(turned[0]["inverted"] == false);
  CHECK(turned[1]["inverted"] == true);
  CHECK(turned[2]["inverted"] == false);
  CHECK(turned[1]["warnings"].empty());
  CHECK(turned[1]["label"] == plain[0]["label"]);

  words = files;
  words.insert(words.begin(), "--invert");
  const Json all = predicted(folder, words);
  for (const std::size_t i : {0, 1, 2}) CHECK(all[i]["inverted"] == true);
  CHECK(all[0]["warnings"].size() == 1);
  CHECK(all[1]["label"] == plain[0]["label"]);
  CHECK(all[1]["entropy"].get<double>() == doctest::Approx(plain[0]["entropy"].get<double>()).epsilon(1e-3));
}

TEST_CASE("train takes the folder that is named or none, under all usual names") {
  const TempFolder folder;
  const std::string mine = folder / "mine";
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::create_directories(mine);
    std::filesystem::copy_file(excerpt_folder() + "/" + from, mine + "/" + to);
  };
  copy("train-images-idx3-ubyte.gz", "train-images.idx3-ubyte");
  copy("train-labels-idx1-ubyte.gz", "train-labels.idx1-ubyte");
  copy("t10k-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte");
  ProgramOptions options;
  options.environment = {{"CBNET_DATA", excerpt_folder()}};  // which has it all
  std::vector<std::string> words{"train",        "--dataset", "fmnist", "--data-dir", mine, "--out",
                                 folder / "run", "--model",   "lenet",  "--epochs",   "1"};
  check_refused(cbnet_run(words, options), "--data-dir " + mine + " (no t10k-labels-idx1-ubyte)");
  check_refused(cbnet_run(words, options),
                "there is t10k-images.idx3-ubyte, train-images.idx3-ubyte, train-labels.idx1-ubyte");
  CHECK_FALSE(std::filesystem::exists(folder / "run"));
  copy("t10k-labels-idx1-ubyte.gz", "t10k-labels.idx1-ubyte");
  const ProgramResult used = cbnet_run(words, options);
  INFO(used.err);
  CHECK(used.exit_code == 0);
  CHECK(used.out.find(mine + "/train-images.idx3-ubyte") != std::string::npos);

  std::filesystem::create_directories(folder / "tv/FashionMNIST");
  std::filesystem::rename(mine, folder / "tv/FashionMNIST/raw");
  for (const std::string& named :
       {folder / "tv", folder / "tv/FashionMNIST", folder / "tv/FashionMNIST/raw"}) {
    const ProgramResult listed =
        cbnet_run({"data", "list", "--dataset", "fmnist", "--data-dir", named}, options);
    CHECK(listed.out.find(folder / "tv/FashionMNIST/raw/train-images.idx3-ubyte") != std::string::npos);
  }
  // A part of the dataset in $CBNET_DATA is not passed over either.
  std::filesystem::remove(folder / "tv/FashionMNIST/raw/t10k-labels.idx1-ubyte");
  options.environment = {{"CBNET_DATA", folder / "tv"}};
  check_refused(cbnet_run({"train", "--dataset", "fmnist", "--out", folder / "other"}, options),
                "dataset fmnist in $CBNET_DATA " + (folder / "tv"));
}
