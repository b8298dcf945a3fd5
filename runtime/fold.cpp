// Less work for the same function: what can be computed from the weights alone is computed once.
#include <algorithm>
#include <optional>

#include "runtime/graph.h"

namespace cbnet::runtime {
namespace {

bool is_fp32_linear(const Node& node) {
  return node.kind == Kind::linear && node.dense.precision == Precision::fp32 && node.dense.mask.kept.empty();
}

class Folder {
 public:
  explicit Folder(Graph graph) : graph_(std::move(graph)), readers_(graph_.nodes.size() + 1, 0) {
    const auto read = [&](std::int32_t v) { ++readers_[static_cast<std::size_t>(v)]; };
    for (const Node& node : graph_.nodes) std::for_each(node.inputs.begin(), node.inputs.end(), read);
    for (const Exit& exit : graph_.exits) read(exit.logits);
    read(static_cast<std::int32_t>(graph_.nodes.size()));  // the caller
  }

  Graph run() {
    while (next_ < graph_.nodes.size()) {
      if (!fold_at(next_)) ++next_;
    }
    return std::move(graph_);
  }

 private:
  Node& maker(std::int32_t v) { return graph_.nodes[static_cast<std::size_t>(v) - 1]; }

  std::int64_t readers(std::int32_t v) const { return readers_[static_cast<std::size_t>(v)]; }

  /// Node i makes an exit's logits, and without it they would not stand behind those of the exit before.
  bool holds_exit(std::size_t i, std::int32_t instead) const {
    const auto made = static_cast<std::int32_t>(i) + 1;
    const auto stands = [&](std::int32_t from, std::int32_t to) {
      return std::any_of(graph_.exits.begin(), graph_.exits.end(),
                         [&](const Exit& exit) { return exit.logits >= from && exit.logits <= to; });
    };
    return stands(made, made) && (instead == 0 || stands(instead, made - 1));
  }

