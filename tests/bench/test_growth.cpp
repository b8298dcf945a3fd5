#include "bench/growth.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "bench/growth_plot.h"
#include "console/options.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

namespace {

Json point(const char* axis, const char* model, int x, int threads, Json floor_us) {
  Json out{{"axis", axis},     {"model", model},     {"width", 1},          {"side", 28},
           {"batch", 1},       {"threads", threads}, {"us", 10.0 * x},      {"low", 9.0 * x},
           {"high", 12.0 * x}, {"busy", 1.0},        {"floor_us", floor_us}};
  out[axis] = x;
  return out;
}

Json record() {
  return {{"schema", "cbnet-growth/1"},
          {"points",
           {point("batch", "lenet", 1, 1, 5.0), point("batch", "lenet", 2, 1, 5.0),
            point("batch", "lenet", 1, 2, nullptr), point("width", "classifier", 4, 1, 20.0)}}};
}

/// Whether gnuplot is there to draw with.
bool can_draw() {
  try {
    require_gnuplot();
    return true;
  } catch (const InputError&) {
    return false;
  }
}

}  // namespace

TEST_CASE("growth: wrong use is refused") {
  CHECK_THROWS_SAYING(run_growth({"--max-batch", "0"}), UsageError, "--max-batch");
  CHECK_THROWS_SAYING(run_growth({"--max-side", "27"}), UsageError, "--max-side");
  CHECK_THROWS_SAYING(run_growth({"--plot", "growth.png"}), UsageError,
                      "--plot must name an .svg file; got 'growth.png'");
  CHECK_THROWS_SAYING(run_growth({"--from", "no-such.json"}), InputError, "no-such.json");
  CHECK_THROWS_SAYING(growth_text(Json::array()), InputError, "cbnet-growth/1");
  Json incomplete = record();
  incomplete["points"][1].erase("low");
  CHECK_THROWS_SAYING(growth_text(incomplete), InputError, "low");
}

TEST_CASE("growth: the points of each axis are powers of two apart") {
  GrowthOptions options;
  const std::vector<GrowthPoint> points = growth_points(options);
  const auto count = [&](const char* axis, const char* model) {
    return std::count_if(points.begin(), points.end(),
                         [&](const GrowthPoint& p) { return p.axis == axis && p.model == model; });
  };
  CHECK(count("batch", "lenet") == 2 * 13);
  CHECK(count("width", "autoencoder-mnist") == 4);
  CHECK(count("side", "classifier") == 4);
  CHECK(count("side", "autoencoder-mnist") == 0);
  for (const GrowthPoint& p : points) {
    if (p.axis != "batch") CHECK((p.batch == 1 && p.threads == 1));
    if (p.axis != "width") CHECK(p.width == 1);
    if (p.axis != "side") CHECK(p.side == 28);
  }
}

TEST_CASE("growth: the floor of a call, its threads sharing arithmetic and bytes") {
  const MachineLimits limits{Isa::avx2, 100.0, 400.0, {{400'000, 50, 60}, {200'000, 100, 100}}};
  // 4e5 bytes at 50 in a ns are 8 µs, however many images; 1e5 multiply-adds are 1 µs each.
  CHECK(growth_floor(1e5, 4e5, 1, 1, limits)->us == doctest::Approx(8.0));
  CHECK(growth_floor(1e5, 4e5, 4, 1, limits)->memory_bound);
  CHECK(growth_floor(1e5, 4e5, 16, 1, limits)->us == doctest::Approx(16.0));
  // Half the bytes a core, and nearer.
  CHECK(growth_floor(1e5, 4e5, 1, 2, limits)->us == doctest::Approx(2.0));
  CHECK(growth_floor(1e5, 4e5, 16, 2, limits)->us == doctest::Approx(8.0));
}

TEST_CASE("growth: the JSON is what docs/bench-json.md says, and the thread count stays") {
  const testing::TempFolder folder;
  const int threads = num_threads();
  CHECK(run_growth({"--max-batch", "2", "--max-width", "2", "--max-side", "56", "--repeats", "1", "--block-s",
                    "0.0002", "--quiet", "--json", folder / "growth.json"}) == 0);
  CHECK(num_threads() == threads);
  const Json report = parse_json(read_file(folder / "growth.json"));
  CHECK(report.at("schema") == "cbnet-growth/1");
  CHECK(report.at("method").at("rounds") == 1);
  REQUIRE(report.at("points").size() == 2 * 3 * 2 + 3 * 2 + 2 * 2);
  for (const Json& p : report.at("points")) {
    for (const char* key : {"axis", "model", "width", "side", "batch", "threads", "macs", "weight_bytes",
                            "error", "us", "low", "high", "busy", "floor_us", "floor_by"})
      CHECK_MESSAGE(p.contains(key), key);
    CHECK(p.at("us") > 0.0);
    CHECK(p.at("error") < 1e-4);
  }
  // Folded: 720 x 84 and 84 x 10 multiply-adds become 720 x 10.
  CHECK(report.at("points").at(0).at("macs") == 1'140'070 - 720 * 84 - 84 * 10 + 720 * 10);
  CHECK(growth_series(report).size() == 2 * 3 + 3 + 2);
}

TEST_CASE("growth: series, tables and data of a record") {
  const std::vector<GrowthSeries> series = growth_series(record());
  REQUIRE(series.size() == 3);
  CHECK(series[0].points.size() == 2);
  CHECK(series[1].threads == 2);
  const std::string text = growth_text(record());
  CHECK(text.find("lenet, 1 thread  lenet, 2 threads\n") != std::string::npos);
  CHECK(text.find("10.0 (2.0)") != std::string::npos);
  CHECK(text.find("40.0 (2.0)") != std::string::npos);
  CHECK(growth_data(series) ==
        "# x, us, lowest, highest and floor of one image\n"
        "# batch, lenet, threads 1\n1 10.0 9.0 12.0 5.0\n2 20.0 18.0 24.0 5.0\n\n\n"
        "# batch, lenet, threads 2\n1 10.0 9.0 12.0 ?\n\n\n"
        "# width, classifier, threads 1\n4 40.0 36.0 48.0 20.0\n");
}

TEST_CASE("growth: the script has a panel for each thread count and axis, and names with quotes stay names") {
  const std::string script = growth_script(growth_series(record()), "it's.dat");
  CHECK(script.find("layout 2,2") != std::string::npos);
  for (const char* part :
       {"set title 'Batch, 1 thread'", "set title 'Batch, 2 threads'", "set title 'Width, batch 1",
        "'it''s.dat' index 2 using 1:2:3:4", "'it''s.dat' index 2 using 1:5"})
    CHECK_MESSAGE(script.find(part) != std::string::npos, part);
  CHECK(script.find("Image side") == std::string::npos);
}

TEST_CASE("growth: the plot is drawn, or its lack of gnuplot is told") {
  const testing::TempFolder folder;
  const std::filesystem::path svg = folder / "growth.svg";
  if (can_draw()) {
    plot_growth(record(), svg);
    const std::string drawn = read_file(svg);
    CHECK(drawn.find("<svg") != std::string::npos);
    CHECK(drawn.find("early branch") != std::string::npos);
    CHECK(drawn.find("</svg>") != std::string::npos);
    CHECK(std::filesystem::exists(folder / "growth.dat"));
    CHECK_FALSE(std::filesystem::exists(folder / "growth.svg.tmp"));
  } else {
    CHECK_THROWS_SAYING(plot_growth(record(), svg), InputError, "install gnuplot-nox");
    CHECK_FALSE(std::filesystem::exists(svg));
  }
}
