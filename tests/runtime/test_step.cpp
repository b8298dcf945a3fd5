#include "runtime/step.h"

#include "tests/runtime/graphs.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

const kernels::KernelTable& scalar() { return kernels::kernel_table(Isa::scalar); }

/// Runs one step on n images: buffer 0 is `from`, buffer 1 the result.
template <class To, class From>
std::vector<To> run(const Step& step, const std::vector<From>& from, std::int64_t from_pitch,
                    std::int64_t to_pitch, std::int64_t n, Frame frame = {}) {
  std::vector<To> to(static_cast<std::size_t>(n * to_pitch), To(0));
  const auto* base = reinterpret_cast<const std::byte*>(from.data());
  const Slot slots[] = {{0, from_pitch},
                        {static_cast<std::size_t>(reinterpret_cast<std::byte*>(to.data()) - base), to_pitch}};
  frame.arena = const_cast<std::byte*>(base);
  frame.slots = slots;
  frame.n = n;
  step.run(frame);
  return to;
}

const Layout kPadded{Layout::Type::padded, 2, 2, 3, 1, 1};
const std::vector<float> kPlanes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
/// kPlanes with a row of zeros above and below and a zero on the left.
const std::vector<float> kPaddedPlanes = {0, 0, 0, 0, 0, 1, 2, 3, 0, 4,  5,  6,  0, 0, 0, 0,
                                          0, 0, 0, 0, 0, 7, 8, 9, 0, 10, 11, 12, 0, 0, 0, 0};
Layout bytes(float scale, std::int32_t zero_point) {
  return {Layout::Type::u8, 0, 0, 0, 0, 0, scale, zero_point};
}

}  // namespace

TEST_CASE("step: layouts that cannot become another throw") {
  Layout other = kPadded;
  other.c = 1;
  other.h = 4;
  CHECK_THROWS_SAYING(make_layout_step(scalar(), 12, {0, kPadded}, {1, other}), std::invalid_argument,
                      "[plan] planes come from");
  CHECK_THROWS_AS(make_layout_step(scalar(), 12, {0, kPadded}, {1, bytes(1, 0)}), std::invalid_argument);
  CHECK_THROWS_AS(make_layout_step(scalar(), 12, {0, bytes(1, 0)}, {1, Layout{}}), std::invalid_argument);
  CHECK_THROWS_AS(make_layout_step(scalar(), 12, {0, bytes(1, 0)}, {1, kPadded}), std::invalid_argument);
  CHECK_THROWS_AS(make_layout_step(scalar(), 12, {0, bytes(1, 0)}, {1, bytes(2, 0)}), std::invalid_argument);
  Builder b({3});
  b.linear(0, 2);
  CHECK_THROWS_SAYING(make_plain_step(Isa::scalar, b.graph, b.graph.nodes[0], {0}, 1), std::invalid_argument,
                      "no plain step for linear");
}

TEST_CASE("step: values go into planes with zeros around, out of them, and into others") {
  const StepPtr in = make_layout_step(scalar(), 12, {0, Layout{}}, {1, kPadded});
  CHECK(in->reads == std::vector<int>{0});
  CHECK(in->writes == 1);
  std::vector<float> twice = kPlanes, want = kPaddedPlanes;
  for (const float v : kPlanes) twice.push_back(-v);
  for (const float v : kPaddedPlanes) want.push_back(v == 0 ? 0 : -v);
  CHECK(run<float>(*in, twice, 12, 32, 2) == want);
  CHECK(run<float>(*make_layout_step(scalar(), 12, {0, kPadded}, {1, Layout{}}), want, 32, 12, 2) == twice);
  Layout wider = kPadded;
  wider.pad_h = 0;
  wider.pad_w = 2;
  CHECK(run<float>(*make_layout_step(scalar(), 12, {0, kPadded}, {1, wider}), kPaddedPlanes, 32, 20, 1) ==
        std::vector<float>{0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0, 0, 7, 8, 9, 0, 0, 10, 11, 12});
}

