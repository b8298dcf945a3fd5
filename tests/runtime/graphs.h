#pragma once

// Graphs built by hand with random weights, and what they are by the definition of each node: loop nests in
// f64.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/quantize.h"
#include "tensor/cpu/isa.h"

namespace cbnet::runtime::test {

/// Appends nodes; each call returns the value that its node makes.
class Builder {
 public:
  explicit Builder(const Shape& input, std::uint64_t seed = 1) : rng(seed) {
    graph.name = "hand";
    graph.input = input;
  }

  const Shape& shape(std::int32_t v) const { return value_shape(graph, v); }

  std::int32_t add(Kind kind, std::vector<std::int32_t> inputs, const Shape& made, double value = 0.0) {
    Node node;
    node.kind = kind;
    node.name = "n" + std::to_string(graph.nodes.size() + 1);
    node.inputs = std::move(inputs);
    node.shape = made;
    node.value = value;
    return push(std::move(node));
  }

  /// The kinds that keep the shape.
  std::int32_t plain(Kind kind, std::int32_t from, double value = 0.0) {
    return add(kind, {from}, shape(from), value);
  }

  std::int32_t conv(std::int32_t from, std::int64_t outputs, std::int64_t kernel, std::int64_t padding,
                    bool bias = true) {
    Node node = windows(Kind::conv2d, from, kernel, 1, padding, false);
    node.shape[0] = outputs;
    node.weight = Tensor::uniform({outputs, shape(from)[0], kernel, kernel}, -1, 1, rng);
    if (bias) node.bias = Tensor::uniform({outputs}, -1, 1, rng);
    return push(std::move(node));
  }

  std::int32_t max_pool(std::int32_t from, std::int64_t kernel, std::int64_t stride, bool ceil_mode,
                        std::int64_t padding = 0) {
    return push(windows(Kind::max_pool2d, from, kernel, stride, padding, ceil_mode));
  }

  std::int32_t linear(std::int32_t from, std::int64_t outputs, Precision precision = Precision::fp32,
                      bool bias = true) {
    Node node = Node();
    node.kind = Kind::linear;
    node.name = "n" + std::to_string(graph.nodes.size() + 1);
    node.inputs = {from};
    node.shape = {outputs};
    node.dense.in = shape(from).at(0);
    node.dense.out = outputs;
    for (std::int64_t i = 0; i < node.dense.in * outputs; ++i) node.dense.fp32.push_back(number());
    for (std::int64_t o = 0; o < (bias ? outputs : 0); ++o) node.dense.bias.push_back(number());
    node.dense = convert(node.dense, precision);
    if (precision == Precision::int8) node.input = {0.02F, 100};
    return push(std::move(node));
  }

  std::int32_t affine(std::int32_t from) {
    const std::int32_t made = plain(Kind::affine, from);
    last().weight = Tensor::uniform({shape(from)[0]}, -2, 2, rng);
    last().bias = Tensor::uniform({shape(from)[0]}, -2, 2, rng);
    return made;
  }

  /// Of -1 … 1.
  float number() { return static_cast<float>(2 * rng.uniform() - 1); }

  Node& last() { return graph.nodes.back(); }

  /// The pixels of n images.
  std::vector<float> pixels(std::int64_t n) {
    std::vector<float> out(static_cast<std::size_t>(n * numel(graph.input)));
    for (float& pixel : out) pixel = number();
    return out;
  }

  Graph graph;
  Rng rng;

 private:
  Node windows(Kind kind, std::int32_t from, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
               bool ceil_mode) const {
    const Shape& in = shape(from);
    Node node;
    node.kind = kind;
    node.name = "n" + std::to_string(graph.nodes.size() + 1);
    node.inputs = {from};
    node.window = {kernel, stride, padding, 1, ceil_mode};
    node.shape = window_shape("builder", in, in[0], node.window);
    return node;
  }

