#include "bench/roofline.h"

#include <doctest/doctest.h>

#include "cbnet/compression.h"
#include "console/options.h"
#include "runtime/plan_file.h"
#include "runtime/quantize.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

TEST_CASE("roofline: wrong use is refused") {
  CHECK_THROWS_SAYING(run_roofline({"--model", "lenett"}), UsageError,
                      "no model 'lenett'; did you mean lenet?");
  CHECK_THROWS_SAYING(run_roofline({"--repeats", "0"}), UsageError, "--repeats");
  CHECK_THROWS_SAYING(run_roofline({"--block-s", "0"}), UsageError, "--block-s must be above 0");
  CHECK_THROWS_SAYING(run_roofline({"--threads", "2"}), UsageError, "one core");
  CHECK_THROWS_SAYING(run_roofline({"--run", "no-such-run"}), InputError, "run folder");
  CHECK_THROWS_SAYING(roofline_text(Json::object()), InputError, "cbnet-roofline/1");
  CHECK_THROWS_SAYING(roofline_text({{"schema", "cbnet-roofline/1"}}), InputError, "every field");
}

TEST_CASE("roofline: the work of a step grows with the images, its weights do not") {
  runtime::StepInfo step;
  step.macs = 100;
  step.weight_bytes = 40;
  step.activation_bytes = 6;
  const Work one = step_work(step, 1), many = step_work(step, 8);
  CHECK(one.macs == 100);
  CHECK(one.bytes == 46);
  CHECK(many.macs == 800);
  CHECK(many.bytes == 88);
  CHECK(many.int8_macs == 0);
  step.int8 = true;
  CHECK(step_work(step, 8).macs == 0);
  CHECK(step_work(step, 8).int8_macs == 800);
}

TEST_CASE("roofline: the JSON is what docs/bench-json.md says") {
  const testing::TempFolder folder;
  const int threads = num_threads();
  CHECK(run_roofline({"--model", "classifier", "--repeats", "1", "--block-s", "0.0002", "--quiet", "--json",
                      folder / "roofline.json"}) == 0);
  set_num_threads(threads);
  const Json report = parse_json(read_file(folder / "roofline.json"));
  CHECK(report.at("schema") == "cbnet-roofline/1");
  CHECK(report.at("host").at("threads") == 1);
  CHECK(report.at("method").at("rounds") == 1);
  CHECK(report.at("limits").at("reads").size() > 4);
  REQUIRE(report.at("models").size() == 1);
  const Json& model = report.at("models").at(0);
  CHECK(model.at("model") == "classifier");
  CHECK(model.at("macs") == 220'150);
  CHECK(model.at("error") < 1e-4);
  std::int64_t macs = 0;
  for (const Json& step : model.at("steps")) {
    macs += step.at("macs").get<std::int64_t>();
    CHECK(step.at("activation_bytes") > 0);
    REQUIRE(step.at("points").size() == 2);
    for (const Json& point : step.at("points")) {
      CHECK(point.at("us") > 0.0);
      const double bytes = step.at("weight_bytes").get<double>() / point.at("batch").get<double>() +
                           step.at("activation_bytes").get<double>();
      CHECK(point.at("gb_per_s").get<double>() ==
            doctest::Approx(1e-3 * bytes / point.at("us").get<double>()));
      CHECK(point.at("gmac_per_s").get<double>() ==
            doctest::Approx(1e-3 * step.at("macs").get<double>() / point.at("us").get<double>()));
      if (point.at("floor_us").is_null()) continue;
      CHECK(point.at("share").get<double>() ==
            doctest::Approx(point.at("floor_us").get<double>() / point.at("us").get<double>()));
    }
    CHECK(step.at("points").at(0).at("batch") == 1);
    CHECK(step.at("points").at(1).at("batch") == model.at("tile_images"));
  }
  CHECK(macs == 220'150);
  CHECK(model.at("whole").at("macs") == macs);
  const std::string text = roofline_text(report);
  CHECK(text.find("classifier\n") != std::string::npos);
  CHECK(text.find("all of it") != std::string::npos);
  CHECK(text.find("batch " + model.at("tile_images").dump()) != std::string::npos);
}

TEST_CASE("roofline: a compiled plan has rows too, and bytes are multiplied as bytes") {
  const testing::TempFolder folder;
  runtime::Graph graph = make_network("autoencoder-kmnist", 1).graph();
  for (runtime::Node& node : graph.nodes) {
    if (node.kind != runtime::Kind::linear || node.dense.in != 784) continue;
    node.dense = runtime::convert(node.dense, runtime::Precision::int8);
    node.input = {1.0F / 255.0F, 0};
  }
  CompiledInfo info;
  info.model = "autoencoder";
  info.dataset = "kmnist";
  info.precision = runtime::Precision::int8;
  info.macs_by_exit = {635'392};
  info.parameter_count = 637'104;
  graph.provenance = to_json(info);
  runtime::save_graph(folder / "a.plan", graph);
  const int threads = num_threads();
  CHECK(run_roofline({"--plan", folder / "a.plan", "--repeats", "1", "--block-s", "0.0002", "--quiet",
                      "--json", folder / "roofline.json"}) == 0);
  set_num_threads(threads);
  const Json report = parse_json(read_file(folder / "roofline.json"));
  REQUIRE(report.at("models").size() == 1);
  const Json& model = report.at("models").at(0);
  CHECK(model.at("model") == "autoencoder-kmnist, int8");
  CHECK(model.at("macs") == 635'392);
  CHECK(model.at("error").is_null());
  std::int64_t of_bytes = 0;
  for (const Json& step : model.at("steps")) {
    if (step.at("int8").get<bool>()) of_bytes += step.at("macs").get<std::int64_t>();
  }
  CHECK(of_bytes == 784 * 512);
  CHECK_THROWS_SAYING(run_roofline({"--plan", folder / "none.plan"}), InputError, "none.plan");
}
