// ONNX ops that several layers make together.
#include <algorithm>
#include <cmath>
#include <set>

#include "models/kinds/add.h"
#include "models/kinds/common.h"
#include "models/kinds/join.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/mul.h"
#include "models/kinds/pointwise.h"
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

/// Sum, and Mean, which divides it.
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
  if (node.op() == "Mean")
    node.add(kinds::Pointwise{.function = "scale", .a = 1.0 / static_cast<double>(node.input_count())},
             {sum});
}

/// Input 0 in another shape, whose batch is -1 where there is one.
void reshape(NodeReader& node, const Shape& shape) {
  if (node.is_constant(0)) return node.make_constant(node.constant(0).reshape(shape));
  const std::int64_t front = node.batch_axes();
  if (static_cast<std::int64_t>(shape.size()) <= front || (front == 1 && shape[0] != -1))
    node.fail("the batch in front and at least one axis more", to_string(shape));
  node.add(kinds::reshape_to({shape.begin() + front, shape.end()}));
}

Shape shape_with_batch(const NodeReader& node) {
  if (node.is_constant(0)) return node.constant(0).shape();
  Shape shape = node.shape();
  if (node.batch_axes() == 1) shape.insert(shape.begin(), -1);
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
  if (!axes && !node.is_constant(0) && node.batch_axes() == 1 && node.batch() < 2)
    node.fail("axes, where the batch may be 1", "none");
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

/// Repeated elements are products with ones.
void read_expand(NodeReader& node) {
  constexpr std::int64_t kMaxOnes = 1 << 20;
  const auto front = static_cast<std::size_t>(node.batch_axes());
  std::int64_t from = node.position(0);
  Shape sample = node.shape(), target = node.integers(1);
  if (target.size() > sample.size() + front) {
    if (front == 1) node.fail("the batch in front", to_string(target));
    if (target.size() > kMaxRank) node.fail(concat("at most ", kMaxRank, " axes"), to_string(target));
    sample.insert(sample.begin(), target.size() - sample.size(), 1);
    node.add(kinds::reshape_to(sample));
    from = node.last();
  }
  target.insert(target.begin(), sample.size() + front - target.size(), 1);
  if (front == 1 && target[0] != 1 && target[0] != node.batch() && target[0] != OnnxLayers::kBatch)
    node.fail("as many images as there are", to_string(target));
  target.erase(target.begin(), target.begin() + static_cast<std::ptrdiff_t>(front));
  std::int64_t ones = 1;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (target[i] == sample[i]) target[i] = 1;
    if (target[i] < 1 || target[i] > kMaxOnes / ones || (sample[i] != 1 && target[i] != 1))
      node.fail("sizes that stretch those of an image", to_string(target));
    ones *= target[i];
  }
  node.count_computed(ones);
  if (ones > 1) return join_constant<kinds::Mul>(node, from, Tensor::ones(target));
  if (from == node.position(0)) node.pass_on();
}

}  // namespace

void add_compositions(OnnxReaders& readers) {
  readers.on_arrays("Sub", read_sub);
  readers.on_arrays("Div", read_div);
  readers.on_arrays("Sum", read_sum);
  readers.on_arrays("Mean", read_sum);
  readers.on_arrays("Expand", read_expand);
  readers.on_arrays("Squeeze", read_squeeze);
  readers.on_arrays("Unsqueeze", read_unsqueeze);
  kinds::on_planes(readers, "GlobalMaxPool", [](NodeReader& node) {
    node.add(kinds::MaxPool2d{.kernel_size = {node.shape()[1], node.shape()[2]}});
  });
}

}  // namespace cbnet
