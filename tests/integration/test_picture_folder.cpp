#include <doctest/doctest.h>

#include <filesystem>

#include "data/image.h"
#include "tensor/rng.h"
#include "tests/data/files.h"
#include "tests/data/jpeg_bytes.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;
using cbnet::DType;
using cbnet::Rng;
using cbnet::Tensor;

namespace {

/// A colour picture of 40x24, of class 0 to 4: a bright square on noise, whose place and colour are the
/// class's.
Tensor picture(std::int64_t label, Rng& rng) {
  Tensor out = Tensor::uniform({3, 24, 40}, 0, 90, rng).to(DType::u8);
  for (std::int64_t c = 0; c < 3; ++c) {
    if (c == label % 3) continue;
    out.select(0, c).slice(0, 8, 18).slice(1, 2 + 7 * label, 10 + 7 * label).fill(240);
  }
  return out;
}

/// Five classes of 30 pictures, a third of them JPEG.
void put_pictures(const std::string& root) {
  Rng rng(5);
  const char* names[] = {"anemone", "bluebell", "crocus", "daisy", "edelweiss"};
  for (std::int64_t label = 0; label < 5; ++label) {
    for (int i = 0; i < 30; ++i) {
      const Tensor image = picture(label, rng);
      const std::string file = root + "/" + names[label] + "/" + std::to_string(i);
      if (i % 3 == 0) {
        put(file + ".jpg", jpeg(image));
      } else {
        cbnet::data::write_png(file + ".png", image);
      }
    }
  }
}

ProgramResult run(const std::vector<std::string>& words) {
  ProgramResult result = cbnet_run(words);
  INFO(result.err);
  CHECK(result.exit_code == 0);
  return result;
}

}  // namespace

