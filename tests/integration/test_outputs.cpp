// What is read from and written to descriptors, pipes and devices, as a shell connects them.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "data/image.h"
#include "models/onnx/onnx.h"
#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;
using cbnet::read_file;
using Words = std::vector<std::string>;

namespace {

/// The program in a shell's command, where it stands as "$@".
ProgramResult in_shell(const std::string& command, const Words& words, const std::string& program = "cbnet") {
  ProgramOptions options;
  options.under = {"sh", "-c", command, "sh"};
  options.timeout_s = 60;
  options.environment = {{"OMP_NUM_THREADS", "1"}, {"OPENBLAS_NUM_THREADS", "1"}};
  return run_program(program, words, options);
}

std::string excerpt_image() { return excerpt_folder() + "/t10k-images-idx3-ubyte.gz#0"; }

Words predict(const Words& more) {
  Words out{"predict", "--run", trained_run()};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

/// The one JSON value that the text is.
Json json_alone(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  CHECK_MESSAGE(!json.is_discarded(), text);
  return json;
}

}  // namespace

TEST_CASE("--json - leaves the standard output to the JSON, in every command") {
  const TempFolder folder;
  const Words data{"--dataset", "fmnist", "--data-dir", excerpt_folder()};
  const auto with_data = [&](Words words) {
    words.insert(words.end(), data.begin(), data.end());
    return words;
  };
  std::vector<Words> commands{
      {"info"},
      {"info", "--model", trained_run() + "/lenet.safetensors"},
      with_data({"data", "list"}),
      with_data({"data", "get"}),
      predict({excerpt_image()}),
      with_data({"eval", "--run", trained_run(), "--model", "lenet"}),
      with_data({"train", "--print-recipe"}),
      train_arguments(trained_run(), {"--resume"}),
      with_data({"compile", "--run", trained_run(), "--model", "autoencoder", "--precision", "int8", "--out",
                 folder / "a.plan"}),
  };
  if (cbnet::onnx_description() != "not built in") {
    commands.push_back({"export", "--run", trained_run(), "--model", "lenet", "--onnx", folder / "a.onnx"});
    commands.push_back(
        {"import", "--onnx", folder / "a.onnx", "--output", "logits", "--out", folder / "b.safetensors"});
  }
  for (Words words : commands) {
    const std::string command = words[0];
    CAPTURE(command);
    words.insert(words.end(), {"--json", "-"});
    const ProgramResult result = cbnet_run(words);
    INFO(result.err);
    CHECK(result.exit_code == 0);
    CHECK(json_alone(result.out).is_object());
    CHECK_FALSE(result.err.empty());
  }
  const ProgramResult accuracy = run_program(
      "cbnet_bench", {"accuracy", "--run", trained_run(), "--data-dir", excerpt_folder(), "--json", "-"});
  CHECK(accuracy.exit_code == 0);
  CHECK(json_alone(accuracy.out).is_object());
  CHECK(accuracy.err.find("test accuracy") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists("-"));
}

TEST_CASE("other outputs take the standard output too, one at a time") {
  const TempFolder folder;
  const ProgramResult picture = cbnet_run(predict({excerpt_image(), "--save-converted", "-"}));
  CHECK(picture.exit_code == 0);
  put(folder / "a.png", picture.out);
  CHECK(cbnet::data::read_picture(folder / "a.png", {1, 28, 28}, false).numel() == 784);
  CHECK(picture.err.find("entropy") != std::string::npos);
  check_refused(cbnet_run(predict({excerpt_image(), "--save-converted", "-", "--json", "-"})),
                "--save-converted and --json cannot both be the standard output");
}

TEST_CASE("a log that the standard output is appended to keeps its lines, the answer and the JSON") {
  const TempFolder folder;
  const std::string log = folder / "log";
  for (const char* name : {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
    put(log, "old\n");
    const ProgramResult result =
        in_shell("\"$@\" >>\"" + log + "\"", predict({excerpt_image(), "--json", name}));
    INFO(result.err);
    CHECK(result.exit_code == 0);
    const std::string text = read_file(log);
    CHECK(text.starts_with("old\n"));
    CHECK(text.find("entropy ") < text.find("\n{\n"));
    CHECK(json_alone(text.substr(text.find("\n{\n"))).contains("images"));
  }
  put(log, "old\n");
  CHECK(
      in_shell("\"$@\" 2>>\"" + log + "\"", predict({excerpt_image(), "--json", "/dev/stderr"})).exit_code ==
      0);
  CHECK(read_file(log).starts_with("old\n{\n"));
  put(log, "old\n");
  CHECK(in_shell("\"$@\" 3>>\"" + log + "\"", predict({excerpt_image(), "--json", "/dev/fd/3"})).exit_code ==
        0);
  CHECK(read_file(log).starts_with("old\n{\n"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    CHECK(entry.path().string() == log);
}

TEST_CASE("a pipe gets the JSON; a reader that leaves, a full disk and a closed output end the program") {
  const ProgramResult counted = in_shell("\"$@\" | tail -n 1", predict({excerpt_image(), "--json", "-"}));
  CHECK(counted.out == "}\n");
  // More than a pipe holds, so that the writing must fail.
  Words many = predict({"--json", "-"});
  for (int i = 0; i < 300; ++i) many.push_back(excerpt_image());
  const ProgramResult left = in_shell("{ \"$@\" 2>/dev/null; echo $? >&2; } | head -n 1", many);
  CHECK(left.out == "{\n");
  CHECK(left.err != "0\n");
  const ProgramResult full = in_shell("\"$@\" >/dev/full", predict({excerpt_image(), "--json", "-"}));
  CHECK(full.exit_code == 1);
  CHECK(full.err.find("cannot write the standard output: No space left on device") != std::string::npos);
  const ProgramResult text = in_shell("\"$@\" >/dev/full", predict({excerpt_image()}));
  CHECK(text.exit_code == 1);
  const ProgramResult closed = in_shell("\"$@\" >&-", predict({excerpt_image(), "--json", "-"}));
  CHECK(closed.exit_code == 2);
  CHECK(closed.err.find("--json: expected an open descriptor at -") != std::string::npos);
}

TEST_CASE("images come from the standard input, pipes and devices") {
  const TempFolder folder;
  cbnet::data::write_png(folder / "a.png", cbnet::data::read_picture(excerpt_image(), {1, 28, 28}, false));
  const std::string png = folder / "a.png";
  const auto answer = [](const ProgramResult& result) {
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return json_alone(result.out)["images"][0]["probabilities"];
  };
  const auto words = [&](const std::string& image) { return predict({image, "--json", "-"}); };
  const Json expected = answer(cbnet_run(words(png)));
  CHECK(answer(in_shell("\"$@\" <\"" + png + "\"", words("-"))) == expected);
  CHECK(answer(in_shell("cat \"" + png + "\" | \"$@\"", words("-"))) == expected);
  CHECK(answer(in_shell("cat \"" + png + "\" | \"$@\"", words("/dev/stdin"))) == expected);
  CHECK(answer(in_shell("\"$@\" 3<\"" + png + "\"", words("/dev/fd/3"))) == expected);
  CHECK(answer(in_shell("cat \"" + png + "\" | \"$@\" 3<&0 </dev/null", words("/dev/fd/3"))) == expected);
  const std::string set = excerpt_folder() + "/t10k-images-idx3-ubyte.gz";
  CHECK(answer(in_shell("cat \"" + set + "\" | \"$@\"", words("/dev/stdin#0"))) == expected);
  CHECK(answer(in_shell("gzip -dc \"" + set + "\" | \"$@\"", words("/dev/stdin#0"))) == expected);
  const std::string pipe = folder / "pipe";
  CHECK(answer(in_shell("mkfifo \"" + pipe + "\"; cat \"" + png + "\" >\"" + pipe + "\" & \"$@\"",
                        words(pipe))) == expected);
  const ProgramResult endless = cbnet_run(words("/dev/zero"));
  CHECK(endless.exit_code == 2);
  CHECK(endless.err.find("/dev/zero: expected at most ") != std::string::npos);
}

TEST_CASE("a recipe, a model and test images come from pipes") {
  const TempFolder folder;
  const Words recipe{"train", "--dataset", "fmnist", "--print-recipe", "--config", "-"};
  const ProgramResult printed = in_shell("echo '{\"auto_margin\": 0.125}' | \"$@\"", recipe);
  CHECK(json_alone(printed.out)["auto_margin"] == 0.125);
  const ProgramResult model = in_shell("\"$@\" <\"" + trained_run() + "/lenet.safetensors\"",
                                       {"info", "--json", "-", "--model", "-"});
  CHECK(json_alone(model.out)["model"]["parameters"] == 67824);
  const std::string images = excerpt_folder() + "/t10k-images-idx3-ubyte.gz";
  const std::string labels = excerpt_folder() + "/t10k-labels-idx1-ubyte.gz";
  const ProgramResult measured =
      in_shell("cat \"" + images + "\" | \"$@\"",
               {"eval", "--run", trained_run(), "--dataset", "fmnist", "--model", "lenet", "--test-images",
                "-", "--test-labels", labels, "--json", "-"});
  INFO(measured.err);
  CHECK(json_alone(measured.out)["test_images"] == 100);
}