  /// Takes node i out; whoever read it reads `instead`. Only readers of that may be folded now that could not
  /// be before, and they stand behind it.
  void remove(std::size_t i, std::int32_t instead) {
    readers_[static_cast<std::size_t>(instead)] += readers_[i + 1] - 1;
    readers_.erase(readers_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    next_ = std::min(next_, static_cast<std::size_t>(instead));
    const auto gone = static_cast<std::int32_t>(i) + 1;
    const auto moved = [&](std::int32_t v) { return v == gone ? instead : v > gone ? v - 1 : v; };
    graph_.nodes.erase(graph_.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    for (Node& node : graph_.nodes) {
      for (std::int32_t& v : node.inputs) v = moved(v);
    }
    for (Exit& exit : graph_.exits) exit.logits = moved(exit.logits);
  }

  /// The value that node i reads is made by a node, for i alone.
  bool has_own_maker(const Node& node) const {
    return node.inputs.front() > 0 && readers(node.inputs.front()) == 1;
  }

  /// affine(conv(x)) and affine(linear(x)).
  bool fold_affine(std::size_t i) {
    const Node& affine = graph_.nodes[i];
    if (affine.kind != Kind::affine || !has_own_maker(affine) || holds_exit(i, affine.inputs.front()))
      return false;
    Node& before = maker(affine.inputs.front());
    if (before.kind != Kind::conv2d && !is_fp32_linear(before)) return false;
    const float* factor = affine.weight.data<float>();
    const float* summand = affine.bias.data<float>();
    const bool linear = before.kind == Kind::linear;
    const std::int64_t outputs = before.shape.front();
    if (linear) {
      before.dense.bias.resize(static_cast<std::size_t>(outputs), 0.0F);
    } else {
      before.weight = before.weight.clone();
      before.bias = before.bias.defined() ? before.bias.clone() : Tensor::zeros({outputs});
    }
    float* w = linear ? before.dense.fp32.data() : before.weight.data<float>();
    float* b = linear ? before.dense.bias.data() : before.bias.data<float>();
    const std::int64_t each = linear ? before.dense.in : before.weight.numel() / outputs;
    for (std::int64_t o = 0; o < outputs; ++o) {
      for (std::int64_t k = 0; k < each; ++k) w[o * each + k] *= factor[o];
      b[o] = b[o] * factor[o] + summand[o];
    }
    remove(i, affine.inputs.front());
    return true;
  }

  /// linear(linear(x)) where their product is less work than both.
  bool fold_linear(std::size_t i) {
    Node& second = graph_.nodes[i];
    if (!is_fp32_linear(second) || !has_own_maker(second) || !is_fp32_linear(maker(second.inputs.front())))
      return false;
    Node& first = maker(second.inputs.front());
    const std::int64_t in = first.dense.in, middle = first.dense.out, out = second.dense.out;
    if (in * out >= in * middle + middle * out) return false;
    DenseWeights product;
    product.in = in;
    product.out = out;
    product.fp32.resize(static_cast<std::size_t>(in * out));
    if (!first.dense.bias.empty() || !second.dense.bias.empty())
      product.bias.resize(static_cast<std::size_t>(out));
    std::vector<double> row(static_cast<std::size_t>(in));
    for (std::int64_t o = 0; o < out; ++o) {
      std::fill(row.begin(), row.end(), 0.0);
      double bias = second.dense.bias.empty() ? 0.0 : second.dense.bias[static_cast<std::size_t>(o)];
      for (std::int64_t m = 0; m < middle; ++m) {
        const double factor = second.dense.fp32[static_cast<std::size_t>(o * middle + m)];
        const float* w = first.dense.fp32.data() + m * in;
        for (std::size_t k = 0; k < row.size(); ++k) row[k] += factor * static_cast<double>(w[k]);
        if (!first.dense.bias.empty())
          bias += factor * static_cast<double>(first.dense.bias[static_cast<std::size_t>(m)]);
      }
      std::transform(row.begin(), row.end(), product.fp32.begin() + o * in,
                     [](double v) { return static_cast<float>(v); });
      if (!product.bias.empty()) product.bias[static_cast<std::size_t>(o)] = static_cast<float>(bias);
    }
    second.dense = std::move(product);
    second.name = first.name + "+" + second.name;
    const std::int32_t instead = first.inputs.front();
    remove(static_cast<std::size_t>(second.inputs.front()) - 1, instead);
    return true;
  }

  /// relu(x) then max_pool -> max_pool then relu: the larger of two is taken first, then its sign is looked
  /// at.
  bool swap_relu(std::size_t i) {
    Node& pool = graph_.nodes[i];
    if (pool.kind != Kind::max_pool2d || pool.padding != 0 || !has_own_maker(pool)) return false;
    Node& relu = maker(pool.inputs.front());
    if (relu.kind != Kind::relu || pool.inputs.front() != static_cast<std::int32_t>(i)) return false;
    std::swap(relu, pool);
    std::swap(relu.inputs, pool.inputs);
    relu.shape = pool.shape = graph_.nodes[i - 1].shape;
    next_ = i - 1;
    return true;
  }

  bool fold_at(std::size_t i) {
    const Node& node = graph_.nodes[i];
    if (node.kind == Kind::reshape && node.shape == value_shape(graph_, node.inputs.front()) &&
        i + 1 < graph_.nodes.size() && !holds_exit(i, node.inputs.front())) {
      remove(i, node.inputs.front());
      return true;
    }
    return fold_affine(i) || fold_linear(i) || swap_relu(i);
  }

  Graph graph_;
  std::vector<std::int64_t> readers_;  // of each value
  std::size_t next_ = 0;               // before it nothing can be folded
};

}  // namespace

Graph fold(const Graph& graph) {
  check(graph);
  Graph folded = Folder(graph).run();
  check(folded);
  return folded;
}

}  // namespace cbnet::runtime
