#include "bench/peers/networks_report.h"

#include <doctest/doctest.h>

#include "bench/peers/comparison.h"
#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::peers;

namespace {

Json result(const std::string& model, const std::string& engine, const std::string& precision,
            std::int64_t batch, double us) {
  return {
      {"model", model},  {"engine", engine}, {"variant", "v"}, {"folded", false}, {"precision", precision},
      {"batch", batch},  {"threads", 1},     {"error", 0.025}, {"agree", 0.875},  {"us", us},
      {"low", 0.9 * us}, {"high", 1.2 * us}, {"busy", 0.99},   {"floor_us", 4.0}, {"floor_by", "arithmetic"}};
}

Json run(const std::string& model) {
  const auto skip = [&](const char* engine, const char* variant, const char* why) {
    return Json{{"model", model}, {"engine", engine}, {"variant", variant}, {"why", why}};
  };
  return {{"schema", "cbnet-peers/1"},
          {"host", "a host"},
          {"commit", "abc"},
          {"models", {{{"model", model}, {"macs", 103488.0}}}},
          {"results",
           {result(model, "cbnet", "fp32", 1, 8.0), result(model, "ort", "fp32", 1, 16.0),
            result(model, "cbnet", "int8", 1, 8.0), result(model, "ort", "int8", 1, 4.0),
            result(model, "ort", "fp32", 64, 4.0)}},
          {"skipped",
           {skip("dlib", "v", kSequencesAlone), skip("ort", "plain", kSequencesAlone),
            skip("onednn", "bytes", "has no counterpart for trunk.0, tanh to (3)")}}};
}

Json training(const std::string& model, double ratio) {
  const Json engine = {{"images_per_s", 1e3}, {"low", 900.0}, {"high", 1100.0}};
  return {{"trainings",
           {{{"model", model},
             {"batch_size", 128},
             {"ratio", ratio},
             {"ratio_low", 1.0},
             {"ratio_high", 2.0},
             {"engines", {engine, engine}}}}}};
}

bool has(const std::string& page, const std::string& text) { return page.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("peers networks report: foreign and incomplete files are refused") {
  CHECK_THROWS_SAYING(networks_markdown({}), std::invalid_argument, "at least one run");
  CHECK_THROWS_SAYING(networks_markdown({{Json::array()}, {}}), InputError, "no object");
  Json bare = run("conv");
  bare.erase("skipped");
  CHECK_THROWS_SAYING(networks_markdown({{bare}, {}}), InputError, "skipped");
}

TEST_CASE("peers networks report: every network, precision and batch against its bar, the set in its order") {
  const std::string page = networks_markdown(
      {{run("mine"), run("mobile"), run("conv")}, {training("mobile", 1.1), training("conv", 1.2)}});
  INFO(page);
  CHECK(has(page,
            "| conv | 103,488 | fp32 | 8.00 [7.20-9.60] | v | 16.0 [14.4-19.2] | ort v | 0.50 | 0.38-0.67 | "
            "0.80 | met, and the aim | 4.00 | 2.00 | - | - |"));
  CHECK(has(page, "| 2.00 | 1.50-2.67 | 0.80 | missed | 4.00 | 2.00 | 88 %, 2.5 % | 88 %, 2.5 % |"));
  CHECK(has(page,
            "| conv | 103,488 | fp32 | - | - | 4.00 [3.60-4.80] | ort v | - | - | 1.00 | not measured |"));
  CHECK(page.find("| conv |") < page.find("| mobile |"));
  CHECK(page.find("| mobile |") < page.find("| mine |"));
  CHECK(has(page, "| conv | 128 | 1,000 [900-1,100] | 1,000 [900-1,100] | 1.20 | 1.00-2.00 | 1.2 | met |"));
  CHECK(has(page, "| 1.10 | 1.00-2.00 | 1.2 | missed |"));
}

TEST_CASE("peers networks report: what could not be run stands there with its reason") {
  Json refused = training("conv", 1.0);
  refused["trainings"][0] = {{"model", "conv"}, {"why", "no counterpart for trunk.0: tanh"}};
  const std::string page = networks_markdown({{run("conv"), run("mobile")}, {refused}});
  INFO(page);
  CHECK(has(page, "- dlib, conv, mobile: takes the paper's networks alone\n"));
  CHECK(has(page, "- onednn bytes, conv, mobile: has no counterpart for trunk.0, tanh to (3)\n"));
  CHECK_FALSE(has(page, "- ort"));  // it ran in another variant
  CHECK(has(page, "conv is not in the table: no counterpart for trunk.0: tanh\n"));
}
