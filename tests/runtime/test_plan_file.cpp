#include "runtime/plan_file.h"

#include <functional>

#include "runtime/plan.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tests/runtime/graphs.h"
#include "tests/runtime/plan_bytes.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"
#include "tests/support/without_root.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;
using cbnet::testing::TempFolder;

namespace {

/// Small enough to be damaged at every byte: a convolution, linear layers of every precision, one of them
/// sparse, an exit.
Graph small() {
  Builder b({1, 4, 4});
  b.graph.name = "small";
  b.graph.provenance = R"({"seed": 1})";
  const auto planes = b.plain(Kind::relu, b.conv(0, 2, 3, 0));
  const auto flat = b.add(Kind::reshape, {planes}, {8});
  const auto early = b.linear(flat, 3, Precision::int8);
  b.linear(b.linear(flat, 4, Precision::bf16), 3);
  b.last().dense.mask = {16, 1, {1, 0, 1, 1}};
  b.graph.exits = {{early, 0.25}};
  return b.graph;
}

std::string payload_of(const Graph& graph) { return graph_to_bytes(graph).substr(kHeaderBytes); }

/// What is said of these bytes, which are refused.
std::string refused(const std::string& bytes) {
  std::string said =
      cbnet::testing::message_of<InputError>([&] { static_cast<void>(graph_from_bytes(bytes, "x.plan")); });
  CHECK_MESSAGE(said.rfind("x.plan: expected ", 0) == 0, said);
  CHECK_MESSAGE(cbnet::testing::contains(said, "; hint: "), said);
  return said;
}

}  // namespace

TEST_CASE("plan file: each kind of damage has its message") {
  const TempFolder folder;
  CHECK_THROWS_SAYING(load_graph(folder / "none.plan"), InputError, "none.plan: expected a readable file");
  CHECK_THROWS_SAYING(load_graph(folder.path()), InputError, "a folder");
  write_file_atomic(folder / "picture.plan", "P5 28 28 255 and then some pixels of a picture");
  CHECK_THROWS_SAYING(
      load_graph(folder / "picture.plan"), InputError,
      "picture.plan: expected a plan that begins with 'cbnetpln'; found something else, 46 bytes");
  write_file_atomic(folder / "empty.plan", "");
  CHECK_THROWS_SAYING(load_graph(folder / "empty.plan"), InputError, "0 bytes");

  const std::string payload = payload_of(small()), whole = sealed(payload);
  const auto says = [](const std::string& bytes, const std::string& part) {
    const std::string said = refused(bytes);
    CHECK_MESSAGE(cbnet::testing::contains(said, part), said);
  };
  says(sealed(payload, 4), "expected a plan of version 3; found version 4; hint: a newer cbnet wrote it");
  says(sealed(payload, 0), "found version 0");
  says(whole.substr(0, whole.size() - 7),
       concat("expected ", payload.size(), " bytes behind the header; found ", payload.size() - 7,
              "; hint: the file is truncated"));
  says(whole + "x",
       concat("found ", payload.size() + 1, "; hint: the file is truncated or has been added to"));
  std::string changed = whole;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  says(changed, "expected the checksum ");
  says(sealed(payload + "x"), "1 bytes stand behind it");
  says(sealed(payload.substr(0, payload.size() - 1)), "expected 1 more bytes; found 0");
  says(sealed(""), "expected 8 more bytes; found 0");

  Graph graph = small();
  graph.exits[0].logits = 3;  // a value of another shape: no writer of ours lets it pass
  CHECK_THROWS_SAYING(graph_to_bytes(graph), std::invalid_argument, "[graph] exits must have one shape");
  const std::string exit = std::string("\4\0\0\0", 4), other = std::string("\3\0\0\0", 4);
  std::string wrong = payload;
  wrong.replace(wrong.find(exit + std::string("\0\0\0\0\0\0\xD0\x3F", 8)), 4, other);  // 0.25
  says(sealed(wrong), "expected a network; found [graph] exits must have one shape; got (8) and (3)");
}

