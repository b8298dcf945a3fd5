// ONNX functions that several layers make together: activations, normalisations, and moves between channels
// and pixels.
#include <algorithm>
#include <numeric>

#include "models/kinds/add.h"
#include "models/kinds/avg_pool2d.h"
#include "models/kinds/concat.h"
#include "models/kinds/global_avg_pool2d.h"
#include "models/kinds/join.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/mul.h"
#include "models/kinds/pointwise.h"
#include "models/kinds/relu.h"
#include "models/kinds/tanh.h"
#include "models/kinds/transpose.h"
#include "models/kinds/unflatten.h"
#include "models/onnx_reader.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

using kinds::constant_of_sample;
using kinds::join_constant;

kinds::Pointwise function(const char* name, double a = 0.0) { return {.function = name, .a = a}; }

/// Layers one behind the other, from the value at position `at` on.
struct Chain {
  NodeReader& node;
  std::int64_t at;

  Chain& then(LayerSpec layer) {
    node.add(std::move(layer), {at});
    at = node.last();
    return *this;
  }
  Chain& then(const char* name, double a = 0.0) { return then(function(name, a)); }
  template <class Kind>
  Chain& with(std::int64_t other) {
    node.add(Kind{}, {at, other});
    at = node.last();
    return *this;
  }
};

Chain chain(NodeReader& node) { return {node, node.position(0)}; }

// ---- activations

/// gamma (max(x, 0) + alpha (exp(min(x / divisor, 0)) - 1)).
void add_elu(NodeReader& node, double alpha, double gamma, double divisor) {
  const std::int64_t above = chain(node).then(kinds::Relu{}).then("scale", gamma).at;
  Chain below = chain(node).then("clamp_max", 0.0);
  if (divisor != 1.0) below.then("scale", 1.0 / divisor);
  below.then("exp").then("shift", -1.0).then("scale", alpha * gamma).with<kinds::Add>(above);
}

void read_prelu(NodeReader& node) {
  const std::int64_t above = chain(node).then(kinds::Relu{}).at;
  const std::int64_t below = chain(node).then("clamp_max", 0.0).at;
  join_constant<kinds::Mul>(node, below, constant_of_sample(node, 1, 0));
  node.add(kinds::Add{}, {above, node.last()});
}

/// ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|)), which overflows nowhere.
Chain add_softplus(NodeReader& node) {
  const std::int64_t above = chain(node).then(kinds::Relu{}).at;
  Chain rest = chain(node).then("abs").then("neg").then("exp").then("shift", 1.0).then("log");
  return rest.with<kinds::Add>(above);
}

/// Max or Min of values of one shape, which are stacked as the rows of a plane, and of constants.
void read_extreme(NodeReader& node) {
  const bool largest = node.op() == "Max";
  std::vector<std::int64_t> rows;
  std::vector<double> bounds;
  std::vector<std::size_t> arrays;
  std::size_t computed = 0;
  Shape shape;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    if (node.is_constant(i)) {
      if (node.constant(i).numel() == 1)
        bounds.push_back(node.constant(i).item());
      else
        arrays.push_back(i);
      continue;
    }
    if (!rows.empty() && node.shape(i) != shape)
      node.fail("values of one shape", concat(to_string(shape), " and ", to_string(node.shape(i))));
    computed = i;
    shape = node.shape(i);
    rows.push_back(node.position(i));
  }
  if (rows.empty()) node.fail("an input that is computed", "none");
  if (node.input_count() == 1) return node.pass_on();
  for (const std::size_t i : arrays) {
    node.count_computed(numel(shape));
    const Tensor stretched = constant_of_sample(node, i, computed).expand(shape).contiguous();
    rows.push_back(kinds::add_constant(node, rows[0], stretched));
  }
  Chain extreme{node, rows[0]};
  const auto count = static_cast<std::int64_t>(rows.size());
  if (count > 1) {
    for (std::int64_t& row : rows) {
      Chain turned{node, row};
      if (!largest) turned.then("neg");
      row = turned.then(kinds::reshape_to({1, 1, numel(shape)})).at;
    }
    node.add(kinds::Concat{.axis = 1}, rows);
    extreme.at = node.last();
    extreme.then(kinds::MaxPool2d{.kernel_size = {count, 1}}).then(kinds::reshape_to(shape));
    if (!largest) extreme.then("neg");
  }
  for (const double bound : bounds) extreme.then(largest ? "clamp_min" : "clamp_max", bound);
}

