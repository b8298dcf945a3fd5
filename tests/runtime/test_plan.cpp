#include "runtime/plan.h"

#include <atomic>
#include <thread>

#include "tensor/parallel.h"
#include "tests/runtime/graphs.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

/// What a network of a few layers may be off: 1e-5 of the sum of absolute products, here below 100.
constexpr double kTolerance = 1e-3;

/// Sets the thread count back at its end.
struct Threads {
  explicit Threads(int n) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  int before = num_threads();
};

/// Two exits and an end along a trunk of linear layers.
Graph three_exits(double first, double second) {
  Builder b({5}, 7);
  const auto trunk = b.plain(Kind::relu, b.linear(0, 12));
  const auto one = b.linear(trunk, 4);
  const auto further = b.plain(Kind::tanh, b.linear(trunk, 9));
  const auto two = b.linear(further, 4);
  b.linear(b.plain(Kind::sigmoid, b.linear(further, 6)), 4);
  b.graph.exits = {{one, first}, {two, second}};
  return b.graph;
}

double entropy_of(const Values& logits) {
  double sum = 0, entropy = 0;
  for (const double v : logits) sum += std::exp(v);
  for (const double v : logits) entropy -= std::exp(v) / sum * (v - std::log(sum));
  return entropy;
}

/// three_exits() with thresholds by which a third leaves at the first, and half of the others at the second.
Graph three_thirds(const std::vector<float>& pixels) {
  Graph graph = three_exits(0.0, 0.0);
  std::vector<std::pair<double, double>> entropies;
  for (std::size_t i = 0; i < pixels.size(); i += 5) {
    const std::vector<Values> values = all_values(graph, pixels.data() + i);
    const auto of = [&](std::size_t e) {
      return entropy_of(values[static_cast<std::size_t>(graph.exits[e].logits)]);
    };
    entropies.emplace_back(of(0), of(1));
  }
  std::sort(entropies.begin(), entropies.end());
  const std::size_t third = entropies.size() / 3;
  graph.exits[0].threshold = (entropies[third - 1].first + entropies[third].first) / 2;
  std::sort(entropies.begin() + static_cast<std::ptrdiff_t>(third), entropies.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
  graph.exits[1].threshold = (entropies[2 * third - 1].second + entropies[2 * third].second) / 2;
  return graph;
}

/// The plan's answers for n images beside the definition of the graph; returns how many left at each exit.
std::vector<int> check_answers(const Graph& graph, const std::vector<float>& pixels, Isa isa) {
  const std::int64_t each = numel(graph.input), n = static_cast<std::int64_t>(pixels.size()) / each;
  const Plan plan(graph, isa);
  Workspace workspace(plan);
  const Results got = plan.run(pixels.data(), n, workspace);
  std::vector<int> taken(graph.exits.size() + 1, 0);
  REQUIRE(got.labels.size() == static_cast<std::size_t>(n));
  const std::size_t classes = got.probabilities.size() / got.labels.size();
  for (std::size_t i = 0; i < got.labels.size(); ++i) {
    const std::vector<Values> values = all_values(graph, pixels.data() + static_cast<std::int64_t>(i) * each);
    std::size_t exit = 0;
    double entropy = 0;
    for (; exit < graph.exits.size(); ++exit) {
      entropy = entropy_of(values[static_cast<std::size_t>(graph.exits[exit].logits)]);
      if (exit == 0) CHECK(got.entropy[i] == doctest::Approx(entropy).epsilon(1e-4));
      if (std::fabs(entropy - graph.exits[exit].threshold) < 1e-4) MESSAGE("a coin's toss at image " << i);
      if (entropy < graph.exits[exit].threshold) break;
    }
    REQUIRE(got.exit[i] == static_cast<std::int32_t>(exit));
    ++taken[exit];
    const Values& logits = exit < graph.exits.size()
                               ? values[static_cast<std::size_t>(graph.exits[exit].logits)]
                               : values.back();
    double sum = 0;
    for (const double v : logits) sum += std::exp(v);
    for (std::size_t c = 0; c < classes; ++c)
      CHECK(std::fabs(got.probabilities[i * classes + c] - std::exp(logits[c]) / sum) < 1e-5);
    const auto most = std::max_element(logits.begin(), logits.end());
    CHECK(got.labels[i] == most - logits.begin());
  }
  return taken;
}

/// An autoencoder's output, or whatever else the last node makes, beside the definition.
void check_output(const Graph& graph, std::uint64_t seed = 3) {
  Builder source(graph.input, seed);
  const std::int64_t n = 3, each = numel(graph.input);
  const std::vector<float> pixels = source.pixels(n);
  for (const Isa isa : available_isas()) {
    const Plan plan(graph, isa);
    Workspace workspace(plan);
    const std::span<const float> got = plan.run(pixels.data(), n, workspace).output;
    for (std::int64_t i = 0; i < n; ++i) {
      const Values want = naive_output(graph, pixels.data() + i * each);
      REQUIRE(got.size() == want.size() * static_cast<std::size_t>(n));
      double worst = 0;
      for (std::size_t k = 0; k < want.size(); ++k) {
        const double error = std::fabs(got[static_cast<std::size_t>(i) * want.size() + k] - want[k]);
        if (!(error <= worst)) worst = error;
      }
      CHECK_MESSAGE(worst <= kTolerance, to_string(isa) << ", image " << i << ": " << worst);
    }
  }
}

}  // namespace