TEST_CASE("plan file: a length that the file cannot hold is refused before it becomes memory") {
  const std::string payload = payload_of(small());
  for (std::size_t at = 0; at + 8 <= payload.size(); ++at) {
    for (const char top : {'\x7F', '\x01'}) {
      std::string lie = payload;
      lie[at + 7] = top;  // as a length: 2^56 and more
      try {
        static_cast<void>(graph_from_bytes(sealed(lie), "x"));
      } catch (const InputError&) {
      }
    }
  }
  std::string name = payload;
  name[7] = 1;
  CHECK(cbnet::testing::contains(refused(sealed(name)), "72057594037927941 elements"));
}

TEST_CASE("plan file: every byte is missed when it changes, and every end when it is cut off") {
  const std::string whole = graph_to_bytes(small());
  CHECK(whole.size() < 3000);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    static_cast<void>(refused(whole.substr(0, at)));
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      static_cast<void>(refused(changed));
    }
  }
}

TEST_CASE(
    "plan file: behind a checksum that fits, what is read is a sound graph, and what is written again") {
  const std::string payload = payload_of(small());
  int read = 0, not_read = 0;
  for (std::size_t at = 0; at < payload.size(); ++at) {
    for (const int flip : {0x01, 0x10, 0x80, 0xFF}) {
      std::string changed = payload;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      try {
        const Graph graph = graph_from_bytes(sealed(changed), "x");
        check(graph);
        CHECK(graph_to_bytes(graph) == sealed(changed));
        ++read;
      } catch (const InputError&) {
        ++not_read;
      }
    }
    CHECK_THROWS_AS(graph_from_bytes(sealed(payload.substr(0, at)), "x"), InputError);
  }
  CHECK(read > 100);  // weights may be any
  CHECK(not_read > 1000);
}

TEST_CASE("plan file: the format is what plan_file.h says") {
  const Graph graph = small();
  const std::string payload = payload_of(graph);
  CHECK(graph_to_bytes(graph) == sealed(payload));
  CHECK(payload.substr(0, 13) == std::string("\5\0\0\0\0\0\0\0small", 13));
}

TEST_CASE("plan file: pointwise functions come back by their names, and unknown ones are refused") {
  Builder b({4});
  b.plain(Kind::pointwise, 0, 2.0);
  b.last().function = Pointwise::pow;
  b.graph.classifies = false;
  const std::string bytes = graph_to_bytes(b.graph);
  const Graph back = graph_from_bytes(bytes, "x");
  CHECK(back.nodes[0].function == Pointwise::pow);
  CHECK(graph_to_bytes(back) == bytes);
  const std::vector<float> pixels = b.pixels(1);
  const Plan plan(back);
  Workspace workspace(plan);
  const Results got = plan.run(pixels.data(), 1, workspace);
  for (std::size_t i = 0; i < 4; ++i) CHECK(got.output[i] == doctest::Approx(pixels[i] * pixels[i]));
  std::string payload = payload_of(b.graph);
  payload.replace(payload.find("pow"), 3, "pox");
  CHECK(cbnet::testing::contains(refused(sealed(payload)),
                                 "expected the name of a pointwise function; found 'pox'"));
  b.last().function = Pointwise::add;
  CHECK_THROWS_SAYING(graph_to_bytes(b.graph), std::invalid_argument,
                      "has the function add, which takes two numbers");
}

