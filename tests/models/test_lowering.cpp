#include "models/lowering.h"

#include "models/kinds/linear.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("lowering: nodes are called after their layers and read what these read") {
  runtime::Graph graph;
  graph.input = {4};
  const Lowering::State state = {{"a.0.weight", Tensor::ones({3, 4})},
                                 {"a.0.bias", Tensor::zeros({3})},
                                 {"a.1.weight", Tensor::ones({2, 4})}};
  Lowering lowering(graph, state);
  const LayerSpecs layers = {kinds::Linear{.out = 3}, LayerSpec(kinds::Linear{.out = 2, .bias = false}, {0})};
  CHECK(lowering.append(layers, 0, {4}, "a.") == 2);
  REQUIRE(graph.nodes.size() == 2);
  CHECK(graph.nodes[0].name == "a.0");
  CHECK(graph.nodes[0].dense.bias.size() == 3);
  CHECK(graph.nodes[1].inputs == std::vector<std::int32_t>{0});
  CHECK(graph.nodes[1].shape == Shape{2});
  CHECK(graph.nodes[1].dense.bias.empty());
  check(graph);
}

TEST_CASE("lowering: what the engine has no form for is refused, by name") {
  runtime::Graph graph;
  graph.input = {4};
  const Lowering::State state;
  Lowering lowering(graph, state);
  lowering.name = "trunk.0";
  CHECK_THROWS_SAYING(lowering.refuse("three axes"), std::invalid_argument,
                      "[compile] trunk.0 has no form in the inference engine: three axes");
}