  std::int32_t push(Node node) {
    graph.nodes.push_back(std::move(node));
    return static_cast<std::int32_t>(graph.nodes.size());
  }
};

/// Every kind of node, with every option that it has.
inline Graph every_kind() {
  Builder b({3, 8, 8});
  const auto conv = b.conv(0, 4, 3, 1);
  const auto strided = b.conv(conv, 4, 3, 1);
  b.last().window.stride = 2;
  b.last().groups = 2;
  b.last().weight = Tensor::uniform({4, 2, 3, 3}, -1, 1, b.rng);
  b.last().shape = {4, 4, 4};
  const auto dilated = b.conv(conv, 2, 3, 1, false);
  b.last().window.dilation = 2;
  b.last().shape = {2, 6, 6};
  const auto averaged = b.max_pool(dilated, 3, 1, false, 1);
  b.last().kind = Kind::avg_pool2d;
  b.last().count_include_pad = false;
  const auto largest = b.max_pool(averaged, 3, 2, true, 1);
  const auto normed = b.affine(strided);
  const auto squashed = b.plain(Kind::log_softmax, b.plain(Kind::leaky_relu, normed, 0.2));
  const auto scaled = b.plain(Kind::mul, squashed);
  b.last().weight = Tensor::uniform({4, 1, 1}, -1, 1, b.rng);
  const auto row = b.max_pool(scaled, 4, 1, false);  // (4,1,1)
  const auto stretched = b.add(Kind::add, {scaled, row}, {4, 4, 4});
  const auto turned = b.add(Kind::transpose, {stretched}, {4, 4, 4});
  b.last().axes = {2, 0, 1};
  const auto matrix = b.add(Kind::reshape, {turned}, {4, 16});
  const auto others = b.add(Kind::reshape, {largest}, {2, 16});
  const auto joined = b.add(Kind::concat, {matrix, b.plain(Kind::tanh, others)}, {6, 16});
  const auto across = b.add(Kind::transpose, {joined}, {16, 6});
  b.last().axes = {1, 0};
  const auto product = b.add(Kind::matmul, {joined, across}, {6, 6});
  const auto wide = b.add(Kind::concat, {product, joined}, {6, 22});
  b.last().axis = 1;
  // Every second column backwards, with two rows of 0.5 around the six.
  const auto sliced = b.add(Kind::slice, {wide}, {8, 11});
  b.last().starts = {-1, 21};
  b.last().steps = {1, -2};
  b.last().value = 0.5;
  const auto padded = b.add(Kind::slice, {sliced}, {12, 11});
  b.last().starts = {-2, 0};
  b.last().steps = {1, 1};
  const auto small = b.plain(Kind::rescale, b.plain(Kind::softmax, b.plain(Kind::sigmoid, padded)), 20.0);
  b.plain(Kind::relu, b.linear(b.add(Kind::reshape, {small}, {132}), 3));
  b.graph.classifies = false;
  return b.graph;
}

using Values = std::vector<double>;

namespace naive {

inline double at(const Tensor& tensor, std::int64_t i) {
  return static_cast<double>(tensor.data<float>()[i]);
}

inline Values windows(const Node& node, const Shape& in, const Values& x) {
  const bool conv = node.kind == Kind::conv2d, average = node.kind == Kind::avg_pool2d;
  const auto& [kernel, stride, padding, dilation, ceil_mode] = node.window;
  const std::int64_t oh = node.shape[1], ow = node.shape[2], h = in[1], w = in[2];
  const std::int64_t planes = conv ? in[0] / node.groups : 1;
  Values y;
  for (std::int64_t o = 0; o < node.shape[0]; ++o) {
    const std::int64_t first = conv ? o / (node.shape[0] / node.groups) * planes : o;
    for (std::int64_t i = 0; i < oh; ++i) {
      for (std::int64_t j = 0; j < ow; ++j) {
        double sum = conv && node.bias.defined() ? at(node.bias, o) : 0, most = -HUGE_VAL;
        std::int64_t inside = 0, padded = 0;
        for (std::int64_t c = 0; c < planes; ++c) {
          for (std::int64_t ky = 0; ky < kernel.h; ++ky) {
            for (std::int64_t kx = 0; kx < kernel.w; ++kx) {
              const std::int64_t row = i * stride.h - padding.top + ky * dilation.h;
              const std::int64_t column = j * stride.w - padding.left + kx * dilation.w;
              padded += row < h + padding.bottom && column < w + padding.right ? 1 : 0;
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              ++inside;
              const double pixel = x[static_cast<std::size_t>(((first + c) * h + row) * w + column)];
              const double weight =
                  conv ? at(node.weight, ((o * planes + c) * kernel.h + ky) * kernel.w + kx) : 1;
              sum += weight * pixel;
              most = std::max(most, pixel);
            }
          }
        }
        const double count = static_cast<double>(node.count_include_pad ? padded : inside);
        y.push_back(conv ? sum : average ? sum / count : most);
      }
    }
  }
  return y;
}

/// The weight that `dense` stands for.
inline double weight(const LinearWeights& dense, std::int64_t o, std::int64_t k) {
  const auto i = static_cast<std::size_t>(o * dense.in + k);
  if (!dense.mask.kept.empty()) {
    const std::int64_t columns = (dense.in + dense.mask.block_in - 1) / dense.mask.block_in;
    if (dense.mask
            .kept[static_cast<std::size_t>(o / dense.mask.block_out * columns + k / dense.mask.block_in)] ==
        0)
      return 0;
  }
  if (dense.precision == Precision::fp32) return static_cast<double>(dense.fp32[i]);
  if (dense.precision == Precision::bf16) return static_cast<double>(from_bf16(dense.bf16[i]));
  return static_cast<double>(dense.scales[static_cast<std::size_t>(o)]) * dense.int8[i];
}

/// Int8 layers read bytes.
inline double as_read(const Node& node, double x) {
  if (node.dense.precision != Precision::int8) return x;
  const double scale = static_cast<double>(node.input.scale);
  const double stored = std::nearbyint(std::clamp(x / scale + node.input.zero_point, 0.0, 255.0));
  return scale * (stored - node.input.zero_point);
}

inline Values linear(const Node& node, const Values& x) {
  Values y;
  for (std::int64_t o = 0; o < node.dense.out; ++o) {
    double sum =
        node.dense.bias.empty() ? 0 : static_cast<double>(node.dense.bias[static_cast<std::size_t>(o)]);
    for (std::int64_t k = 0; k < node.dense.in; ++k)
      sum += weight(node.dense, o, k) * as_read(node, x[static_cast<std::size_t>(k)]);
    y.push_back(sum);
  }
  return y;
}

/// Element `index` of a value of shape `in` that is stretched to the shape of `index`.
inline double stretched(const Values& x, const Shape& in, const std::vector<std::int64_t>& index) {
  std::int64_t i = 0;
  for (std::size_t axis = 0; axis < in.size(); ++axis)
    i = i * in[axis] + (in[axis] == 1 ? 0 : index[index.size() - in.size() + axis]);
  return x[static_cast<std::size_t>(i)];
}

/// Element `index` of a value of shape `in`.
inline double at_index(const Values& x, const Shape& in, const std::vector<std::int64_t>& index) {
  std::int64_t i = 0;
  for (std::size_t axis = 0; axis < in.size(); ++axis) i = i * in[axis] + index[axis];
  return x[static_cast<std::size_t>(i)];
}

/// Calls f(index) for every element of a shape, in row-major order.
template <class F>
Values each(const Shape& shape, F f) {
  Values y;
  std::vector<std::int64_t> index(shape.size());
  for (std::int64_t i = 0; i < numel(shape); ++i) {
    std::int64_t rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) index[axis] = rest % shape[axis];
    y.push_back(f(index));
  }
  return y;
}

inline Values softmax(const Node& node, const Values& x) {
  Values y = x;
  const auto n = static_cast<std::size_t>(node.shape.back());
  for (std::size_t row = 0; row < y.size(); row += n) {
    const double most = *std::max_element(x.begin() + static_cast<std::ptrdiff_t>(row),
                                          x.begin() + static_cast<std::ptrdiff_t>(row + n));
    double sum = 0;
    for (std::size_t i = row; i < row + n; ++i) sum += std::exp(x[i] - most);
    for (std::size_t i = row; i < row + n; ++i)
      y[i] = node.kind == Kind::softmax ? std::exp(x[i] - most) / sum : x[i] - most - std::log(sum);
  }
  return y;
}

inline double table_function(const Node& node, double x) {
  using T = double;
  const T a = node.value;
  static_cast<void>(a);
  switch (node.function) {
#define UNARY(name, Type, formula, VALUE, ...) \
  case Pointwise::name:                        \
    return VALUE;
#define UNARY_PARAMETER UNARY
#define BINARY(name, ...) \
  case Pointwise::name:   \
    break;
#include "tensor/pointwise.def"
  }
  return x;
}

inline double pointwise(const Node& node, double x) {
  switch (node.kind) {
    case Kind::relu:
      return std::max(x, 0.0);
    case Kind::leaky_relu:
      return x > 0 ? x : node.value * x;
    case Kind::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Kind::tanh:
      return std::tanh(x);
    case Kind::rescale:
      return std::min(node.value * x, 1.0);
    case Kind::pointwise:
      return table_function(node, x);
    default:
      return x;  // reshape
  }
}

inline Values run(const Graph& graph, const Node& node, const std::vector<Values>& values) {
  const auto input = [&](std::size_t k) -> const Values& {
    return values[static_cast<std::size_t>(node.inputs[k])];
  };
  const auto in = [&](std::size_t k) -> const Shape& { return value_shape(graph, node.inputs[k]); };
  const Values& x = input(0);
  switch (node.kind) {
    case Kind::conv2d:
    case Kind::max_pool2d:
    case Kind::avg_pool2d:
      return windows(node, in(0), x);
    case Kind::linear:
      return linear(node, x);
    case Kind::affine:
      return each(node.shape, [&](const std::vector<std::int64_t>& i) {
        return at(node.weight, i[0]) * stretched(x, node.shape, i) + at(node.bias, i[0]);
      });
    case Kind::softmax:
    case Kind::log_softmax:
      return softmax(node, x);
    case Kind::transpose:
      return each(node.shape, [&](const std::vector<std::int64_t>& i) {
        std::vector<std::int64_t> from(i.size());
        for (std::size_t axis = 0; axis < i.size(); ++axis)
          from[static_cast<std::size_t>(node.axes[axis])] = i[axis];
        return stretched(x, in(0), from);
      });
    case Kind::slice:
      return each(node.shape, [&](std::vector<std::int64_t> i) {
        for (std::size_t axis = 0; axis < i.size(); ++axis) {
          i[axis] = node.starts[axis] + node.steps[axis] * i[axis];
          if (i[axis] < 0 || i[axis] >= in(0)[axis]) return node.value;
        }
        return at_index(x, in(0), i);
      });
    case Kind::add:
    case Kind::mul: {
      const bool pair = node.inputs.size() == 2;
      const Values other = pair ? input(1) : node.weight.to_vector<double>();
      return each(node.shape, [&](const std::vector<std::int64_t>& i) {
        const double a = stretched(x, in(0), i), b = stretched(other, pair ? in(1) : node.weight.shape(), i);
        return node.kind == Kind::add ? a + b : a * b;
      });
    }
    case Kind::matmul:
      return each(node.shape, [&](const std::vector<std::int64_t>& i) {
        double sum = 0;
        for (std::int64_t k = 0; k < in(0)[1]; ++k)
          sum += stretched(x, in(0), {i[0], k}) * stretched(input(1), in(1), {k, i[1]});
        return sum;
      });
    case Kind::concat:
      return each(node.shape, [&](std::vector<std::int64_t> i) {
        std::int64_t& along = i[static_cast<std::size_t>(node.axis)];
        std::size_t k = 0;
        for (; along >= in(k)[static_cast<std::size_t>(node.axis)]; ++k)
          along -= in(k)[static_cast<std::size_t>(node.axis)];
        return at_index(input(k), in(k), i);
      });
    default: {
      Values y = x;
      for (double& v : y) v = pointwise(node, v);
      return y;
    }
  }
}

}  // namespace naive

