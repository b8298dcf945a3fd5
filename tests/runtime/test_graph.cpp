#include "runtime/graph.h"

#include <functional>

#include "tests/runtime/graphs.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::runtime;
using cbnet::runtime::test::Builder;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Every kind at least once, each rule of check() within reach.
Graph sound() {
  Builder b({4, 6, 6});
  const auto conv = b.conv(0, 8, 3, 1);                                     // 1: (8,6,6)
  const auto normed = b.affine(conv);                                       // 2
  const auto pooled = b.max_pool(b.plain(Kind::relu, normed), 2, 2, true);  // 3, 4: (8,3,3)
  const auto flat = b.add(Kind::reshape, {pooled}, {72});                   // 5
  const auto hidden = b.linear(flat, 6);                                    // 6
  const auto square = b.add(Kind::reshape, {hidden}, {2, 3});               // 7
  const auto turned = b.add(Kind::transpose, {square}, {3, 2});             // 8
  b.last().axes = {1, 0};
  const auto product = b.add(Kind::matmul, {turned, square}, {3, 3});  // 9
  const auto summed = b.plain(Kind::add, product);                     // 10
  b.last().weight = Tensor::ones({3, 1});
  const auto both = b.add(Kind::concat, {product, summed}, {6, 3});       // 11
  const auto soft = b.plain(Kind::softmax, both);                         // 12
  const auto numbers = b.add(Kind::reshape, {soft}, {18});                // 13
  const auto early = b.linear(numbers, 5, Precision::int8);               // 14
  b.linear(b.plain(Kind::leaky_relu, numbers, 0.1), 5, Precision::bf16);  // 15, 16
  b.graph.exits = {{early, 0.5}};
  return b.graph;
}

/// What check() says of sound() after `damage`.
std::string said(const std::function<void(Graph&)>& damage) {
  Graph graph = sound();
  damage(graph);
  return cbnet::testing::message_of<std::invalid_argument>([&] { check(graph); });
}

#define CHECK_SAYS(part, ...)                                     \
  do {                                                            \
    const std::string text = said([](Graph& g) { __VA_ARGS__; }); \
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);    \
    CHECK_MESSAGE(text.rfind("[graph] ", 0) == 0, text);          \
  } while (false)

}  // namespace