TEST_CASE("a folder of five classes of 40x24 colour pictures, through every command") {
  const TempFolder folder;
  const std::string flowers = folder / "flowers", out = folder / "run";
  put_pictures(flowers);
  const Json listed = [&] {
    run({"data", "list", "--data", flowers, "--json", folder / "list.json"});
    return read_json(folder / "list.json");
  }();
  CHECK(listed["image"] == Json{3, 24, 40});
  CHECK(listed["classes"].size() == 5);
  CHECK(listed["train"]["images"] == 125);
  CHECK(listed["test"]["images"] == 25);

  run({"train", "--data",
       flowers, "--out",
       out,     "--epochs",
       "12",    "--batch-size",
       "20",    "--learning-rate",
       "0.003", "--threshold",
       "0.5",   "--validation-fraction",
       "0.12",  "--shift",
       "1",     "--rotation",
       "5",     "--quiet"});
  run({"eval", "--run", out, "--data", flowers, "--json", folder / "eval.json", "--save-sheet",
       folder / "sheet.png", "--threshold", "0.00001"});
  CHECK(cbnet::data::read_image(folder / "sheet.png", 0).size(0) == 3);
  const Json models = read_json(folder / "eval.json")["models"];
  for (const char* name : {"lenet", "branchynet", "cbnet"}) {
    CAPTURE(name);
    CHECK(models[name]["accuracy"].get<double>() > 0.9);
    CHECK(models[name]["recall"].contains("edelweiss"));
    CHECK(models[name]["confusion"].size() == 5);
  }

  SUBCASE("pixels are normalised by what the training images are like, in the file and in ONNX") {
    run({"info", "--model", out + "/lenet.safetensors", "--json", folder / "info.json"});
    CHECK(read_json(folder / "info.json")["model"]["normalisation"].get<std::string>().find(
              "\"deviation\":[0.") != std::string::npos);
    const std::vector<std::string> named{"train",       "--data",    flowers,   "--model",     "lenet",
                                         "--epochs",    "1",         "--quiet", "--mean",      "0.5",
                                         "--deviation", "0.25,0.25", "--out",   folder / "bad"};
    check_refused(cbnet_run(named), "[normalisation]");
    const ProgramResult exported =
        cbnet_run({"export", "--run", out, "--model", "lenet", "--onnx", folder / "lenet.onnx"});
    if (exported.exit_code == 0) {  // a build with ONNX
      run({"import", "--onnx", folder / "lenet.onnx", "--output", "logits", "--out",
           out + "/again.safetensors"});
      run({"eval", "--run", out, "--data", flowers, "--json", folder / "again.json"});
      const Json both = read_json(folder / "again.json")["models"];
      CHECK(both["again"]["confusion"] == both["lenet"]["confusion"]);
    }
  }
  SUBCASE("predict, with pictures of other sizes and channels") {
    const std::string flower = flowers + "/daisy/1.png";
    run({"predict", "--run", out, flower, "--json", folder / "p.json", "--save-converted", folder / "c.png"});
    const Json answer = read_json(folder / "p.json");
    CHECK(answer["classes"][3] == "daisy");
    CHECK(answer["images"][0]["class"] == "daisy");
    CHECK(answer["images"][0]["warnings"].empty());
    CHECK(cbnet::data::read_image(folder / "c.png", 0).shape() == cbnet::Shape{3, 24, 40});
    Rng rng(1);
    cbnet::data::write_png(folder / "wide.png", Tensor::uniform({1, 20, 30}, 0, 256, rng).to(DType::u8));
    check_refused(cbnet_run({"predict", "--run", out, folder / "wide.png"}),
                  "expected a picture of 40x24 pixels; found 30x20; hint: --resize stretches it");
    run({"predict", "--run", out, "--resize", folder / "wide.png"});
  }
  SUBCASE("compile and table2") {
    run({"compile", "--run", out, "--model", "cbnet", "--data", flowers, "--precision", "int8", "--out",
         out + "/cbnet.int8.plan", "--quiet"});
    run({"eval", "--plan", out + "/cbnet.int8.plan", "--data", flowers, "--json", folder / "plan.json"});
    CHECK(read_json(folder / "plan.json")["models"].front()["accuracy"].get<double>() > 0.9);
    run({"predict", "--plan", out + "/cbnet.int8.plan", flowers + "/daisy/1.png"});
    const std::vector<std::string> table{"table2", "--run", out, "--power-model", "none"};
    const auto bench = [&](std::vector<std::string> words) { return run_program("cbnet_bench", words); };
    const ProgramResult nowhere = bench(table);
    CHECK(nowhere.exit_code == 2);
    CHECK(nowhere.err.find("trained on flowers, which lies at a path; give it with --data") !=
          std::string::npos);
    std::vector<std::string> words = table;
    words.insert(words.end(), {"--data", flowers});
    const ProgramResult timed = bench(words);
    INFO(timed.err);
    CHECK(timed.exit_code == 0);
    CHECK(timed.out.find("cbnet, int8") != std::string::npos);
  }
  SUBCASE("what does not belong together is refused") {
    check_refused(cbnet_run({"eval", "--run", out, "--data", flowers, "--split-seed", "2"}),
                  "give --data, --resize, --channels, --test-fraction and --split-seed as in training");
    check_refused(cbnet_run({"eval", "--run", out, "--data", flowers, "--resize", "20x12"}),
                  "hint: --resize 40x24");
    check_refused(cbnet_run({"eval", "--run", out, "--data", flowers, "--channels", "1"}), "--channels 3");
    check_refused(
        cbnet_run({"eval", "--run", trained_run(), "--data", flowers}),
        "expected pictures of 28x28 grey; found those of flowers, 40x24 colour; hint: --resize 28x28 "
        "--channels 1 makes them so");
    check_refused(cbnet_run({"eval", "--run", trained_run(), "--data", flowers, "--resize", "28x28",
                             "--channels", "1"}),
                  "expected a dataset of 10 classes; found flowers with 5");
    check_refused(cbnet_run({"train", "--data", flowers, "--out", folder / "new", "--resize", "40"}),
                  "--resize must be a width and a height");
    check_refused(cbnet_run({"train", "--data", flowers, "--dataset", "mnist", "--out", folder / "new"}),
                  "--data stands for --dataset");
    check_refused(cbnet_run({"train", "--data", folder / "none", "--out", folder / "new"}),
                  "no such file or folder");
    CHECK_FALSE(std::filesystem::exists(folder / "new"));
  }
}
