#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/image.h"
#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;
using cbnet::read_file;

namespace {

/// Little enough that an empty promise taken at its word would end as "out of memory".
ProgramOptions limited() {
  ProgramOptions options;
  if (has_memory_limit()) options.address_space_bytes = 512 * kMiB;
  return options;
}

std::string excerpt_file(const std::string& name) { return excerpt_folder() + "/" + name; }

/// Training from these two files, with the excerpt's test set.
ProgramResult train_from(const TempFolder& folder, const std::string& images, const std::string& labels) {
  std::vector<std::string> arguments{"--train-images", images, "--train-labels", labels, "--quiet", "--json"};
  arguments.push_back(folder / "report.json");
  return cbnet_run(train_arguments(folder / "run", arguments), limited());
}

std::string nan_pixels() {
  std::vector<float> pixels(784, 1.0F);
  pixels[100] = std::nanf("");
  return {reinterpret_cast<const char*>(pixels.data()), pixels.size() * sizeof(float)};
}

void check_nothing_written(const TempFolder& folder) {
  CHECK_FALSE(std::filesystem::exists(folder / "run"));
  CHECK_FALSE(std::filesystem::exists(folder / "report.json"));
}

std::string with_header(const std::string& json, const std::string& data) {
  const std::uint64_t size = json.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  return bytes + json + data;
}

/// The header of a safetensors file, changed, before the same data.
std::string with_changed_header(const std::string& bytes, const std::function<void(Json&)>& change) {
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  Json header = Json::parse(bytes.substr(8, size));
  change(header);
  return with_header(header.dump(), bytes.substr(8 + size));
}

}  // namespace