// ---- reductions and normalisations

/// What an op does with the elements that it joins: a function before and one behind, which may be missing.
struct Reduction {
  const char* before;
  enum { mean, sum, max } by;
  const char* after;
};

/// Over the axes of a sample that `goes` marks: they are made the rows of one plane for each of the other
/// elements, which is then pooled as a whole.
std::int64_t add_reduction(NodeReader& node, std::int64_t from, const Shape& sample,
                           const std::vector<bool>& goes, bool keep, const Reduction& reduction) {
  kinds::Transpose order;
  Shape planes = {1, 1, 1}, kept;
  for (const bool reduced : {false, true}) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      if (goes[i] && !reduced && keep) kept.push_back(1);
      if (!goes[i] && !reduced) kept.push_back(sample[i]);
      if (goes[i] != reduced) continue;
      order.axes.push_back(static_cast<std::int64_t>(i));
      planes[reduced ? 1 : 0] *= sample[i];
    }
  }
  if (kept.empty()) node.fail("an axis besides the batch that stays", to_string(sample));
  const bool of_planes = sample.size() == 3 && !goes[0] && goes[1] && goes[2];
  if (of_planes) planes = sample;
  Chain out{node, from};
  if (reduction.before != nullptr) out.then(reduction.before);
  if (!std::is_sorted(order.axes.begin(), order.axes.end())) out.then(order);
  if (!of_planes) out.then(kinds::reshape_to(planes));
  if (reduction.by == Reduction::max)
    out.then(kinds::MaxPool2d{.kernel_size = {planes[1], planes[2]}});
  else
    out.then(kinds::GlobalAvgPool2d{});
  if (reduction.by == Reduction::sum) out.then("scale", static_cast<double>(planes[1] * planes[2]));
  if (kept != Shape{planes[0], 1, 1}) out.then(kinds::reshape_to(kept));
  if (reduction.after != nullptr) out.then(reduction.after);
  return out.at;
}

/// `axes` is an attribute before opset `since`, then an input.
void read_reduction(NodeReader& node, std::int64_t since, const Reduction& reduction) {
  const Shape sample = node.shape();
  const auto axes = node.axes(since);
  const bool keep = node.integer("keepdims", 1) != 0;
  const bool none = !axes || axes->empty(), idle = none && node.integer("noop_with_empty_axes", 0) != 0;
  if (idle && reduction.before == nullptr && reduction.after == nullptr) return node.pass_on();
  if (idle || (none && node.batch_axes() == 1)) node.fail("axes, so that images stay apart", "none");
  std::vector<bool> goes(sample.size(), none);
  for (const std::int64_t axis : axes.value_or(Shape()))
    goes[static_cast<std::size_t>(node.sample_axis(axis))] = true;
  add_reduction(node, node.position(0), sample, goes, keep, reduction);
}

/// (x - mean) / sqrt(variance + epsilon) over the axes that `goes` marks.
std::int64_t add_normalised(NodeReader& node, std::int64_t from, const Shape& sample,
                            const std::vector<bool>& goes, double epsilon) {
  const std::int64_t mean = add_reduction(node, from, sample, goes, true, {nullptr, Reduction::mean, "neg"});
  const std::int64_t centred = Chain{node, from}.with<kinds::Add>(mean).at;
  Chain factor{node, add_reduction(node, centred, sample, goes, true, {"square", Reduction::mean, nullptr})};
  factor.then("shift", epsilon).then("pow", -0.5);
  return Chain{node, centred}.with<kinds::Mul>(factor.at).at;
}

