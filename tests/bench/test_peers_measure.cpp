#include "bench/peers/measure.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "tensor/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::peers;

namespace {

/// A worker that answers what it is told to: `ready` to a job, and one block after the other.
void write_worker(const std::filesystem::path& folder, const std::string& engine,
                  const std::string& precision, const std::string& ready) {
  const std::filesystem::path path = folder / ("peer_" + engine);
  write_file_atomic(
      path, concat(R"(#!/bin/sh
if [ "$1" = --about ]; then
  echo '{"engine":")",
                   engine, R"(","version":"1","openmp_blas":false,"variants":[{"variant":"v","precision":")",
                   precision, R"(","setup":"s"}]}'
  exit
fi
echo ')",
                   ready, R"('
while read -r line; do echo '{"us":2.0,"low_us":1.5,"passes":3,"busy":1.0,"cpu_us":2.0}'; done
)"));
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

MeasureOptions options_of(const std::filesystem::path& workers) {
  MeasureOptions out;
  out.workers = workers;
  out.networks = {"conv"};
  out.batches = {1};
  out.threads = {1};
  out.rounds = out.blocks = 1;
  out.block_s = 0.001;
  return out;
}

}  // namespace

TEST_CASE("peers measure: outputs that are not the reference's end the run") {
  const testing::TempFolder folder;
  write_worker(folder.path(), "off", "fp32", R"({"takes":true,"error":0.002,"rms_error":0.001,"agree":1.0})");
  CHECK_THROWS_SAYING(measure(options_of(folder.path())), std::runtime_error,
                      "off v on conv: outputs differ by 0.002");
  write_worker(folder.path(), "off", "fp32", R"({"takes":true,"error":null,"rms_error":0.0,"agree":1.0})");
  CHECK_THROWS(measure(options_of(folder.path())));
  write_worker(folder.path(), "off", "int8", R"({"takes":true,"error":0.9,"rms_error":0.5,"agree":0.9})");
  CHECK_THROWS_SAYING(measure(options_of(folder.path())), std::runtime_error, "in the root mean square");
}

TEST_CASE("peers measure: what an engine cannot run is in the record, with the reason") {
  const testing::TempFolder folder;
  write_worker(folder.path(), "good", "int8", R"({"takes":true,"error":0.1,"rms_error":0.01,"agree":0.75})");
  write_worker(folder.path(), "poor", "fp32", R"({"takes":false,"why":"has no counterpart for trunk.0"})");
  const Json record = measure(options_of(folder.path()));
  REQUIRE(record.at("results").size() == 1);
  CHECK(record.at("results")[0].at("engine") == "good");
  CHECK(record.at("results")[0].at("agree") == 0.75);
  CHECK(record.at("results")[0].at("us") == 2.0);
  REQUIRE(record.at("skipped").size() == 1);
  CHECK(record.at("skipped")[0].at("engine") == "poor");
  CHECK(record.at("skipped")[0].at("why") == "has no counterpart for trunk.0");
  CHECK(record.at("models")[0].at("macs") == 103'488);
}

TEST_CASE("peers measure: unknown networks, two of one name and no engines are refused") {
  const testing::TempFolder folder;
  MeasureOptions options = options_of(folder.path());
  CHECK_THROWS_SAYING(measure(options), std::invalid_argument, "no such engine");
  options.networks = {"conv", "conv"};
  CHECK_THROWS_SAYING(measure(options), std::invalid_argument, "'conv'");
  options.networks = {"vgg"};
  CHECK_THROWS_SAYING(measure(options), InputError, "vgg");
}
