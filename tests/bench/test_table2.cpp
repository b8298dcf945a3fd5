#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "bench/table2.h"
#include "tests/bench/support.h"

using namespace cbnet;
using namespace cbnet::bench;
using namespace cbnet::bench::testing;

TEST_CASE("table2: the test set is shuffled as a whole, the same way each time") {
  data::Split split;
  std::vector<std::uint8_t> pixels(50);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  split.images = images_of(pixels);
  split.labels = Tensor::from(pixels, {50});
  const TestSet set = shuffled(split, 1);
  std::vector<std::int64_t> seen = set.numbers;
  CHECK(seen == shuffled(split, 1).numbers);
  CHECK_FALSE(std::is_sorted(seen.begin(), seen.end()));
  for (std::int64_t i = 0; i < 50; ++i) {
    const auto number = static_cast<double>(seen[static_cast<std::size_t>(i)]);
    CHECK(set.images.at({i, 0, 0, 0}) == number);
    CHECK(set.labels.at({i}) == number);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::unique(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("table2: batches are views, the last is what is left") {
  const Tensor images = images_of({1, 2, 3, 4, 5});
  const std::vector<Tensor> batches = in_batches(images, 2);
  REQUIRE(batches.size() == 3);
  CHECK(batches[2].size(0) == 1);
  CHECK(batches[2].at({0, 0, 0, 0}) == 5);
  CHECK(batches[0].shares_storage(images));
}

TEST_CASE("table2: the rows of two models with scripted times") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.0);
  const auto make = [&](const std::string& name, std::int64_t easy_ns, std::int64_t hard_ns) {
    auto predictor = std::make_unique<ScriptedPredictor>(name);
    predictor->clock = &clock;
    predictor->easy_ns = easy_ns;
    predictor->hard_ns = hard_ns;
    return predictor;
  };
  std::vector<Contender> contenders;
  contenders.push_back({make("branchynet", 100'000'000, 700'000'000)});
  contenders.push_back({make("autoencoder", 500'000'000, 500'000'000), Engine::eager, "int8", 0.5});
  TestSet test;
  test.images = images_of({3, 14, 225, 9});  // one hard image
  test.labels = Tensor::from<std::uint8_t>({3, 4, 5, 8}, {4});
  test.numbers = {0, 1, 2, 3};
  ProtocolOptions protocol;
  protocol.clock = clock.reader();
  std::vector<std::string> said;
  const std::vector<Row> rows =
      measure(contenders, test, meter, protocol, [&](const std::string& line) { said.push_back(line); });

  REQUIRE(rows.size() == 2);
  CHECK(said.size() == 2);
  const Row& branchynet = rows[0];
  CHECK(branchynet.model == "branchynet");
  CHECK(branchynet.dataset == "fmnist");
  CHECK(branchynet.batch == 1);
  CHECK(branchynet.images == 4);
  CHECK(branchynet.latency.mean == doctest::Approx(250'000.0));
  CHECK(branchynet.latency.median == doctest::Approx(100'000.0));
  CHECK(branchynet.latency.spread == doctest::Approx(0.0));
  CHECK(branchynet.accuracy == 0.75);
  CHECK(branchynet.exit_rates == std::vector<double>{0.75, 0.25});
  CHECK(branchynet.macs_mean == doctest::Approx(200.0));
  CHECK(branchynet.weight_bytes == 28);
  CHECK(branchynet.engine == "plan");
  CHECK(branchynet.precision == "fp32");
  CHECK(*branchynet.energy.j_per_image == doctest::Approx(0.5));
  CHECK(branchynet.blocks.size() == 3);

  const Row& autoencoder = rows[1];
  CHECK_FALSE(autoencoder.accuracy);
  CHECK(autoencoder.engine == "eager");
  CHECK(autoencoder.precision == "int8");
  CHECK(autoencoder.sparsity == 0.5);
  CHECK(autoencoder.latency.mean == doctest::Approx(500'000.0));
  // One call for the evaluation, a pass for the check, and one for each block.
  const auto& calls = dynamic_cast<ScriptedPredictor&>(*contenders[1].predictor).calls;
  CHECK(calls.size() == 1 + 4 + 3 * 4);
  CHECK(calls.front() == 4);
}

TEST_CASE("table2: nothing is timed when the timed calls say something else") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.0);
  auto predictor = std::make_unique<ScriptedPredictor>("cbnet");
  predictor->lie_about_pixel = 9;
  std::vector<Contender> contenders;
  contenders.push_back({std::move(predictor)});
  TestSet test;
  test.images = images_of({3, 9});
  test.labels = Tensor::from<std::uint8_t>({3, 9}, {2});
  test.numbers = {70, 71};
  bool timed = false;
  ProtocolOptions protocol;
  protocol.progress = [&](const std::string&, std::int64_t) { timed = true; };
  const std::string message = message_of<std::runtime_error>(
      [&] { measure(contenders, test, meter, protocol, [](const std::string&) {}); });
  CHECK(contains(message, "cbnet"));
  CHECK(contains(message, "test image 71"));
  CHECK_FALSE(timed);
}

TEST_CASE("table2: nothing is timed when a plan says something else than the modules") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.0);
  std::vector<Contender> contenders;
  contenders.push_back({std::make_unique<ScriptedPredictor>("cbnet")});
  auto modules = std::make_unique<ScriptedPredictor>("cbnet");
  modules->lie_about_pixel = 9;  // of a call with one image, which is what the evaluation makes of this set
  contenders.back().reference = std::move(modules);
  TestSet test;
  test.images = images_of({9});
  test.labels = Tensor::from<std::uint8_t>({9}, {1});
  test.numbers = {71};
  const std::string message = message_of<std::runtime_error>(
      [&] { measure(contenders, test, meter, {}, [](const std::string&) {}); });
  CHECK(contains(message, "test image 71: label 9 instead of 0"));
}
