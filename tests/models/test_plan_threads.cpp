// One plan, many callers: equal bits from threads at once, from one thread and from many, and from call to
// call.
#include <thread>

#include "tensor/parallel.h"
#include "tests/models/planned.h"

using namespace cbnet;
using namespace cbnet::testing;
using runtime::Plan;
using runtime::Results;
using runtime::Workspace;

namespace {

/// Everything that a plan said.
struct Bits {
  std::vector<float> numbers;
  std::vector<std::int64_t> labels;
  std::vector<std::int32_t> exits;

  explicit Bits(const Results& results) {
    for (const auto& part : {results.probabilities, results.entropy, results.output})
      numbers.insert(numbers.end(), part.begin(), part.end());
    labels.assign(results.labels.begin(), results.labels.end());
    exits.assign(results.exit.begin(), results.exit.end());
  }
  friend bool operator==(const Bits&, const Bits&) = default;
};

constexpr std::int64_t kImages = 64;

}  // namespace

TEST_CASE("plan: eight threads at once, with a workspace each, get what one gets") {
  const std::vector<std::uint8_t> bytes = random_bytes(kImages, {1, 28, 28});
  const int before = num_threads();
  for (const Planned& planned : paper_models(as_floats(bytes))) {
    CAPTURE(planned.name);
    const Plan plan(planned.graph);
    for (const int threads : {1, 2}) {
      set_num_threads(threads);
      for (const std::int64_t n : {std::int64_t{1}, kImages}) {
        Workspace own(plan);
        const Bits want(plan.run(bytes.data(), n, own));
        std::vector<int> same(8, 0);
        std::vector<std::thread> callers;
        callers.reserve(same.size());
        for (int& mine : same) {
          callers.emplace_back([&] {
            Workspace workspace(plan);
            for (int call = 0; call < 3; ++call)
              mine += Bits(plan.run(bytes.data(), n, workspace)) == want ? 1 : 0;
          });
        }
        for (std::thread& caller : callers) caller.join();
        CHECK(same == std::vector<int>(8, 3));
      }
    }
  }
  set_num_threads(before);
}

TEST_CASE("plan: equal bits for any number of threads, on every ISA, and from call to call") {
  const std::vector<std::uint8_t> bytes = random_bytes(kImages, {1, 28, 28});
  const int before = num_threads();
  for (const Planned& planned : paper_models(as_floats(bytes))) {
    for (const Isa isa : available_isas()) {
      CAPTURE(planned.name);
      CAPTURE(std::string(to_string(isa)));
      const Plan plan(planned.graph, isa);
      Workspace workspace(plan);
      set_num_threads(1);
      const Bits want(plan.run(bytes.data(), kImages, workspace));
      for (const int threads : {2, 3, 5, 1, 1}) {  // the weights are walked from either end in turn
        set_num_threads(threads);
        CHECK(Bits(plan.run(bytes.data(), kImages, workspace)) == want);
      }
    }
  }
  set_num_threads(before);
}