/// y = x scale + bias with constants 1 and, where it is there, 2. Where `count` is not 0 they are so many
/// numbers, each of as many channels.
void add_affine(NodeReader& node, std::int64_t from, std::int64_t count) {
  const auto constant = [&](std::size_t i) {
    Tensor value = constant_of_sample(node, i, 0);
    if (count == 0) return value;
    Shape shape(node.shape().size(), 1);
    shape[0] = node.shape()[0];
    if (value.shape() != Shape{count})
      node.fail(concat("a number for each of ", count, " channels"), describe(value));
    return value.view({count, 1}).expand({count, shape[0] / count}).contiguous().reshape(shape);
  };
  join_constant<kinds::Mul>(node, from, constant(1));
  if (node.has_input(2)) join_constant<kinds::Add>(node, node.last(), constant(2));
}

void read_layer_norm(NodeReader& node) {
  node.ignore("stash_type");
  node.require_one_output();
  const Shape sample = node.shape();
  std::vector<bool> goes(sample.size(), false);
  std::fill(goes.begin() + node.sample_axis(node.integer("axis", -1)), goes.end(), true);
  // A plane of one channel: an axis besides the batch stays.
  Shape seen = sample;
  seen.insert(seen.begin(), 1);
  goes.insert(goes.begin(), false);
  Chain x = chain(node).then(kinds::reshape_to(seen));
  x.at = add_normalised(node, x.at, seen, goes, node.number("epsilon", 1e-5));
  add_affine(node, x.then(kinds::reshape_to(sample)).at, 0);
}

/// Channels are normalised in groups. The constants are numbers of the groups where they are not of the
/// channels.
void add_group_norm(NodeReader& node, std::int64_t groups, std::int64_t count) {
  const Shape sample = node.shape();  // A copy: the shapes of layers move when one is added.
  if (groups < 1 || sample[0] % groups != 0)
    node.fail("groups that divide the channels", concat(groups, " of ", sample[0]));
  const Shape seen = {groups, numel(sample) / groups};
  Chain x = chain(node);
  if (seen != sample) x.then(kinds::reshape_to(seen));
  x.at = add_normalised(node, x.at, seen, {false, true}, node.number("epsilon", 1e-5));
  if (seen != sample) x.then(kinds::reshape_to(sample));
  add_affine(node, x.at, count);
}

void read_group_norm(NodeReader& node) {
  node.ignore("stash_type");
  const std::int64_t groups = node.integer("num_groups", 0);
  add_group_norm(node, groups, node.opset() < 21 ? groups : node.shape()[0]);
}

/// Sums of squares over neighbouring channels are windows along the rows of one plane.
void read_lrn(NodeReader& node) {
  const Shape sample = node.shape();
  const std::int64_t size = node.integer("size", 0);
  if (size < 1 || size > 2 * sample[0]) node.fail(concat("a size of 1 to ", 2 * sample[0]), concat(size));
  Chain sums =
      chain(node).then("square").then(kinds::Unflatten{.shape = {1, sample[0], numel(sample) / sample[0]}});
  sums.then(kinds::AvgPool2d{.kernel_size = {size, 1}, .padding = {(size - 1) / 2, 0, size / 2, 0}});
  sums.then(kinds::reshape_to(sample));
  // alpha times the mean of `size` squares, zeros for channels that are not there.
  sums.then("scale", node.number("alpha", 1e-4)).then("shift", node.number("bias", 1.0));
  sums.then("pow", -node.number("beta", 0.75)).with<kinds::Mul>(node.position(0));
}

// ---- channels to pixels and back