TEST_CASE("graph: each broken rule is named, with the node") {
  CHECK_SAYS("the input has the shape (4,0,6)", g.input[1] = 0);
  CHECK_SAYS("the input has the shape (4,-6,-6)", g.input = {4, -6, -6});
  CHECK_SAYS("the input has the shape (1048576,1048576,1048576)", g.input = {1 << 20, 1 << 20, 1 << 20});
  CHECK_SAYS("there are no layers", g.nodes.clear());
  CHECK_SAYS("n5 has the shape (72,4611686018427387904)", g.nodes[4].shape = {72, std::int64_t{1} << 62});

  CHECK_SAYS("n1 (conv2d) reads 2 values", g.nodes[0].inputs = {0, 0});
  CHECK_SAYS("n6 (linear) reads 0 values", g.nodes[5].inputs.clear());
  CHECK_SAYS("n9 (matmul) reads 1 values", g.nodes[8].inputs = {8});
  CHECK_SAYS("n10 (add) reads 3 values", g.nodes[9].inputs = {9, 9, 9});
  CHECK_SAYS("n1 (conv2d) reads value 1, which is not before it", g.nodes[0].inputs = {1});
  CHECK_SAYS("n1 (conv2d) reads value -1, which is not before it", g.nodes[0].inputs = {-1});
  CHECK_SAYS("n15 (leaky_relu) has the parameter nan", g.nodes[14].value = NAN);
  CHECK_SAYS("n3 (relu) makes (8,6,6), not (8,6,5)", g.nodes[2].shape = {8, 6, 5});

  CHECK_SAYS("n1 (conv2d) [conv2d] kernel_size, stride and dilation must be 1 to 2147483647; got 0",
             g.nodes[0].window.stride = 0);
  CHECK_SAYS("n1 (conv2d) [conv2d] kernel_size, stride and dilation must be 1 to 2147483647; got -1",
             g.nodes[0].window.kernel_size.w = -1);
  CHECK_SAYS(
      "n1 (conv2d) [conv2d] kernel_size, stride and dilation must be 1 to 2147483647; got 1099511627776",
      g.nodes[0].window.dilation = std::int64_t{1} << 40);
  CHECK_SAYS("n1 (conv2d) [conv2d] padding must be 0 to 2147483647; got -1", g.nodes[0].window.padding = -1);
  CHECK_SAYS("n1 (conv2d) [conv2d] the kernel is larger than the padded input (4,6,6)",
             g.nodes[0].window.dilation = 4);
  CHECK_SAYS("n1 (conv2d) needs weights (8,4,3,2)", g.nodes[0].window.kernel_size.w = 2);
  CHECK_SAYS("n1 (conv2d) needs weights (8,2,3,3)", g.nodes[0].groups = 2);
  CHECK_SAYS("n1 (conv2d) has 3 groups", g.nodes[0].groups = 3;
             g.nodes[0].weight = Tensor::ones({8, 1, 3, 3}));
  CHECK_SAYS("n1 (conv2d) needs weights (0,4,3,3)", g.nodes[0].weight = Tensor());
  CHECK_SAYS("n1 (conv2d) needs weights", g.nodes[0].weight = Tensor::ones({}));
  CHECK_SAYS("n1 (conv2d) needs a bias of 8", g.nodes[0].bias = Tensor::ones({4}));
  CHECK_SAYS("n1 (conv2d) needs row-major f32 weights", g.nodes[0].weight = g.nodes[0].weight.to(DType::f64));
  CHECK_SAYS("n1 (conv2d) needs row-major f32 weights",
             g.nodes[0].weight = Tensor::ones({3, 3, 4, 8}).permute({3, 2, 0, 1}));
  CHECK_SAYS("n1 (conv2d) has weights that are not finite",
             g.nodes[0].bias = Tensor::full({8}, static_cast<double>(kNan)));
  CHECK_SAYS("n1 (conv2d) [conv2d] needs planes (C,H,W); got (4,36)", g.input = {4, 36});
  CHECK_SAYS("n4 (max_pool2d) [max_pool2d] padding must be less than the kernel (2,2); got (2,2,2,2)",
             g.nodes[3].window.padding = 2);
  CHECK_SAYS("n4 (avg_pool2d) has a dilation", g.nodes[3].kind = Kind::avg_pool2d;
             g.nodes[3].window.dilation = 2);

  CHECK_SAYS("n2 (affine) needs a factor and a summand per channel of (8,6,6)", g.nodes[1].bias = Tensor());
  CHECK_SAYS("n2 (affine) needs a factor and a summand per channel of (8,6,6)",
             g.nodes[1].weight = Tensor::ones({6}));
  CHECK_SAYS("n5 (reshape) reads (8,3,3)", g.nodes[4].shape = {71});
  CHECK_SAYS("n8 (transpose) repeats an axis", g.nodes[7].axes = {1, 1});
  CHECK_SAYS("n8 (transpose) names 3 axes of (2,3)", g.nodes[7].axes = {1, 0, 2});
  static const auto slice = [](Graph& g, std::vector<std::int64_t> starts, std::vector<std::int64_t> steps) {
    g.nodes[7].kind = Kind::slice;
    g.nodes[7].axes.clear();
    g.nodes[7].starts = std::move(starts);
    g.nodes[7].steps = std::move(steps);
  };
  CHECK_SAYS("n8 (slice) needs a start and a step for every axis of (2,3)", slice(g, {0, 0}, {1}));
  CHECK_SAYS("n8 (slice) has the steps (1,0)", slice(g, {0, 0}, {1, 0}));
  CHECK_SAYS("n8 (slice) starts at (4611686018427387904,0)", slice(g, {std::int64_t{1} << 62, 0}, {1, 1}));
  CHECK_SAYS("n9 (matmul) multiplies (2,3) and (2,3)", g.nodes[8].inputs = {7, 7});
  CHECK_SAYS("n10 (add) has no second operand", g.nodes[9].weight = Tensor());
  CHECK_SAYS("[add]", g.nodes[9].weight = Tensor::ones({2, 3}));
  CHECK_SAYS("n11 (concat) has the axis 2", g.nodes[10].axis = 2);
  CHECK_SAYS("n11 (concat) has the axis -1", g.nodes[10].axis = -1);
  CHECK_SAYS("n11 (concat) joins (3,3) and (2,3)", g.nodes[10].inputs = {10, 7}; g.nodes[10].axis = 1);
  CHECK_SAYS("n11 (concat) joins (3,3) and (72)", g.nodes[10].inputs = {10, 5});
}