TEST_CASE("training data that is not what it should be is refused, each with its own words") {
  const TempFolder folder;
  const std::string images = excerpt_file("train-images-idx3-ubyte.gz");
  const std::string labels = excerpt_file("train-labels-idx1-ubyte.gz");

  const std::string whole = read_file(images);
  put(folder / "truncated.gz", whole.substr(0, whole.size() / 2));
  check_refused(train_from(folder, folder / "truncated.gz", labels), "truncated");

  put(folder / "page.html", "<html>not found</html>");
  check_refused(train_from(folder, folder / "page.html", labels), "magic 3c 68 74 6d");

  put(folder / "empty", "");
  check_refused(train_from(folder, folder / "empty", labels), "only 0 bytes");

  check_refused(train_from(folder, images, excerpt_file("t10k-labels-idx1-ubyte.gz")), "expected 200 labels");
  check_refused(train_from(folder, labels, labels), "expected images of shape (N,H,W)");

  put(folder / "huge", idx_header({0xffffffffU, 28, 28}) + std::string(784, '\0'));
  check_refused(train_from(folder, folder / "huge", labels), "(4294967295,28,28)");
  put(folder / "huge.gz", gzip(idx_header({0xffffffffU, 0xffffffffU, 0xffffffffU}) + std::string(784, '\0')));
  check_refused(train_from(folder, folder / "huge.gz", labels), "cannot hold that many");

  // By its size this file could hold what it promises; only reading it shows that it does not.
  put(folder / "early.gz", gzip(idx_header({200'000, 28, 28}) + std::string(150'000'000, '\0')));
  check_refused(train_from(folder, folder / "early.gz", labels), "bytes early");

  put_zip(folder / "nan.npz", "arr_0.npy", npy("<f4", "(1, 28, 28)", nan_pixels()));
  check_refused(train_from(folder, folder / "nan.npz", labels), "expected values from 0 to 255; found nan");

  std::string wrong = idx_labels(200);
  wrong[8 + 57] = 10;
  put(folder / "labels", wrong);
  check_refused(train_from(folder, images, folder / "labels"), "label 10 at position 57");

  put(folder / "wide", idx_images(200, 32));
  check_refused(train_from(folder, folder / "wide", labels),
                "expected pictures as those to train on, 32x32 grey");
  check_refused(train_from(folder, folder.path(), labels), "found a folder");
  check_nothing_written(folder);
}

TEST_CASE("eval refuses the same test data") {
  const TempFolder folder;
  put(folder / "huge", idx_header({0xffffffffU, 28, 28}) + std::string(784, '\0'));
  const std::vector<std::string> arguments{"eval",
                                           "--run",
                                           trained_run(),
                                           "--dataset",
                                           "fmnist",
                                           "--test-images",
                                           folder / "huge",
                                           "--test-labels",
                                           excerpt_file("t10k-labels-idx1-ubyte.gz"),
                                           "--json",
                                           folder / "report.json"};
  check_refused(cbnet_run(arguments, limited()), "(4294967295,28,28)");
  check_nothing_written(folder);
}

TEST_CASE("model files that are damaged or hostile are refused by info and eval") {
  const TempFolder folder;
  const std::string good = read_file(trained_run() + "/lenet.safetensors");
  const std::string tensor = "trunk.0.weight";
  struct Bad {
    std::string bytes;
    std::string part;
  };
  std::string nan_weights = good;
  const float nan = std::nanf("");
  std::memcpy(nan_weights.data() + nan_weights.size() - 4, &nan, 4);
  const std::vector<Bad> cases{
      {"", "a file of 0 bytes"},
      {good.substr(0, good.size() / 2), "expected offsets inside"},
      {good + "more", "belong to none"},
      {std::string("\0\0\0\0\0\0\0\x80{}", 10), "a header size of 9223372036854775808"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "a header size of 18446744073709551615"},
      {with_header("{\"a\":", ""), "valid JSON header"},
      {with_header(std::string(100000, '['), ""), "JSON"},
      {with_header("{}", ""), "a model that cbnet wrote"},
      {nan_weights, "NaN or infinity in"},
      {with_changed_header(good, [&](Json& h) { h[tensor]["data_offsets"][1] = std::uint64_t{1} << 62; }),
       "expected offsets inside"},
      {with_changed_header(good, [&](Json& h) { h[tensor]["data_offsets"][0] = -8; }), "offsets"},
      {with_changed_header(good,
                           [&](Json& h) {
                             h[tensor]["shape"] = {4294967296, 4294967296};
                           }),
       "shape"},
      {with_changed_header(good, [](Json& h) { h["__metadata__"]["cbnet.version"] = "99"; }),
       "format version"},
      {with_changed_header(good, [](Json& h) { h["__metadata__"]["cbnet.network"] = "{}"; }),
       "bad.safetensors"},
      {with_changed_header(good, [](Json& h) { h["__metadata__"]["cbnet.rescale"] = "1e999"; }),
       "bad.safetensors"},
  };
  std::filesystem::create_directories(folder / "models");
  for (const Bad& bad : cases) {
    const std::string file = folder / "models/bad.safetensors";
    put(file, bad.bytes);
    INFO(bad.part);
    const ProgramResult result =
        cbnet_run({"info", "--model", file, "--json", folder / "report.json"}, limited());
    CHECK(result.exit_code == 2);
    CHECK(result.err.starts_with("cbnet: " + file));
    CHECK_MESSAGE(result.err.find(bad.part) != std::string::npos, result.err);
    put(folder / "models/lenet.safetensors", bad.bytes);
    std::vector<std::string> eval{"eval", "--run", folder / "models", "--model", "lenet"};
    for (const std::string& word : excerpt_options()) eval.push_back(word);
    const ProgramResult evaluated = cbnet_run(eval, limited());
    CHECK(evaluated.exit_code == 2);
    CHECK(evaluated.out == "");
  }
  check_nothing_written(folder);
}

TEST_CASE("run folders that do not fit together are refused") {
  const TempFolder folder;
  const std::string run = folder / "copy";
  std::filesystem::copy(trained_run(), run);
  const std::vector<std::string> predict{"predict", "--run", run,
                                         excerpt_file("t10k-images-idx3-ubyte.gz#0")};
  put(run + "/cbnet.json", R"({"autoencoder": "../../etc/passwd", "classifier": "classifier.safetensors"})");
  check_refused(cbnet_run(predict), "file names inside the run folder");
  put(run + "/cbnet.json", R"({"autoencoder": "lenet.safetensors", "classifier": "classifier.safetensors"})");
  check_refused(cbnet_run(predict), "expected a model of kind autoencoder");
  put(run + "/cbnet.json", "[");
  check_refused(cbnet_run(predict), "cbnet.json");
}

TEST_CASE("images that cannot be classified are refused") {
  const TempFolder folder;
  const auto predict = [&](const std::string& image) {
    return cbnet_run({"predict", "--run", trained_run(), image, "--save-converted", folder / "run"},
                     limited());
  };
  cbnet::data::write_png(folder / "wide.png", cbnet::Tensor::zeros({1, 20, 30}, cbnet::DType::u8));
  check_refused(predict(folder / "wide.png"),
                "expected a picture of 28x28 pixels; found 30x20; hint: --resize");
  const std::string png = read_file(folder / "wide.png");
  put(folder / "cut.png", png.substr(0, png.size() / 2));
  check_refused(predict(folder / "cut.png"), "cut.png");
  std::string promise = png;
  for (const std::size_t i : {16, 17, 20, 21}) promise[i] = '\x7f';
  put(folder / "promise.png", promise);
  check_refused(predict(folder / "promise.png"), "promise.png");
  put(folder / "promise.pgm", "P5 4000000000 4000000000 255\n");
  check_refused(predict(folder / "promise.pgm"), "promise.pgm");
  put(folder / "text.txt", "hello");
  check_refused(predict(folder / "text.txt"), "expected a PNG, JPEG, PGM or PPM image");
  check_refused(predict(folder / "none.png"), "none.png");
  check_refused(predict(excerpt_file("t10k-images-idx3-ubyte.gz#100")),
                "expected an item from 0 to 99; found item 100");
  check_refused(predict(excerpt_file("t10k-images-idx3-ubyte.gz#-1")), "item -1");
  check_refused(predict(excerpt_file("t10k-labels-idx1-ubyte.gz#0")), "28x28");
  check_refused(predict(excerpt_file("t10k-images-idx3-ubyte.gz")), "#0");
  check_nothing_written(folder);
}

TEST_CASE("a damaged image is reported in its place, and the others are answered") {
  const TempFolder folder;
  put(folder / "text.txt", "hello");
  const std::string good = excerpt_file("t10k-images-idx3-ubyte.gz#");
  const ProgramResult alone =
      cbnet_run({"predict", "--run", trained_run(), good + "0", good + "1", "--json", folder / "alone.json"});
  REQUIRE(alone.exit_code == 0);
  const ProgramResult result =
      cbnet_run({"predict", "--run", trained_run(), folder / "none.png", good + "0", folder / "text.txt",
                 good + "1", "--json", folder / "p.json", "--save-converted", folder / "sheet.png"});
  INFO(result.err);
  CHECK(result.exit_code == 2);
  const Json images = read_json(folder / "p.json")["images"];
  const Json answers = read_json(folder / "alone.json")["images"];
  REQUIRE(images.size() == 4);
  CHECK(images[1] == answers[0]);
  CHECK(images[3] == answers[1]);
  CHECK(images[0]["image"] == folder / "none.png");
  CHECK(images[0]["error"].get<std::string>().find("expected a readable file") != std::string::npos);
  CHECK(images[2]["error"].get<std::string>().find("expected a PNG, JPEG, PGM or PPM image") !=
        std::string::npos);
  CHECK_FALSE(images[2].contains("label"));
  CHECK(result.err.find("cbnet: " + images[0]["error"].get<std::string>() + "\n") != std::string::npos);
  CHECK(result.err.find("cbnet: " + images[2]["error"].get<std::string>() + "\n") != std::string::npos);
  const std::size_t bad = result.out.find("text.txt: not classified");
  CHECK(result.out.find(good + "0: ") < bad);
  CHECK(bad < result.out.find(good + "1: "));
  CHECK(std::filesystem::exists(folder / "sheet.png"));

  const ProgramResult none = cbnet_run({"predict", "--run", trained_run(), folder / "none.png",
                                        folder / "text.txt", "--json", folder / "n.json"});
  CHECK(none.exit_code == 2);
  CHECK(none.out.empty());
  CHECK(read_json(folder / "n.json")["images"].size() == 2);
}

TEST_CASE("a file that cannot be written is refused before the work; a write that fails later says so") {
  const TempFolder folder;
  put(folder / "file", "");
  check_refused(cbnet_run({"info", "--json", folder / "file/report.json"}), "found a file");
  check_refused(
      cbnet_run({"eval", "--run", "r", "--dataset", "fmnist", "--save-sheet", folder / "file/a.png"}),
      "found a file");
  check_refused(cbnet_run({"predict", "--run", "r", "a.png", "--save-converted", folder.path()}), "a folder");
  check_refused(cbnet_run({"export", "--run", "r", "--model", "lenet", "--onnx", folder / "file/a.onnx"}),
                "found a file");
  check_refused(cbnet_run({"import", "--onnx", "a.onnx", "--out", folder / "file/a.safetensors"}),
                "found a file");
  const ProgramResult result = cbnet_run({"info", "--json", "/dev/full"});
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("cannot write /dev/full") != std::string::npos);
}
