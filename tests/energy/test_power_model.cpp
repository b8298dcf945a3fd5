#include "energy/power_model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "tests/energy/support.h"

using namespace cbnet::energy;
using cbnet::energy::testing::contains;
using cbnet::energy::testing::message_of;

namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
}  // namespace

TEST_CASE("power models reject what is no utilisation") {
  for (const double u : {kNaN, -1e-9, 1 + 1e-9, 55.0, kInf, -kInf}) {
    CAPTURE(u);
    CHECK_THROWS_AS(GciModel{}.power_w(u), std::invalid_argument);
    CHECK_THROWS_AS(PiModel{}.power_w(u), std::invalid_argument);
  }
  CHECK(contains(message_of<std::invalid_argument>([] { GciModel{}.power_w(55); }),
                 "[energy] expected a CPU utilisation in [0,1]; got 55; hint: "));
}

TEST_CASE("power models reject impossible constants") {
  for (const char* text : {"n=0", "n=-2", "n=19", "N=0", "N=1", "p_idle_w=-1", "p_idle_w=181", "p_peak_w=0",
                           "beta=0", "beta=-1"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(with_constants(GciModel{}, parse_constants(text)), std::invalid_argument);
  }
  for (const double bad : {kNaN, kInf}) {
    CHECK_THROWS_AS((GciModel{.n = bad}.power_w(0.5)), std::invalid_argument);
    CHECK_THROWS_AS((GciModel{.N = bad}.power_w(0.5)), std::invalid_argument);
    CHECK_THROWS_AS((GciModel{.p_idle_w = bad}.power_w(0.5)), std::invalid_argument);
    CHECK_THROWS_AS((GciModel{.p_peak_w = bad}.power_w(0.5)), std::invalid_argument);
    CHECK_THROWS_AS((GciModel{.beta = bad}.power_w(0.5)), std::invalid_argument);
    CHECK_THROWS_AS((PiModel{.p_idle_w = bad}.power_w(0.5)), std::invalid_argument);
    CHECK_THROWS_AS((PiModel{.p_peak_w = bad}.power_w(0.5)), std::invalid_argument);
    CHECK_THROWS_AS((PiModel{.beta = bad}.power_w(0.5)), std::invalid_argument);
  }
  CHECK_THROWS_AS((PiModel{.p_idle_w = 7}.power_w(0.5)), std::invalid_argument);
  CHECK_THROWS_AS(PowerModel(PiModel{.beta = 0}, "x"), std::invalid_argument);
  CHECK_THROWS_AS(PowerModel(GciModel{.n = 36}, "x"), std::invalid_argument);
}

TEST_CASE("Eq. 1 with the paper's constants") {
  const std::pair<double, double> vectors[] = {
      {0, 4.44444}, {0.25, 9.94416}, {0.5, 13.69383}, {0.75, 16.98109}, {1, 20.0}};
  for (const auto& vector : vectors) {
    CAPTURE(vector.first);
    CHECK(std::abs(GciModel{}.power_w(vector.first) - vector.second) < 5.1e-6);
  }
}

TEST_CASE("Eq. 2 with the paper's constants") {
  const std::pair<double, double> vectors[] = {{0, 2.7}, {0.25, 3.625}, {0.5, 4.55}, {0.75, 5.475}, {1, 6.4}};
  for (const auto& vector : vectors) {
    CAPTURE(vector.first);
    CHECK(std::abs(PiModel{}.power_w(vector.first) - vector.second) < 1e-12);
  }
}

TEST_CASE("Eq. 1 with N counted in threads gives half the power") {
  CHECK(with_constants(GciModel{}, {{"N", 36}}).power_w(0.5) == doctest::Approx(13.69383 / 2).epsilon(1e-6));
}

TEST_CASE("P(mean u) is not mean P(u)") {
  const GciModel model;
  CHECK((model.power_w(0) + model.power_w(1)) / 2 == doctest::Approx(12.22).epsilon(1e-3));
  CHECK(model.power_w(0.5) == doctest::Approx(13.69).epsilon(1e-3));
}

TEST_CASE("constants are read, replaced and printed") {
  CHECK(parse_constants("").empty());
  CHECK(parse_constants("  ").empty());
  const PowerConstants constants = parse_constants("p_idle_w=2.5, beta = 1.5");
  REQUIRE(constants.size() == 2);
  CHECK(constants[0] == std::pair<std::string, double>{"p_idle_w", 2.5});
  CHECK(constants[1] == std::pair<std::string, double>{"beta", 1.5});
  CHECK(with_constants(PiModel{}, constants).describe() ==
        "pi4: Eq. 2, p_idle_w=2.5, p_peak_w=6.4, beta=1.5");
  CHECK(with_constants(PiModel{}, constants).power_w(0.25) == doctest::Approx(2.5 + 3.9 * 0.125));
  CHECK(GciModel{}.describe() == "gci: Eq. 1, n=2, N=18, p_idle_w=40, p_peak_w=180, beta=0.75");
  CHECK(
      with_constants(GciModel{}, parse_constants("n=4,N=36,p_idle_w=50,p_peak_w=200,beta=0.5")).describe() ==
      "gci: Eq. 1, n=4, N=36, p_idle_w=50, p_peak_w=200, beta=0.5");
}

TEST_CASE("wrong constants are named") {
  for (const char* text : {"p_idle_w", "=2", "beta=", "beta=one", "beta=1x", "beta=nan", "beta=inf", ",",
                           "beta=1,", "beta=1,,n=2", "beta=1,beta=2"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_constants(text), std::invalid_argument);
  }
  const std::string unknown = message_of<std::invalid_argument>([] {
    with_constants(PiModel{}, {{"N", 18}});
  });
  CHECK(contains(unknown, "got \"N\""));
  CHECK(contains(unknown, "p_idle_w=2.7, p_peak_w=6.4, beta=1"));
}

TEST_CASE("PowerModel is either model with its words") {
  const PowerModel gci(GciModel{}, "modelled (a server)", "a note");
  CHECK(gci.name() == "gci");
  CHECK(gci.label() == "modelled (a server)");
  CHECK(gci.note() == "a note");
  CHECK(gci.kind() == Kind::modelled);
  CHECK(gci.power_w(1) == doctest::Approx(20));
  CHECK(gci.describe() == GciModel{}.describe());
  const PowerModel pi(PiModel{}, "modelled (a Pi)");
  CHECK(pi.name() == "pi4");
  CHECK(pi.note().empty());
  CHECK(pi.power_w(1) == doctest::Approx(6.4));
  CHECK_THROWS_AS(pi.power_w(kNaN), std::invalid_argument);
}
