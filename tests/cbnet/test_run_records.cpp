#include "cbnet/run_records.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::TempFolder;

namespace {
const std::vector<std::string> kIdentity{"seed"};
}  // namespace

TEST_CASE("records of another training, and broken ones, are refused and kept") {
  const TempFolder folder;
  const RunFolder run(folder.path());
  RunRecords(run, R"({"seed":1})", kIdentity).set_stage("lenet", "{}");
  const std::string before = read_file(run.run_file());
  CHECK_THROWS_SAYING(RunRecords(run, R"({"seed":2})", kIdentity), InputError,
                      "expected a run with seed 2; found 1");
  CHECK(read_file(run.run_file()) == before);
  write_file_atomic(run.run_file(), "{");
  CHECK_THROWS_SAYING(RunRecords(run, R"({"seed":1})", kIdentity), InputError, "run.json and log.jsonl");
  write_file_atomic(run.run_file(), "{}");
  CHECK_THROWS_SAYING(RunRecords(run, R"({"seed":1})", kIdentity), InputError, "run.json and log.jsonl");
}

TEST_CASE("stages of several commands stand side by side, in the method's order") {
  const TempFolder folder;
  const RunFolder run(folder.path());
  {
    RunRecords first(run, R"({"seed":1,"threads":1})", kIdentity);
    first.set_log("branchynet", {R"({"stage":"branchynet","epoch":1})"});
    first.set_stage("branchynet", R"({"epochs":1})");
  }
  RunRecords second(run, R"({"seed":1,"threads":2})", kIdentity);
  second.set_log("lenet", {R"({"stage":"lenet","epoch":1})", R"({"stage":"lenet","epoch":2})"});
  second.set_stage("lenet", R"({"epochs":2})");
  const auto json = nlohmann::ordered_json::parse(read_file(run.run_file()));
  CHECK(json.at("stages").dump() == R"({"lenet":{"epochs":2},"branchynet":{"epochs":1}})");
  CHECK(json.at("threads") == 2);
  CHECK(json.at("peak_memory_bytes") > 100'000);
  CHECK(run.read_log() == std::vector<std::string>{R"({"stage":"lenet","epoch":1})",
                                                   R"({"stage":"lenet","epoch":2})",
                                                   R"({"stage":"branchynet","epoch":1})"});
  // A stage that starts over replaces its lines.
  second.set_log("lenet", {R"({"stage":"lenet","epoch":1})"});
  CHECK(run.read_log().size() == 2);
}
