#include "bench/pareto.h"

#include <set>

#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;
using cbnet::testing::contains;

TEST_CASE("wrong use") {
  CHECK_THROWS_SAYING(pareto_svg({}, "none"), std::invalid_argument, "there is nothing to draw");
  CHECK_THROWS_SAYING(run_pareto({"--dataset", "mnist", "--trainings", "0"}), std::invalid_argument,
                      "trainings");
}

TEST_CASE("every candidate is a network; a mutation changes one size") {
  Rng rng(1);
  std::set<std::string> names;
  for (int i = 0; i < 200; ++i) {
    const Candidate one = random_candidate(rng), other = mutated(one, rng);
    const NetworkSpec spec = spec_of(one, {});
    CHECK(trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size())) == Shape{10});
    CHECK(spec.exits.size() == (one.exit ? 1 : 0));
    CHECK(spec.name == name_of(one));
    names.insert(spec.name);
    const int changes = (one.stem != other.stem ? 1 : 0) + (one.first != other.first ? 1 : 0) +
                        (one.code != other.code ? 1 : 0) + (one.exit != other.exit ? 1 : 0);
    CHECK(changes == 1);
  }
  CHECK(names.size() > 60);
}

TEST_CASE("the front is what nothing beats") {
  const std::vector<ParetoPoint> points = {{"slow", "random", 0.90, 5},
                                           {"beaten", "random", 0.85, 4},
                                           {"fast", "evolution", 0.80, 1},
                                           {"middle", "baseline", 0.88, 3},
                                           {"twin", "random", 0.87, 3}};
  const std::vector<ParetoPoint> front = front_of(points);
  REQUIRE(front.size() == 3);
  CHECK(front[0].name == "fast");
  CHECK(front[1].name == "middle");
  CHECK(front[2].name == "slow");
  const Json json = pareto_json(points, "mnist", 3);
  CHECK(json.at("rows")[1].at("front") == false);
  CHECK(json.at("rows")[3].at("front") == true);
  const std::string svg = pareto_svg(points, "a title");
  CHECK(contains(svg, "a title"));
  CHECK(contains(svg, "beaten: 85.00 %, 4.00 us"));
}