TEST_CASE("graph: a field that a kind does not have is refused where it is set") {
  const auto refused = [](const std::string& what, std::size_t i, const std::function<void(Node&)>& set) {
    const std::string text = said([&](Graph& g) { set(g.nodes[i]); });
    CHECK_MESSAGE(text.find(" has " + what + ", which this kind does not have") != std::string::npos,
                  what << ": " << text);
  };
  refused("a kernel", 2, [](Node& n) { n.window.kernel_size.h = 2; });
  refused("a kernel", 5, [](Node& n) { n.window.kernel_size.w = 2; });
  refused("a stride", 2, [](Node& n) { n.window.stride = 0; });
  refused("a padding", 2, [](Node& n) { n.window.padding = 1; });
  refused("a dilation", 2, [](Node& n) { n.window.dilation = 0; });
  refused("groups", 3, [](Node& n) { n.groups = 0; });
  refused("scales of weights", 3, [](Node& n) { n.scales = {1.0F}; });
  refused("ceil_mode", 0, [](Node& n) { n.window.ceil_mode = true; });
  refused("count_include_pad", 3, [](Node& n) { n.count_include_pad = false; });
  refused("a parameter", 2, [](Node& n) { n.value = 1; });
  refused("an axis", 7, [](Node& n) { n.axis = 1; });
  refused("axes", 4, [](Node& n) { n.axes = {0}; });
  refused("starts", 7, [](Node& n) { n.starts = {0, 0}; });
  refused("steps", 7, [](Node& n) { n.steps = {1, 1}; });
  refused("weights", 3, [](Node& n) { n.weight = Tensor::ones({1}); });
  refused("weights", 5, [](Node& n) { n.weight = Tensor::ones({1}); });
  refused("a bias", 9, [](Node& n) { n.bias = Tensor::ones({1}); });
  refused("a quantization", 2, [](Node& n) { n.input.scale = 2; });
  for (const std::size_t i : {0U, 1U, 2U, 3U, 4U, 7U, 8U, 9U, 10U, 11U, 14U}) {
    refused("a linear layer's weights", i, [](Node& n) { n.dense.fp32 = {1}; });
    refused("a linear layer's weights", i, [](Node& n) { n.dense.in = 1; });
    refused("a linear layer's weights", i, [](Node& n) { n.dense.mask.kept = {1}; });
    refused("a linear layer's weights", i, [](Node& n) { n.dense.precision = Precision::int8; });
  }
}

TEST_CASE("graph: layers are limited in number, and products of scales are normal numbers") {
  CHECK_SAYS("at most 4096 layers are compiled; got 4097", g.nodes.resize(4097));
  CHECK_SAYS("n14 (linear) has a product of scales of inf", g.nodes[13].dense.scales[2] = 1e30F;
             g.nodes[13].input.scale = 1e20F);
  CHECK_SAYS("n14 (linear) has a product of scales of 0", g.nodes[13].dense.scales[2] = 1e-30F;
             g.nodes[13].input.scale = 1e-30F);
}

TEST_CASE("graph: each broken rule of int8 convolutions and ranges is named") {
  static const auto int8 = [](Graph& g) {
    g.nodes[0].weight = Tensor::full(g.nodes[0].weight.shape(), 0.5F);
    g.nodes[0].scales.assign(8, 0.25F);
  };
  Graph fine = sound();
  int8(fine);
  check(fine);
  CHECK_SAYS("n1 (conv2d) has 7 scales of 8 outputs", int8(g); g.nodes[0].scales.pop_back());
  CHECK_SAYS("has weights of the scale 0", int8(g); g.nodes[0].scales[3] = 0);
  CHECK_SAYS("has the weight 0.5, which is not -127 to 127 times its scale 0.3", int8(g);
             g.nodes[0].scales[3] = 0.3F);
  CHECK_SAYS("has the weight 0.5, which is not", int8(g); g.nodes[0].scales[3] = 0.5F / 128);
  CHECK_SAYS("n1 (conv2d) has bytes of the scale 0", g.nodes[0].range = QuantParams({0.0F, 0}));
  CHECK_SAYS("n1 (conv2d) has bytes of the zero point 256", g.nodes[0].range = QuantParams({1.0F, 256}));
}