void read_depth_to_space(NodeReader& node) {
  const std::int64_t b = node.integer("blocksize", 0);
  const Shape s = node.shape();
  const std::string mode = node.text("mode", "DCR");
  if (s.size() != 3 || b < 1 || b > 1024 || s[0] % (b * b) != 0 || (mode != "DCR" && mode != "CRD"))
    node.fail("planes whose channels are blocks, mode DCR or CRD", concat(s, ", blocks of ", b, ", ", mode));
  const std::int64_t c = s[0] / (b * b);
  const bool first = mode == "DCR";  // The blocks are the outer axes of the channels.
  Chain out =
      chain(node).then(kinds::Unflatten{first ? Shape{b, b, c, s[1], s[2]} : Shape{c, b, b, s[1], s[2]}});
  out.then(kinds::Transpose{first ? Shape{2, 3, 0, 4, 1} : Shape{0, 3, 1, 4, 2}});
  out.then(kinds::Unflatten{{c, s[1] * b, s[2] * b}});
}

void read_space_to_depth(NodeReader& node) {
  const std::int64_t b = node.integer("blocksize", 0);
  const Shape s = node.shape();
  if (s.size() != 3 || b < 1 || s[1] % b != 0 || s[2] % b != 0)
    node.fail("planes that blocks fill", concat(s, ", blocks of ", b));
  Chain out = chain(node).then(kinds::Unflatten{{s[0], s[1] / b, b, s[2] / b, b}});
  out.then(kinds::Transpose{{2, 4, 0, 1, 3}}).then(kinds::Unflatten{{s[0] * b * b, s[1] / b, s[2] / b}});
}

}  // namespace

void add_functions(OnnxReaders& readers) {
  readers.on_arrays("Elu", [](NodeReader& node) { add_elu(node, node.number("alpha", 1.0), 1.0, 1.0); });
  readers.on_arrays("Selu", [](NodeReader& node) {
    add_elu(node, node.number("alpha", 1.6732632423543772), node.number("gamma", 1.0507009873554805), 1.0);
  });
  readers.on_arrays("Celu", [](NodeReader& node) {
    const double alpha = node.number("alpha", 1.0);
    if (!(alpha > 0.0)) node.fail("an alpha above 0", concat(alpha));
    add_elu(node, alpha, 1.0, alpha);
  });
  readers.on_arrays("PRelu", read_prelu);
  readers.on_arrays("Softplus", [](NodeReader& node) { add_softplus(node); });
  readers.on_arrays("Softsign", [](NodeReader& node) {
    chain(node).then("abs").then("shift", 1.0).then("pow", -1.0).with<kinds::Mul>(node.position(0));
  });
  readers.on_arrays("Mish", [](NodeReader& node) {
    add_softplus(node).then(kinds::Tanh{}).with<kinds::Mul>(node.position(0));
  });
  readers.on_arrays("Max", read_extreme);
  readers.on_arrays("Min", read_extreme);
  const auto reduces = [&](const char* op, std::int64_t since, Reduction reduction) {
    readers.on_arrays(op, [=](NodeReader& node) { read_reduction(node, since, reduction); });
  };
  reduces("ReduceMean", 18, {nullptr, Reduction::mean, nullptr});
  reduces("ReduceMax", 18, {nullptr, Reduction::max, nullptr});
  reduces("ReduceMin", 18, {"neg", Reduction::max, "neg"});
  reduces("ReduceSum", 13, {nullptr, Reduction::sum, nullptr});
  reduces("ReduceSumSquare", 18, {"square", Reduction::sum, nullptr});
  reduces("ReduceLogSum", 18, {nullptr, Reduction::sum, "log"});
  reduces("ReduceL1", 18, {"abs", Reduction::sum, nullptr});
  reduces("ReduceL2", 18, {"square", Reduction::sum, "sqrt"});
  readers.on_arrays("LayerNormalization", read_layer_norm);
  readers.on("InstanceNormalization",
             [](NodeReader& node) { add_group_norm(node, node.shape()[0], node.shape()[0]); });
  readers.on("GroupNormalization", read_group_norm);
  readers.on("LRN", read_lrn);
  readers.on("DepthToSpace", read_depth_to_space);
  readers.on("SpaceToDepth", read_space_to_depth);
}

}  // namespace cbnet