TEST_CASE("plan file: every kind of node and precision comes back, to equal bytes and equal numbers") {
  const TempFolder folder;
  for (const Graph& graph : {every_kind(), small()}) {
    save_graph(folder / "sub" / "a.plan", graph);
    const Graph back = load_graph(folder / "sub" / "a.plan");
    CHECK(read_file(folder / "sub" / "a.plan") == graph_to_bytes(back));
    CHECK(back.name == graph.name);
    CHECK(back.provenance == graph.provenance);
    CHECK(back.input == graph.input);
    CHECK(back.classifies == graph.classifies);
    CHECK(back.exits.size() == graph.exits.size());
    REQUIRE(back.nodes.size() == graph.nodes.size());
    const std::vector<float> pixels = Builder(graph.input, 3).pixels(1);
    CHECK(naive_output(back, pixels.data()) == naive_output(graph, pixels.data()));
    const Plan first(graph), second(back);
    Workspace one(first), two(second);
    const Results a = first.run(pixels.data(), 1, one), b = second.run(pixels.data(), 1, two);
    CHECK(std::equal(a.output.begin(), a.output.end(), b.output.begin(), b.output.end()));
    CHECK(std::equal(a.probabilities.begin(), a.probabilities.end(), b.probabilities.begin(),
                     b.probabilities.end()));
  }
}

namespace {
/// Every option that a kind other than small()'s has, on a pixel, so that it fits whatever it is.
Graph options() {
  Builder b({1, 1, 1});
  const auto largest = b.max_pool(0, 1, 1, false);
  const auto mean = b.max_pool(largest, 1, 1, false);
  b.last().kind = Kind::avg_pool2d;
  const auto slope = b.plain(Kind::leaky_relu, mean, 0.2);
  const auto turned = b.add(Kind::transpose, {slope}, {1, 1, 1});
  b.last().axes = {0, 1, 2};
  b.add(Kind::concat, {turned, slope}, {2, 1, 1});
  b.graph.classifies = false;
  return b.graph;
}
}  // namespace

TEST_CASE("plan file: no option is left out") {
  const std::string before = graph_to_bytes(options());
  const std::function<void(Graph&)> changes[] = {
      [](Graph& g) { g.nodes[0].window.stride = 2; },
      [](Graph& g) { g.nodes[0].window.dilation = 2; },
      [](Graph& g) { g.nodes[0].window.ceil_mode = true; },
      [](Graph& g) { g.nodes[0].window.kernel_size = 3, g.nodes[0].window.padding = 1; },
      [](Graph& g) { g.nodes[1].count_include_pad = false; },
      [](Graph& g) { g.nodes[2].value = 0.1; },
      [](Graph& g) {
        g.nodes[3].axes = {2, 1, 0};
      },
      [](Graph& g) {
        g.nodes[4].axis = 1, g.nodes[4].shape = {1, 2, 1};
      },
  };
  for (const auto& change : changes) {
    Graph graph = options();
    change(graph);
    const std::string bytes = graph_to_bytes(graph);
    CHECK(bytes != before);
    CHECK(graph_to_bytes(graph_from_bytes(bytes, "x")) == bytes);
  }
}

TEST_CASE("plan file: no field is left out") {
  const std::string before = graph_to_bytes(small());
  const std::function<void(Graph&)> changes[] = {
      [](Graph& g) { g.name = "other"; },
      [](Graph& g) { g.provenance = "{}"; },
      [](Graph& g) { g.exits.clear(); },
      [](Graph& g) { g.exits[0].threshold = 0.5; },
      [](Graph& g) { g.exits.clear(), g.classifies = false; },
      [](Graph& g) {
        g.input[0] = 2, g.nodes[0].weight = Tensor::ones({2, 2, 3, 3});
      },
      [](Graph& g) { g.nodes[0].name = "first"; },
      [](Graph& g) { g.nodes[1].kind = Kind::tanh; },
      [](Graph& g) { g.nodes[2].inputs = {1}; },
      [](Graph& g) {
        g.nodes[0].weight = Tensor::ones({2, 1, 3, 3});
      },
      [](Graph& g) { g.nodes[0].bias = Tensor(); },
      [](Graph& g) { g.nodes[0].bias = Tensor::zeros({2}); },
      [](Graph& g) { g.nodes[3].dense.int8[5] ^= 1; },
      [](Graph& g) { g.nodes[3].dense.scales[1] *= 2; },
      [](Graph& g) { g.nodes[3].dense.bias.clear(); },
      [](Graph& g) { g.nodes[3].input.scale *= 2; },
      [](Graph& g) { g.nodes[3].input.zero_point += 1; },
      [](Graph& g) { g.nodes[4].dense.bf16[3] ^= 1; },
      [](Graph& g) { g.nodes[5].dense.fp32[3] += 1; },
      [](Graph& g) { g.nodes[5].dense.mask.kept[1] = 1; },
      [](Graph& g) { g.nodes[5].dense.mask = {}; },
  };
  std::size_t at = 0;
  for (const auto& change : changes) {
    CAPTURE(at++);
    Graph graph = small();
    change(graph);
    const std::string bytes = graph_to_bytes(graph);
    CHECK(bytes != before);
    CHECK(graph_to_bytes(graph_from_bytes(bytes, "x")) == bytes);
  }
}

