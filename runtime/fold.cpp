// Folding makes less work of the same function: what can be computed from the weights alone is computed once.
#include <algorithm>
#include <optional>

#include "runtime/graph.h"

namespace cbnet::runtime {
namespace {

bool is_fp32_linear(const Node& node) {
  return node.kind == Kind::linear && node.dense.precision == Precision::fp32 && node.dense.mask.kept.empty();
}

/// Goes through the nodes once, building the folded ones: a node is put at the end and folded there into
/// those before it until nothing more can be.
class Folder {
 public:
  explicit Folder(Graph graph) : graph_(std::move(graph)) {
    readers_of_.resize(graph_.nodes.size() + 1, 0);
    const auto read = [&](std::int32_t v) { ++readers_of_[static_cast<std::size_t>(v)]; };
    for (const Node& node : graph_.nodes) std::for_each(node.inputs.begin(), node.inputs.end(), read);
    for (const Exit& exit : graph_.exits) read(exit.logits);
    read(static_cast<std::int32_t>(graph_.nodes.size()));  // The caller reads the last value.
  }

  Graph run() {
    std::vector<std::int32_t> now = {0};  // A value of the given graph is this one of the folded graph.
    readers_ = {readers_of_[0]};
    auto exit = graph_.exits.begin();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const auto made = static_cast<std::int32_t>(i) + 1;
      Node& node = graph_.nodes[i];
      for (std::int32_t& v : node.inputs) v = now[static_cast<std::size_t>(v)];
      out_.push_back(std::move(node));
      readers_.push_back(readers_of_[static_cast<std::size_t>(made)]);
      is_exit_ = exit != graph_.exits.end() && exit->logits == made;
      is_last_ = i + 1 == graph_.nodes.size();
      current_ = made_by_last();
      if (!drop_reshape() && !drop_relu() && !fold_affine() && !swap_relu()) {
        while (fold_linear()) {
        }
      }
      now.push_back(current_);
      if (is_exit_) last_exit_ = (exit++)->logits = current_;
    }
    graph_.nodes = std::move(out_);
    return std::move(graph_);
  }

 private:
  std::int32_t made_by_last() const { return static_cast<std::int32_t>(out_.size()); }

  Node& maker(std::int32_t v) { return out_[static_cast<std::size_t>(v) - 1]; }

  /// Tells whether the value that the node reads is made by a node, for it alone.
  bool has_own_maker(const Node& node) const {
    const std::int32_t v = node.inputs.front();
    return v > 0 && readers_[static_cast<std::size_t>(v)] == 1;
  }

  /// Tells whether the node at the end is the answer and value v could not be: the graph's answer is what its
  /// last node makes.
  bool must_be_last(std::int32_t v) const { return is_last_ && v + 1 != made_by_last(); }

  /// Tells whether the node at the end cannot be taken out in favour of value v: it is the answer, or it
  /// makes an exit's logits that would not stand behind those of the exit before.
  bool must_stand(std::int32_t v) const {
    return must_be_last(v) || (is_exit_ && (v == 0 || last_exit_ >= v));
  }

  /// Takes the node at the end out; its readers read what it read.
  void take_out() {
    current_ = out_.back().inputs.front();
    readers_[static_cast<std::size_t>(current_)] += readers_.back() - 1;
    readers_.pop_back();
    out_.pop_back();
  }

  /// A reshape to the shape that is there goes, but for the last: a graph has at least one node.
  bool drop_reshape() {
    const Node& node = out_.back();
    const std::int32_t v = node.inputs.front();
    if (node.kind != Kind::reshape || is_last_ || must_stand(v)) return false;
    if (node.shape != (v == 0 ? graph_.input : maker(v).shape)) return false;
    take_out();
    return true;
  }

  /// ReLU of ReLU is ReLU.
  bool drop_relu() {
    const Node& node = out_.back();
    if (node.kind != Kind::relu || node.inputs.front() == 0 || maker(node.inputs.front()).kind != Kind::relu)
      return false;
    if (must_stand(node.inputs.front())) return false;
    take_out();
    return true;
  }

  /// affine(conv(x)) and affine(linear(x)) are one layer.
  bool fold_affine() {
    const Node& affine = out_.back();
    if (affine.kind != Kind::affine || !has_own_maker(affine) || must_stand(affine.inputs.front()))
      return false;
    Node& before = maker(affine.inputs.front());
    if ((before.kind != Kind::conv2d || !before.scales.empty()) && !is_fp32_linear(before)) return false;
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
    take_out();
    return true;
  }

  /// linear(linear(x)) is one layer where their product is less work than both.
  bool fold_linear() {
    if (current_ != made_by_last()) return false;
    Node& second = out_.back();
    if (!is_fp32_linear(second) || !has_own_maker(second) || !is_fp32_linear(maker(second.inputs.front())))
      return false;
    // The product stands where the first one stood: what comes before an exit must not wait for it.
    if (second.inputs.front() <= last_exit_ || must_be_last(second.inputs.front())) return false;
    Node& first = maker(second.inputs.front());
    const std::int64_t in = first.dense.in, middle = first.dense.out, out = second.dense.out;
    if (in * out >= in * middle + middle * out) return false;
    LinearWeights product;
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
    first.dense = std::move(product);
    first.name += "+" + second.name;
    first.shape = second.shape;
    take_out();
    return true;
  }

  /// max_pool(relu(x)) = relu(max_pool(x)): the larger of two is taken first, then its sign is looked at.
  bool swap_relu() {
    Node& pool = out_.back();
    if (pool.kind != Kind::max_pool2d || !pool.window.padding.is_none() || !has_own_maker(pool)) return false;
    Node& relu = maker(pool.inputs.front());
    if (relu.kind != Kind::relu || pool.inputs.front() + 1 != made_by_last()) return false;
    std::swap(relu, pool);
    std::swap(relu.inputs, pool.inputs);
    pool.shape = relu.shape;
    return true;
  }

  Graph graph_;
  std::vector<std::int64_t> readers_of_;  // by value of the given graph
  std::vector<Node> out_;
  std::vector<std::int64_t> readers_;  // by value of the folded graph
  std::int32_t last_exit_ = 0;         // the value of the exit before the current node
  // These are of the node that is being folded: what it makes, whether that is an exit's logits, the graph's
  // answer.
  std::int32_t current_ = 0;
  bool is_exit_ = false, is_last_ = false;
};

}  // namespace

Graph fold(const Graph& graph) {
  check(graph);
  Graph folded = Folder(graph).run();
  check(folded);
  return folded;
}

}  // namespace cbnet::runtime
