// Every allocation of a plan fails in turn. What threw has left a plan and a workspace that go on, with the
// answers of those that never ran out of memory.
#include "runtime/plan.h"

#include <numeric>
#include <optional>
#include <vector>

#include "runtime/plan_file.h"
#include "tensor/parallel.h"
#include "tests/runtime/graphs.h"
#include "tests/support/failing_allocations.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;
using cbnet::testing::fail_each_allocation;
using cbnet::testing::Shortage;

namespace {

/// A classifier with a convolution, a side exit and bytes; or what makes pixels.
Graph some_graph(bool classifies) {
  Builder b({1, 8, 8});
  auto at = b.plain(Kind::relu, b.conv(0, 4, 3, 1));
  at = b.max_pool(at, 2, 2, true);
  at = b.add(Kind::reshape, {at}, {numel(b.shape(at))});
  at = b.plain(Kind::relu, b.linear(at, 24));
  b.linear(at, 9, classifies ? Precision::int8 : Precision::fp32);
  b.graph.classifies = classifies;
  return b.graph;
}

std::vector<float> answers_of(const Results& results) {
  std::vector<float> out(results.probabilities.begin(), results.probabilities.end());
  out.insert(out.end(), results.output.begin(), results.output.end());
  out.insert(out.end(), results.labels.begin(), results.labels.end());
  return out;
}

}  // namespace

TEST_CASE("plan: a workspace that could not grow goes on, with fewer images and with as many") {
  std::vector<std::uint8_t> pixels(600 * 64);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    for (const bool classifies : {true, false}) {
      const Plan plan(some_graph(classifies));
      Workspace fresh(plan);
      const std::vector<float> few = answers_of(plan.run(pixels.data(), 2, fresh));
      const std::vector<float> many = answers_of(plan.run(pixels.data(), 600, fresh));
      for (const Shortage shortage : {Shortage::one, Shortage::lasting}) {
        std::optional<Workspace> workspace;
        const std::int64_t thrown = fail_each_allocation(
            shortage, [&] { workspace.emplace(plan); },
            [&] { static_cast<void>(plan.run(pixels.data(), 600, *workspace)); },
            [&] {
              CHECK(answers_of(plan.run(pixels.data(), 2, *workspace)) == few);
              CHECK(answers_of(plan.run(pixels.data(), 600, *workspace)) == many);
            });
        CHECK(thrown >= 1);
        CHECK(answers_of(plan.run(pixels.data(), 600, *workspace)) == many);
      }
    }
  }
  set_num_threads(before);
}

TEST_CASE("plan: compiling and reading a plan file fail as a whole") {
  const Graph graph = some_graph(true);
  const std::string bytes = graph_to_bytes(graph);
  std::optional<Plan> plan;
  CHECK(fail_each_allocation(
            Shortage::one, [&] { plan.reset(); }, [&] { plan.emplace(graph); }, [&] { CHECK(!plan); }) > 20);
  std::optional<Graph> read;
  CHECK(fail_each_allocation(
            Shortage::one, [&] { read.reset(); }, [&] { read = graph_from_bytes(bytes, "plan"); },
            [&] { CHECK(!read); }) > 5);
  CHECK(graph_to_bytes(*read) == bytes);
}