TEST_CASE("step: values become bytes, rounded to nearest and clamped") {
  const std::vector<float> x = {-100, -1, -0.26F, -0.24F, 0, 0.24F, 0.26F, 1, 100, 77};
  CHECK(run<std::uint8_t>(*make_layout_step(scalar(), 9, {0, Layout{}}, {1, bytes(0.5F, 10)}), x, 10, 9, 1) ==
        std::vector<std::uint8_t>{0, 8, 9, 10, 10, 10, 11, 12, 210});
}

TEST_CASE("step: pixels of either kind in every layout") {
  const std::vector<std::uint8_t> pixels = {0, 1, 127, 128, 254, 255};
  std::vector<float> parts;
  parts.reserve(pixels.size());
  for (const std::uint8_t pixel : pixels) parts.push_back(static_cast<float>(pixel) / 255.0F);
  Frame from_bytes, from_floats;
  from_bytes.pixels_u8 = pixels.data();
  from_floats.pixels_f32 = parts.data();
  const Layout planes{Layout::Type::padded, 1, 2, 3, 1, 1};
  const std::vector<float> padded = {0, 0,        0,        0,        0, parts[0], parts[1], parts[2],
                                     0, parts[3], parts[4], parts[5], 0, 0,        0,        0};
  for (const Frame& frame : {from_bytes, from_floats}) {
    CHECK(run<float>(*make_input_step(scalar(), 6, {1, Layout{}}), parts, 6, 6, 1, frame) == parts);
    CHECK(run<float>(*make_input_step(scalar(), 6, {1, planes}), parts, 6, 16, 1, frame) == padded);
    const StepPtr same = make_input_step(scalar(), 6, {1, bytes(1.0F / 255, 0)});
    CHECK(run<std::uint8_t>(*same, parts, 6, 6, 1, frame) == pixels);
    // Bytes with another meaning than the caller's: 1 is 110.
    const StepPtr other = make_input_step(scalar(), 6, {1, bytes(0.01F, 10)});
    CHECK(run<std::uint8_t>(*other, parts, 6, 6, 1, frame) ==
          std::vector<std::uint8_t>{10, 10, 60, 60, 110, 110});
  }
}

TEST_CASE("step: which convolutions and pools have kernels of their own") {
  Builder b({2, 9, 9});
  b.max_pool(b.conv(0, 3, 3, 1), 2, 2, true);
  const Node conv = b.graph.nodes[0], pool = b.graph.nodes[1];
  const auto with = [](Node node, auto change) {
    change(node);
    return node;
  };
  CHECK(is_direct(conv));
  CHECK_FALSE(is_direct(with(conv, [](Node& n) { n.window.stride = 2; })));
  CHECK_FALSE(is_direct(with(conv, [](Node& n) { n.window.dilation = 2; })));
  CHECK_FALSE(is_direct(with(conv, [](Node& n) { n.groups = 2; })));
  CHECK_FALSE(is_direct(with(conv, [](Node& n) { n.window.padding = 3; })));
  CHECK_FALSE(is_direct(with(conv, [](Node& n) { n.window.kernel_size = 40, n.window.padding = 17; })));
  CHECK_FALSE(is_direct(pool));
  CHECK(is_direct_pool(pool));
  CHECK_FALSE(is_direct_pool(conv));
  CHECK_FALSE(is_direct_pool(with(pool, [](Node& n) { n.window.stride = 1; })));
  CHECK_FALSE(is_direct_pool(with(pool, [](Node& n) { n.window.kernel_size.w = 3; })));
  CHECK_FALSE(is_direct_pool(with(pool, [](Node& n) { n.window.padding = 1; })));
  CHECK(conv_layout(conv, {2, 9, 9}) == Layout{Layout::Type::padded, 2, 9, 9, 1, 1});
}