/// Every value of the graph for one image.
inline std::vector<Values> all_values(const Graph& graph, const float* pixels) {
  std::vector<Values> values = {Values(pixels, pixels + numel(graph.input))};
  for (const Node& node : graph.nodes) values.push_back(naive::run(graph, node, values));
  return values;
}

/// What the last node makes of one image.
inline Values naive_output(const Graph& graph, const float* pixels) {
  return all_values(graph, pixels).back();
}

/// The same of several images, one behind the other.
inline Values naive_outputs(const Graph& graph, const std::vector<float>& pixels) {
  Values out;
  const auto each = static_cast<std::size_t>(numel(graph.input));
  for (std::size_t first = 0; first < pixels.size(); first += each) {
    const Values one = naive_output(graph, pixels.data() + first);
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

/// The graph with the sizes of its weights: on the sizes of pixels it makes sums of absolute products, by
/// which rounding is measured, through convolutions, linear layers, pools and ReLU.
inline Graph sizes_of(Graph graph) {
  const auto absolute = [](Tensor& tensor) {
    if (!tensor.defined()) return;
    tensor = tensor.clone();
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
      tensor.data<float>()[i] = std::fabs(tensor.data<float>()[i]);
  };
  for (Node& node : graph.nodes) {
    absolute(node.weight);
    absolute(node.bias);
    for (float& w : node.dense.fp32) w = std::fabs(w);
    for (float& b : node.dense.bias) b = std::fabs(b);
  }
  return graph;
}

inline std::vector<float> sizes_of(std::vector<float> pixels) {
  for (float& pixel : pixels) pixel = std::fabs(pixel);
  return pixels;
}

}  // namespace cbnet::runtime::test