TEST_CASE("plan: wrong use throws, by name") {
  Builder bad({5});
  bad.linear(0, 4);
  bad.graph.nodes[0].dense.bias.pop_back();
  CHECK_THROWS_SAYING(Plan(bad.graph), std::invalid_argument, "[graph] n1 (linear)");
  const auto isas = available_isas();
  for (const Isa isa : {Isa::avx2, Isa::neon}) {  // no machine has both
    if (std::find(isas.begin(), isas.end(), isa) != isas.end()) continue;
    CHECK_THROWS_AS(Plan(three_exits(0.5, 0.5), isa), std::invalid_argument);
  }
  const Plan plan(three_exits(0.5, 0.5));
  Workspace workspace(plan);
  std::vector<float> pixels(10, 0.5F);
  CHECK_THROWS_SAYING(plan.run(pixels.data(), 0, workspace), std::invalid_argument,
                      "at least one image; got 0");
  CHECK_THROWS_SAYING(plan.run(pixels.data(), -3, workspace), std::invalid_argument, "got -3");
  CHECK_THROWS_SAYING(plan.run_step(99, 1, workspace), std::invalid_argument,
                      "[plan] no step 99 for 1 images");
  CHECK_THROWS_SAYING(plan.run_step(0, 0, workspace), std::invalid_argument, "no step 0 for 0 images");
  CHECK_THROWS_AS(plan.run_step(0, plan.tile_images() + 1, workspace), std::invalid_argument);

  const Plan twin(three_exits(0.5, 0.5));
  CHECK_THROWS_SAYING(twin.run(pixels.data(), 1, workspace), std::invalid_argument, "made for another plan");
  CHECK_THROWS_SAYING(twin.run_step(0, 1, workspace), std::invalid_argument, "made for another plan");
}

TEST_CASE("plan: f32 pixels that are not finite are refused, wherever they stand") {
  const Plan plan(three_exits(0.5, 0.5));
  Workspace workspace(plan);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF, -HUGE_VALF}) {
    for (std::size_t at = 0; at < 35; ++at) {
      std::vector<float> pixels(35, 0.5F);
      pixels[at] = bad;
      CHECK_THROWS_SAYING(plan.run(pixels.data(), 7, workspace), std::invalid_argument,
                          "pixels must be finite");
    }
  }
  std::vector<float> largest(35, std::numeric_limits<float>::max());  // finite, though its sum is not
  CHECK_NOTHROW(plan.run(largest.data(), 7, workspace));
}

TEST_CASE("plan: every exit is taken by whom it should be, for any number of images") {
  const std::vector<float> pixels = Builder({5}, 21).pixels(150);
  for (const Isa isa : available_isas()) {
    CHECK(check_answers(three_thirds(pixels), pixels, isa) == std::vector<int>{50, 50, 50});
    CHECK(check_answers(three_exits(9.0, 9.0), pixels, isa) == std::vector<int>{150, 0, 0});
    CHECK(check_answers(three_exits(0.0, 9.0), pixels, isa) == std::vector<int>{0, 150, 0});
    CHECK(check_answers(three_exits(-1.0, 0.0), pixels, isa) == std::vector<int>{0, 0, 150});
  }
}

TEST_CASE("plan: an exit's logits may go on, or be the end") {
  Builder on({5}, 2);
  const auto logits = on.linear(0, 4);
  on.linear(on.plain(Kind::relu, logits), 4);
  on.graph.exits = {{logits, 1.2}};
  Builder end({5}, 2);
  const auto same = end.linear(0, 4);
  end.add(Kind::reshape, {same}, {4});
  end.graph.exits = {{same, 1.2}};
  const std::vector<float> pixels = on.pixels(60);
  for (const Graph& graph : {on.graph, end.graph}) {
    const std::vector<int> taken = check_answers(graph, pixels, active_isa());
    CHECK(taken[0] > 5);
    CHECK(taken[1] > 5);
  }
}

