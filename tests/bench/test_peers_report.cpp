#include "bench/peers/report.h"

#include <doctest/doctest.h>

#include "bench/peers/bounds.h"
#include "bench/peers/comparison.h"
#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::peers;

namespace {

Json result(const std::string& model, const std::string& engine, const std::string& precision, double us,
            bool folded = false, std::int64_t batch = 1) {
  return {{"model", model},
          {"engine", engine},
          {"variant", "v"},
          {"folded", folded},
          {"precision", precision},
          {"batch", batch},
          {"threads", 1},
          {"error", 1e-7},
          {"us", us},
          {"low", 0.9 * us},
          {"high", 1.2 * us},
          {"busy", 0.99},
          {"floor_us", folded ? 4.0 : 5.0},
          {"floor_by", "arithmetic"}};
}

Json run() {
  const Json engine = {{"engine", "onednn"},
                       {"version", "9.8"},
                       {"openmp_blas", false},
                       {"variants", {{{"variant", "v"}, {"precision", "fp32"}, {"setup", "as it says"}}}}};
  Json limits = {
      {"isa", "avx2"}, {"fma_gmac_per_s", 100.0}, {"int8_gmac_per_s", nullptr}, {"reads", Json::array()}};
  limits["reads"].push_back(
      {{"size_bytes", 32768.0}, {"one_way_gb_per_s", 300.0}, {"zigzag_gb_per_s", 301.0}});
  return {
      {"schema", "cbnet-peers/1"},
      {"commit", "abc"},
      {"host", "a host"},
      {"cap", nullptr},
      {"method",
       {{"rounds", 2}, {"blocks", 3}, {"block_s", 0.1}, {"images", 64}, {"seed", 1}, {"trained_on", Json()}}},
      {"engines", {engine}},
      {"limits", limits},
      {"models",
       {{{"model", "lenet"},
         {"folded", false},
         {"hard_share", nullptr},
         {"zero_share", 0.25},
         {"macs", 1140070.0},
         {"macs_without_padding", 792790.0},
         {"weight_bytes", 271296.0}}}},
      {"results",
       {result("lenet", "cbnet", "fp32", 10.0), result("lenet", "onednn", "fp32", 25.0),
        result("lenet", "ort", "fp32", 20.0, true), result("lenet", "ort", "int8", 2.0),
        result("lenet", "ort", "fp32", 1.0, false, 64), result("cbnet-mnist", "cbnet", "fp32", 30.0),
        result("cbnet-mnist", "cbnet", "int8", 12.0), result("cbnet-mnist", "ort", "int8", 24.0),
        result("cbnet-mnist", "onednn", "fp32", 60.0)}}};
}

Page page_of(const Json& json) {
  Page page;
  page.runs = {json};
  return page;
}

}  // namespace

TEST_CASE("peers report: foreign and incomplete files are refused") {
  CHECK_THROWS_SAYING(markdown({}), std::invalid_argument, "at least one run");
  CHECK_THROWS_SAYING(markdown(page_of(Json::array())), InputError, "no object");
  Json other = run();
  other["schema"] = "cbnet-peers/2";
  CHECK_THROWS_SAYING(markdown(page_of(other)), InputError, "cbnet-peers/2");
  Json incomplete = run();
  incomplete["results"][0].erase("busy");
  CHECK_THROWS_SAYING(markdown(page_of(incomplete)), InputError, "busy");
  Json bare = run();
  bare.erase("method");
  CHECK_THROWS_SAYING(markdown(page_of(bare)), InputError, "method");
}

TEST_CASE("peers report: ours is compared with the fastest peer of the same precision, folded or not") {
  const Comparison c = compare(entries_of(run()), {"lenet", "fp32"});
  REQUIRE(c.ratio.has_value());
  CHECK(c.peer->name() == "ort v, folded");
  CHECK(*c.ratio == doctest::Approx(0.5));
  CHECK(*c.ratio_low == doctest::Approx(0.5 * 0.9 / 1.2));
  CHECK(*c.ratio_high == doctest::Approx(0.5 * 1.2 / 0.9));
  CHECK(c.floor_us.value() == doctest::Approx(4.0));  // the folded model's
  const Comparison best = compare(entries_of(run()), {"cbnet-mnist", "best"});
  CHECK(best.ours->precision == "int8");
  CHECK(*best.ratio == doctest::Approx(0.5));
  CHECK_FALSE(compare(entries_of(run()), {"classifier", "fp32"}).ratio.has_value());
}

TEST_CASE("peers report: verdicts") {
  const Comparison c = compare(entries_of(run()), {"lenet", "fp32"});
  CHECK(verdict(c, 0.4, 0.3) == "missed");
  CHECK(verdict(c, 0.5, 0.3) == "met");
  CHECK(verdict(c, 0.6, 0.5) == "met, and the aim");
  CHECK(verdict({}, 1.0, 1.0) == "not measured");
}

