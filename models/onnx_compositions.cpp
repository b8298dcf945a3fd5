// ONNX ops that several layers make together.
#include <algorithm>
#include <cmath>
#include <set>

#include "models/kinds/add.h"
#include "models/kinds/common.h"
#include "models/kinds/global_avg_pool2d.h"
#include "models/kinds/join.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/mul.h"
#include "models/kinds/pointwise.h"
#include "models/kinds/transpose.h"
#include "models/kinds/unflatten.h"
#include "models/onnx_reader.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr std::size_t kMaxRank = 8;

using kinds::constant_of_sample;
using kinds::join_constant;

/// x - z = x + (-z), to the bit.
void read_sub(NodeReader& node) {
  const kinds::Pointwise negate{.function = "neg"};
  if (node.is_constant(1)) {
    Tensor value = constant_of_sample(node, 1, 0).clone();
    value.scale(-1.0);
    return join_constant<kinds::Add>(node, node.position(0), std::move(value));
  }
  node.add(negate, {node.position(1)});
  if (node.is_constant(0))
    return join_constant<kinds::Add>(node, node.last(), constant_of_sample(node, 0, 1));
  node.add(kinds::Add{}, {node.position(0), node.last()});
}

/// x / z = x (1 / z), within two roundings where 1 / z is a normal number.
void read_div(NodeReader& node) {
  if (node.is_constant(1)) {
    const Tensor divisor = constant_of_sample(node, 1, 0);
    std::vector<float> values = divisor.to_vector<float>();
    for (float& value : values) {
      value = 1.0F / value;
      if (!std::isnormal(value)) node.fail("divisors with a normal reciprocal", concat(1.0F / value));
    }
    return join_constant<kinds::Mul>(node, node.position(0), Tensor::from(values, divisor.shape()));
  }
  node.add(kinds::Pointwise{.function = "pow", .a = -1.0}, {node.position(1)});
  if (node.is_constant(0))
    return join_constant<kinds::Mul>(node, node.last(), constant_of_sample(node, 0, 1));
  node.add(kinds::Mul{}, {node.position(0), node.last()});
}

void read_sum(NodeReader& node) {
  if (node.input_count() == 1) return node.pass_on();
  std::size_t first = 0;
  while (first < node.input_count() && node.is_constant(first)) ++first;
  std::int64_t sum = node.position(std::min(first, node.input_count() - 1));
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    if (i == first) continue;
    if (node.is_constant(i))
      join_constant<kinds::Add>(node, sum, constant_of_sample(node, i, first));
    else
      node.add(kinds::Add{}, {sum, node.position(i)});
    sum = node.last();
  }
}

/// Input 0 in another shape, whose batch is -1 where it is computed.
void reshape(NodeReader& node, const Shape& shape) {
  if (node.is_constant(0)) return node.make_constant(node.constant(0).reshape(shape));
  if (shape.size() < 2 || shape[0] != -1)
    node.fail("the batch in front and at least one axis more", to_string(shape));
  node.add(kinds::reshape_to({shape.begin() + 1, shape.end()}));
}

Shape shape_with_batch(const NodeReader& node) {
  if (node.is_constant(0)) return node.constant(0).shape();
  Shape shape = node.shape();
  shape.insert(shape.begin(), -1);
  return shape;
}

/// The axes, each once, of `rank`.
std::set<std::int64_t> axes_of(const NodeReader& node, const std::vector<std::int64_t>& axes,
                               std::size_t rank) {
  const auto count = static_cast<std::int64_t>(rank);
  std::set<std::int64_t> out;
  for (const std::int64_t axis : axes) {
    if (axis < -count || axis >= count || !out.insert(axis < 0 ? axis + count : axis).second)
      node.fail(concat("axes of ", count, ", each once"), to_string(axes));
  }
  return out;
}

void read_squeeze(NodeReader& node) {
  const Shape full = shape_with_batch(node);
  const auto axes = node.axes(13);
  if (!axes && !node.is_constant(0) && node.batch() < 2) node.fail("axes, where the batch may be 1", "none");
  const std::set<std::int64_t> named = axes_of(node, axes.value_or(Shape()), full.size());
  Shape left;
  for (std::size_t i = 0; i < full.size(); ++i) {
    const bool goes = axes ? named.contains(static_cast<std::int64_t>(i)) : full[i] == 1;
    if (goes && full[i] != 1) node.fail("axes of size 1", to_string(full));
    if (!goes) left.push_back(full[i]);
  }
  reshape(node, left);
}

void read_unsqueeze(NodeReader& node) {
  Shape full = shape_with_batch(node);
  const std::vector<std::int64_t> axes = node.axes(13).value_or(Shape());
  const std::size_t rank = full.size() + axes.size();
  if (rank > kMaxRank) node.fail(concat("at most ", kMaxRank, " axes"), concat(rank));
  for (const std::int64_t axis : axes_of(node, axes, rank)) full.insert(full.begin() + axis, 1);
  reshape(node, full);
}

kinds::MaxPool2d max_of_planes(const Shape& planes) { return {.kernel_size = {planes.at(1), planes.at(2)}}; }

/// Over some axes of a sample: they are made the rows of one plane for each of the other elements, which is
/// then pooled as a whole. `axes` is an attribute before opset `since`, then an input.
void reduce(NodeReader& node, std::int64_t since) {
  const Shape sample = node.shape();
  const auto axes = node.axes(since);
  const bool keep = node.integer("keepdims", 1) != 0;
  const bool none = !axes || axes->empty();
  if (node.integer("noop_with_empty_axes", 0) != 0 && none) return node.pass_on();
  if (none) node.fail("axes, so that images stay apart", "none");
  std::vector<bool> goes(sample.size(), false);
  for (const std::int64_t axis : *axes) goes[static_cast<std::size_t>(node.sample_axis(axis))] = true;
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
  if (!std::is_sorted(order.axes.begin(), order.axes.end())) node.then(order);
  if (!of_planes) node.then(kinds::reshape_to(planes));
  if (node.op() == "ReduceMax")
    node.then(max_of_planes(planes));
  else
    node.then(kinds::GlobalAvgPool2d{});
  if (node.op() == "ReduceSum")
    node.then(kinds::Pointwise{.function = "scale", .a = static_cast<double>(planes[1] * planes[2])});
  if (kept != Shape{planes[0], 1, 1}) node.then(kinds::reshape_to(kept));
}

}  // namespace

void add_compositions(OnnxReaders& readers) {
  readers.on("Sub", read_sub);
  readers.on("Div", read_div);
  readers.on("Sum", read_sum);
  readers.on("Squeeze", read_squeeze);
  readers.on("Unsqueeze", read_unsqueeze);
  kinds::on_planes(readers, "GlobalMaxPool", [](NodeReader& node) { node.add(max_of_planes(node.shape())); });
  readers.on("ReduceMean", [](NodeReader& node) { reduce(node, 18); });
  readers.on("ReduceMax", [](NodeReader& node) { reduce(node, 18); });
  readers.on("ReduceSum", [](NodeReader& node) { reduce(node, 13); });
}

}  // namespace cbnet