TEST_CASE("plan: an entropy equal to the threshold does not leave") {
  Builder b({1});
  const auto even = b.linear(0, 2, Precision::fp32, false);
  b.last().dense.fp32 = {0, 0};
  b.linear(0, 2);
  b.graph.exits = {{even, 0.0}};
  const float pixel = 1;
  float entropy = 0;
  {
    const Plan plan(b.graph);
    Workspace workspace(plan);
    entropy = plan.run(&pixel, 1, workspace).entropy[0];
  }
  CHECK(entropy == doctest::Approx(std::log(2.0)));
  for (const bool above : {false, true}) {
    b.graph.exits[0].threshold =
        above ? std::nextafter(static_cast<double>(entropy), 1.0) : static_cast<double>(entropy);
    const Plan plan(b.graph);
    Workspace workspace(plan);
    CHECK(plan.run(&pixel, 1, workspace).exit[0] == (above ? 0 : 1));
  }
}

TEST_CASE("plan: values with readers of different kinds, and planes read in two shapes") {
  Builder two_paddings({2, 8, 8});  // one convolution wants a border of one, the other of two
  const auto base = two_paddings.conv(0, 3, 3, 1);
  const auto left = two_paddings.conv(base, 2, 3, 1), right = two_paddings.conv(base, 2, 5, 2);
  two_paddings.add(Kind::add, {left, right}, {2, 8, 8});
  two_paddings.graph.classifies = false;
  check_output(two_paddings.graph);

  for (const bool reshaped_first : {false, true}) {  // the input as (1,16,16) and as (4,8,8)
    Builder shapes({1, 16, 16});
    std::vector<std::int32_t> parts;
    for (int turn = 0; turn < 2; ++turn) {
      if ((turn == 0) == reshaped_first) {
        const auto planes = shapes.add(Kind::reshape, {0}, {4, 8, 8});
        parts.push_back(shapes.add(Kind::reshape, {shapes.conv(planes, 2, 3, 1)}, {128}));
      } else {
        const auto pooled = shapes.max_pool(shapes.conv(0, 8, 5, 2), 2, 2, true);
        parts.push_back(shapes.add(Kind::reshape, {pooled}, {512}));
        parts.push_back(shapes.add(Kind::reshape, {shapes.conv(0, 1, 3, 1)}, {256}));
      }
    }
    shapes.add(Kind::concat, parts, {896});
    shapes.graph.classifies = false;
    check_output(shapes.graph);
  }

  Builder mixed({3, 6, 6});  // dense and padded
  const auto planes = mixed.conv(0, 3, 3, 1);
  mixed.add(Kind::mul, {mixed.plain(Kind::sigmoid, planes), mixed.conv(planes, 3, 3, 1)}, {3, 6, 6});
  mixed.graph.classifies = false;
  check_output(mixed.graph);
}

TEST_CASE("plan: layers of bytes round what they read, and nobody else does") {
  // The scales are such that rounding to the wrong bytes would show: a step is 0.02, and 0.03 for the other
  // layer.
  Builder b({2, 4, 4});
  const auto planes = b.conv(0, 2, 3, 1);
  const auto flat = b.add(Kind::reshape, {planes}, {32});
  const auto one = b.linear(flat, 6, Precision::int8);
  const auto other = b.linear(flat, 6, Precision::int8);
  b.last().input = {0.03F, 50};
  const auto exact = b.linear(flat, 6);
  const auto again = b.add(Kind::reshape, {b.conv(planes, 2, 3, 1)}, {32});
  b.add(Kind::concat, {one, other, exact, again}, {50});
  b.graph.classifies = false;
  check_output(b.graph);

  Builder input({5});
  const auto rounded = input.linear(0, 6, Precision::int8);
  input.add(Kind::add, {rounded, input.linear(0, 6)}, {6});
  input.graph.classifies = false;
  check_output(input.graph);

  // The input in bytes of another meaning than the caller's, given as bytes.
  Builder pixels({6});
  pixels.linear(0, 4, Precision::int8);
  pixels.graph.classifies = false;
  const std::vector<std::uint8_t> bytes = {0, 3, 90, 127, 200, 255};
  std::vector<float> parts;
  parts.reserve(bytes.size());
  for (const std::uint8_t byte : bytes) parts.push_back(static_cast<float>(byte) / 255.0F);
  const Values want = naive_output(pixels.graph, parts.data());
  for (const Isa isa : available_isas()) {
    const Plan plan(pixels.graph, isa);
    Workspace workspace(plan);
    for (std::size_t o = 0; o < 4; ++o)
      CHECK(plan.run(bytes.data(), 1, workspace).output[o] == doctest::Approx(want[o]).epsilon(1e-5));
  }
}