TEST_CASE("peers report: the page holds what was measured, and says what was not") {
  Page with_more = page_of(run());
  with_more.more = {"## More\n\nas it is\n"};
  const std::string page = markdown(with_more);
  CHECK(page.find("| lenet | fp32 | 10.0 [9.00-12.0] | v | 20.0 [18.0-24.0] | ort v, folded | 0.50 | "
                  "0.38-0.67 | 0.60 | "
                  "0.45 | met | 4.00 (arithmetic) | 2.50 |") != std::string::npos);
  CHECK(page.find("| classifier | fp32 | - | - | - | - | - | - | 0.50 | 0.30 | not measured | - | - |") !=
        std::string::npos);
  // Over the models that both sides have: LeNet at 64 images is the peer's alone.
  CHECK(page.find("| no zeros | 1 | 1 | fp32 | 2 of 2 | 0.50 (cbnet-mnist) | 0.50 (lenet) |") !=
        std::string::npos);
  CHECK(page.find("| no zeros | 1 | 1 | int8 | 1 of 1 | 0.50 (cbnet-mnist) | 0.50 (cbnet-mnist) |") !=
        std::string::npos);
  CHECK(page.find("| no zeros | 1 | 64 |") == std::string::npos);
  CHECK(page.find("## More\n\nas it is\n") != std::string::npos);
  Json capped = run(), trained = run();
  capped["cap"] = "avx2";
  trained["method"]["trained_on"] = {"mnist"};
  trained["results"][1]["us"] = trained["results"][2]["us"] = 8.0;
  with_more.runs = {trained, capped};
  const std::string two = markdown(with_more);
  CHECK(two.find("| all vectors | 1 | 1 | fp32 | 1 of 2 | 0.50 (cbnet-mnist) | 1.25 (lenet) |") !=
        std::string::npos);
  CHECK(two.find("| AVX2 only | 1 | 1 | fp32 | 2 of 2 |") != std::string::npos);
  Json disturbed = run();
  disturbed["results"][0]["busy"] = 0.5;
  CHECK(markdown(page_of(disturbed)).find("10.0 [9.00-12.0] †") != std::string::npos);
  REQUIRE(summary(run()).size() == 2);
  CHECK(summary(run())[0].find("lenet fp32: ours 10.0") == 0);
}

TEST_CASE("peers report: trainings against their bars") {
  const auto engine = [](const char* name, double rate) {
    return Json{{"engine", name}, {"images_per_s", rate}, {"low", 0.9 * rate}, {"high", 1.1 * rate}};
  };
  const auto training = [&](const char* model, int threads, double ours) {
    return Json{{"model", model},
                {"batch_size", 512},
                {"threads", threads},
                {"ratio", ours / 1e3},
                {"ratio_low", 1.0},
                {"ratio_high", 9.0},
                {"engines", {engine("cbnet", ours), engine("libtorch", 1e3)}}};
  };
  const Json trainings = {{"peer", "a peer"},
                          {"trainings",
                           {training("lenet", 1, 2900.0), training("autoencoder", 1, 1400.0),
                            training("autoencoder", 2, 1400.0)}}};
  Page trained = page_of(run());
  trained.training = trainings;
  const std::string page = markdown(trained);
  CHECK(page.find("| lenet | 512 | 1 | 2,900 [2,610-3,190] | 1,000 [900-1,100] | 2.90 | 1.00-9.00 | 3.0 | "
                  "missed |") != std::string::npos);
  CHECK(page.find("| 1.40 | 1.00-9.00 | 1.5 | missed |") != std::string::npos);
  CHECK(page.find("| 1.40 | 1.00-9.00 | 1.3 | met |") != std::string::npos);
}

TEST_CASE("peers report: whole plans beside the limits, and the plot, where there are any") {
  CHECK(markdown(page_of(run())).find("How cost grows") == std::string::npos);
  CHECK(markdown(page_of(run())).find("limits of the machine") == std::string::npos);
  const auto point = [](int batch, double us, const Json& fraction) {
    return Json{{"batch", batch}, {"us", us}, {"busy", 1.0}, {"share", fraction}};
  };
  Page page = page_of(run());
  page.roofline = {
      {"schema", "cbnet-roofline/1"},
      {"models",
       {{{"model", "lenet"}, {"whole", {{"points", {point(1, 4.0, 0.5), point(26, 3.0, nullptr)}}}}}}}};
  page.figure = "growth.svg";
  const std::string text = markdown(page);
  INFO(text);
  CHECK(text.find("| lenet | 4.00 | 50 % | 26 | 3.00 | - |") != std::string::npos);
  CHECK(text.find("## How cost grows\n\n![Time per image against batch, width and side](growth.svg)\n") !=
        std::string::npos);
  page.roofline["schema"] = "other";
  CHECK_THROWS_SAYING(markdown(page), InputError, "cbnet-roofline/1");
}

TEST_CASE("peers: floors") {
  const ModelCost cost{1'000'000, 800'000, 400'000, 500'000, 200'000};
  const MachineLimits limits{Isa::avx2, 100.0, 400.0, {{400'000, 50, 60}, {250'000, 100, 120}}};
  // 1e6 multiply-adds at 100 in a ns are 10 µs; 4e5 bytes at 50 in a ns are 8 µs.
  CHECK(floor_of(cost, "fp32", 1, 1, limits)->us == doctest::Approx(10.0));
  CHECK_FALSE(floor_of(cost, "fp32", 1, 1, limits)->memory_bound);
  // Half of them in bytes: 5 µs + 1.25 µs; 2e5 + 5e4 bytes at 100 in a ns.
  CHECK(floor_of(cost, "int8", 1, 1, limits)->us == doctest::Approx(6.25));
  CHECK(floor_of(cost, "fp32", 1, 2, limits)->us == doctest::Approx(5.0));
  MachineLimits slow = limits;
  slow.reads = {{400'000, 20, 20}};
  CHECK(floor_of(cost, "fp32", 1, 1, slow)->us == doctest::Approx(20.0));
  CHECK(floor_of(cost, "fp32", 1, 1, slow)->memory_bound);
  CHECK(floor_of(cost, "fp32", 64, 1, slow)->us == doctest::Approx(10.0));
  CHECK_FALSE(floor_of(cost, "int8", 1, 1, {Isa::avx2, 100.0, {}, limits.reads}).has_value());
}
