// Writes that fail: the previous file stays, the message says what to do, and the next run goes on.

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "models/onnx/onnx.h"
#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"

using namespace cbnet::test;
using cbnet::read_file;

namespace {

struct Fault {
  std::string call;
  int error;  // 0 kills
  const char* reason;
  const char* hint;
};

const Fault kFaults[] = {
    {"write", ENOSPC, "No space left on device", "free some space or write to another disk"},
    {"fsync", ENOSPC, "No space left on device", "free some space or write to another disk"},
    {"open", EROFS, "Read-only file system", "choose a folder you may write to"},
    {"open", EACCES, "Permission denied", "choose a folder you may write to"},
    {"rename", 0, "", ""},  // between the last byte and the new name
};

/// cbnet with the fault in every write of a file whose path has `part`; the first `after` succeed.
ProgramResult run_with(const Fault& fault, const std::vector<std::string>& words, const std::string& part,
                       int after = 0) {
  ProgramOptions options;
  options.environment = {{"LD_PRELOAD", CBNET_FAULTS_LIBRARY},
                         {"ASAN_OPTIONS", "verify_asan_link_order=0"},
                         {"CBNET_FAULT", fault.call},
                         {"CBNET_FAULT_WITH", fault.error == 0 ? "kill" : std::to_string(fault.error)},
                         {"CBNET_FAULT_PATH", part},
                         {"CBNET_FAULT_AFTER", std::to_string(after)}};
  return cbnet_run(words, options);
}

/// What writers have left beside the file.
int temporaries(const std::string& file) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(file).parent_path()))
    count += entry.path().extension() == ".tmp" ? 1 : 0;
  return count;
}

/// The command fails and leaves `file` as it was; without the fault it then succeeds.
void check_fault(const std::string& file, const std::vector<std::string>& words) {
  for (const Fault& fault : kFaults) {
    CAPTURE(fault.call);
    CAPTURE(fault.error);
    const std::string before = "what stood here";
    put(file, before);
    const ProgramResult result = run_with(fault, words, std::filesystem::path(file).filename().string());
    INFO("stderr: " << result.err);
    CHECK(result.exit_code == (fault.error == 0 ? -9 : 1));
    CHECK(read_file(file) == before);
    if (fault.error != 0) {
      CHECK(result.err.find(fault.reason) != std::string::npos);
      CHECK(result.err.find("the previous file is unchanged") != std::string::npos);
      CHECK(result.err.find(fault.hint) != std::string::npos);
      CHECK(temporaries(file) == 0);
    } else {
      CHECK(temporaries(file) == 1);  // which the next write of the file removes
    }
    CHECK(cbnet_run(words).exit_code == 0);
    CHECK(read_file(file) != before);
    CHECK(temporaries(file) == 0);
  }
}

}  // namespace

TEST_CASE("a report, a picture and a model that cannot be written leave what stood there") {
  const TempFolder folder;
  check_fault(folder / "info.json", {"info", "--quiet", "--json", folder / "info.json"});
  check_fault(folder / "c.png", {"predict", "--run", trained_run(), "--model", "cbnet", "--save-converted",
                                 folder / "c.png", excerpt_folder() + "/t10k-images-idx3-ubyte.gz#0"});
  if (cbnet::onnx_description() == "not built in") return;
  check_fault(folder / "m.onnx",
              {"export", "--run", trained_run(), "--model", "lenet", "--onnx", folder / "m.onnx"});
  check_fault(folder / "m.safetensors",
              {"import", "--onnx", std::string(CBNET_SOURCE_DIR) + "/tests/golden/torch_lenet.onnx", "--out",
               folder / "m.safetensors"});
}

TEST_CASE("a training whose writes fail goes on from the last good state, to the same bits") {
  const TempFolder folder;
  const std::string run = folder / "run";
  const auto words = train_arguments(run, {"--resume", "--quiet"});
  // Every kind of file that training writes, by turns, each at its second or third write.
  // run.json comes last: its second write is at the end of a training.
  const std::pair<const char*, int> writes[] = {{"lenet.state", 2},
                                                {"log.jsonl", 2},
                                                {"lenet.safetensors", 0},
                                                {"branchynet.state", 1},
                                                {"run.json", 1}};
  for (std::size_t i = 0; i < std::size(kFaults); ++i) {
    const Fault& fault = kFaults[i];
    CAPTURE(fault.call);
    CAPTURE(std::string(writes[i].first));
    const ProgramResult result = run_with(fault, words, writes[i].first, writes[i].second);
    INFO("stderr: " << result.err);
    CHECK(result.exit_code == (fault.error == 0 ? -9 : 1));
    if (fault.error != 0) CHECK(result.err.find(fault.hint) != std::string::npos);
  }
  REQUIRE(cbnet_run(words).exit_code == 0);
  for (const char* model : {"lenet", "branchynet", "autoencoder", "classifier"}) {
    const std::string name = std::string("/") + model + ".safetensors";
    CHECK_MESSAGE(read_file(run + name) == read_file(trained_run() + name), name);
  }
  for (const auto& entry : std::filesystem::directory_iterator(run))
    CHECK(entry.path().extension() != ".tmp");
}