TEST_CASE("plan file: weights of int8 convolutions are bytes, and damaged ones are refused") {
  Builder b({2, 6, 6});
  const auto made = b.conv(0, 3, 3, 1);
  b.graph.classifies = false;
  const std::size_t plain = graph_to_bytes(b.graph).size();
  quantize_weights(b.last());
  b.last().range = QuantParams{0.5F, 7};
  b.conv(made, 2, 1, 0);
  const std::string bytes = graph_to_bytes(b.graph), payload = payload_of(b.graph);
  const Graph back = graph_from_bytes(bytes, "x");
  CHECK(graph_to_bytes(back) == bytes);
  CHECK(back.nodes[0].scales == b.graph.nodes[0].scales);
  CHECK(back.nodes[0].weight.to_vector<float>() == b.graph.nodes[0].weight.to_vector<float>());
  CHECK(back.nodes[0].range->scale == 0.5F);
  CHECK(back.nodes[0].range->zero_point == 7);
  CHECK_FALSE(back.nodes[1].range.has_value());
  b.graph.nodes.pop_back();
  // 54 weights of a byte, 3 scales, a range; that there are weights needs no saying.
  CHECK(graph_to_bytes(b.graph).size() == plain - 3 * 54 + 3 * 4 + 8 - 1);
  for (std::size_t at = 0; at < payload.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string changed = payload;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      try {
        const Graph graph = graph_from_bytes(sealed(changed), "x");
        CHECK(graph_to_bytes(graph) == sealed(changed));
        static_cast<void>(Plan(graph));
      } catch (const InputError&) {
      }
    }
  }
}

TEST_CASE("plan file: one of version 2, which had no scales and ranges, is read") {
  Builder b({4});
  b.plain(Kind::tanh, 0);
  b.graph.classifies = false;
  std::string payload = payload_of(b.graph);
  payload.pop_back();                     // whether there is a range
  payload.erase(payload.size() - 99, 8);  // the number of scales, before two tensors and a linear layer
  const Graph back = graph_from_bytes(sealed(payload, 2), "x");
  CHECK(graph_to_bytes(back) == graph_to_bytes(b.graph));
}

TEST_CASE("plan file: a graph that is none is not written, and what stood there stays where it cannot be") {
  const TempFolder folder;
  save_graph(folder / "a.plan", small());
  const std::string before = read_file(folder / "a.plan");
  Graph broken = small();
  broken.nodes[5].dense.fp32.pop_back();
  CHECK_THROWS_SAYING(save_graph(folder / "a.plan", broken), std::invalid_argument, "[graph] n6 (linear)");
  std::filesystem::permissions(folder.path(),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                                   std::filesystem::perms::group_exec | std::filesystem::perms::others_exec);
  const std::string said =
      cbnet::testing::message_without_root([&] { save_graph(folder / "a.plan", every_kind()); });
  CHECK_MESSAGE(cbnet::testing::contains(said, "a.plan: "), said);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  CHECK(read_file(folder / "a.plan") == before);
}