TEST_CASE("plan: every kind of node by its definition") {
  check_output(every_kind());

  for (const std::int64_t size : {1, 17, 40}) {  // products with and without whole vectors
    Builder m({size, 19});
    const auto t = m.add(Kind::transpose, {0}, {19, size});
    m.last().axes = {1, 0};
    m.add(Kind::matmul, {0, t}, {size, size});
    m.graph.classifies = false;
    check_output(m.graph);
  }
}

TEST_CASE("plan: equal bits for any number of threads, and for repeated calls") {
  const std::vector<float> pixels = Builder({5}, 21).pixels(300);
  const Graph graph = three_thirds(pixels);
  for (const Isa isa : available_isas()) {
    const Plan plan(graph, isa);
    Workspace workspace(plan);
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 8, 1}) {
      const Threads set(threads);
      for (int call = 0; call < 2; ++call) {  // the second walks the weights from the end
        const Results got = plan.run(pixels.data(), 300, workspace);
        std::vector<float> bits(got.probabilities.begin(), got.probabilities.end());
        bits.insert(bits.end(), got.entropy.begin(), got.entropy.end());
        if (first.empty()) first = bits;
        CHECK(bits == first);
      }
    }
  }
}

TEST_CASE("plan: steps run alone, and say what they cost") {
  Builder b({1, 12, 12});
  const auto stage = b.max_pool(b.plain(Kind::relu, b.conv(0, 3, 3, 1)), 2, 2, false);
  const auto early = b.linear(b.add(Kind::reshape, {stage}, {108}), 4);
  const auto second = b.add(Kind::reshape, {b.conv(stage, 2, 3, 0)}, {32});
  b.linear(b.plain(Kind::relu, b.linear(second, 7, Precision::bf16)), 4, Precision::int8);
  b.graph.exits = {{early, 0.0}};
  const Plan plan(b.graph);
  const std::int64_t first_macs = 3 * 144 * 9 + 108 * 4, all_macs = first_macs + 32 * 27 + 32 * 7 + 7 * 4;
  CHECK(plan.macs_by_exit() == std::vector<std::int64_t>{first_macs, all_macs});
  CHECK(plan.weight_bytes() ==
        4 * (27 + 3) + 4 * (108 * 4 + 4) + 4 * (2 * 27 + 2) + 2 * 32 * 7 + 4 * 7 + 7 * 4 + 8 * 4);
  CHECK(plan.graph().nodes.size() == b.graph.nodes.size());
  CHECK(plan.isa() == active_isa());
  CHECK(plan.tile_images() >= 1);
  CHECK(plan.arena_bytes() >= 4 * 144);
  std::int64_t macs = 0, bytes = 0;
  for (const StepInfo& step : plan.steps()) {
    CHECK_FALSE(step.name.empty());
    macs += step.macs;
    bytes += step.weight_bytes;
  }
  CHECK(macs == all_macs);
  CHECK(bytes == plan.weight_bytes());

  Workspace workspace(plan);
  const std::vector<float> pixels = b.pixels(2);
  const Results got = plan.run(pixels.data(), 2, workspace);
  const std::vector<float> before(got.probabilities.begin(), got.probabilities.end());
  for (std::size_t i = 0; i < plan.steps().size(); ++i) {
    plan.fill_step(i, 2, workspace);
    plan.run_step(i, 2, workspace);
  }
  const Results after = plan.run(pixels.data(), 2, workspace);
  CHECK(std::vector<float>(after.probabilities.begin(), after.probabilities.end()) == before);
}

TEST_CASE("plan: a plan may be moved, and a workspace with it") {
  const std::vector<float> pixels = Builder({5}, 21).pixels(3);
  Plan plan(three_exits(0.5, 0.8));
  Workspace workspace(plan);
  const float before = plan.run(pixels.data(), 3, workspace).probabilities[5];
  const Plan moved = std::move(plan);
  Workspace other = std::move(workspace);
  CHECK(moved.run(pixels.data(), 3, other).probabilities[5] == before);
}