TEST_CASE("graph: each broken rule of a linear layer's weights is named, with the node") {
  CHECK_SAYS("n6 (linear) reads 71 features; got (72)", g.nodes[5].dense.in = 71);
  CHECK_SAYS("n6 (linear) reads 72 features; got (8,3,3)", g.nodes[5].inputs = {4});
  CHECK_SAYS("n6 (linear) has weights of a size", g.nodes[5].dense.out = 0);
  CHECK_SAYS("fp32 must hold 432 values for 6x72; got 431", g.nodes[5].dense.fp32.pop_back());
  CHECK_SAYS("bias must hold 6 values", g.nodes[5].dense.bias.pop_back());
  CHECK_SAYS("int8 must hold 90 values", g.nodes[13].dense.int8.pop_back());
  CHECK_SAYS("n14 (linear)", g.nodes[13].dense.int8.pop_back());
  CHECK_SAYS("int8 weights must be -127 to 127", g.nodes[13].dense.int8[3] = -128);
  CHECK_SAYS("scales must be positive and finite; got -1", g.nodes[13].dense.scales[0] = -1);
  CHECK_SAYS("input scale must be positive and finite; got 0", g.nodes[13].input.scale = 0);
  CHECK_SAYS("input zero point must be 0 to 255; got 256", g.nodes[13].input.zero_point = 256);
  CHECK_SAYS("bf16 must hold 90 values", g.nodes[15].dense.bf16.clear());
  CHECK_SAYS("mask must hold", g.nodes[5].dense.mask = {16, 1, {1}});
  CHECK_SAYS("n6 (linear) has weights that are not finite", g.nodes[5].dense.fp32[7] = kNan);
  CHECK_SAYS("n6 (linear) has weights that are not finite", g.nodes[5].dense.bias[2] = HUGE_VALF);
  CHECK_SAYS("n16 (linear) has weights that are not finite", g.nodes[15].dense.bf16[0] = 0x7F80);
  CHECK_SAYS("n16 (linear) has weights that are not finite", g.nodes[15].dense.bf16[0] = 0xFFC0);
}

TEST_CASE("graph: each broken rule of exits is named") {
  CHECK_SAYS("side exits must stand in order; got one at value 0 after 0", g.exits[0].logits = 0);
  CHECK_SAYS("side exits must stand in order; got one at value 17 after 0", g.exits[0].logits = 17);
  CHECK_SAYS("side exits must stand in order; got one at value 14 after 14", g.exits.push_back({14, 0.5}));
  CHECK_SAYS("a threshold is inf", g.exits[0].threshold = HUGE_VAL);
  CHECK_SAYS("exits must have one shape; got (6) and (5)", g.exits[0].logits = 6);
  CHECK_SAYS("a network with side exits must classify", g.classifies = false);
  CHECK_SAYS("a classifier must end in one number a class; got (18,1)", g.exits.clear(); g.nodes.resize(13);
             g.nodes[12].shape = {18, 1});
}

TEST_CASE("graph: a sound one passes, and its numbers are counted") {
  Graph graph = sound();
  check(graph);
  CHECK(value_shape(graph, 0) == Shape{4, 6, 6});
  CHECK(value_shape(graph, 4) == Shape{8, 3, 3});
  CHECK(node_macs(graph, graph.nodes[0]) == 8 * 36 * 4 * 9);
  CHECK(node_macs(graph, graph.nodes[5]) == 72 * 6);
  CHECK(node_macs(graph, graph.nodes[8]) == 3 * 3 * 2);
  CHECK(node_macs(graph, graph.nodes[1]) == 0);
  CHECK(node_weight_bytes(graph.nodes[0]) == 4 * (8 * 4 * 9 + 8));
  CHECK(node_weight_bytes(graph.nodes[13]) == 18 * 5 + 4 * 5 + 4 * 5);  // int8, scales, bias
  CHECK(node_weight_bytes(graph.nodes[15]) == 2 * 18 * 5 + 4 * 5);
  // 5 outputs of 18 inputs in blocks of 16 by 4: three of the five are there, the last one cut short.
  graph.nodes[13].dense.mask = {16, 4, {1, 0, 1, 0, 1}};
  check(graph);
  CHECK(node_macs(graph, graph.nodes[13]) == 5 * (4 + 4 + 2));
  CHECK(node_weight_bytes(graph.nodes[13]) == 5 * (4 + 4 + 2) + 4 * 5 + 4 * 5);
  CHECK(std::string(to_string(Kind::concat)) == "concat");
  CHECK(std::string(to_string(Kind::conv2d)) == "conv2d");
}
