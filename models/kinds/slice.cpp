#include "models/kinds/slice.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "models/kinds/common.h"
#include "models/kinds/concat.h"
#include "models/kinds/unflatten.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(slice, Slice)

namespace cbnet::kinds {
namespace {

constexpr std::size_t kMaxAxes = 8;
constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int32_t>::max();

void read(NodeReader& node) {
  const Shape sizes = node.shape();
  std::int64_t from = node.position(0);
  for (const OnnxSlice& given : read_slices(node)) {
    // The batch may be left as it is.
    const bool whole = given.start == 0 && given.step == 1 &&
                       (given.end >= kToTheEnd || (node.batch() > 0 && given.end >= node.batch()));
    const bool of_batch = given.axis == 0 || given.axis == -static_cast<std::int64_t>(sizes.size()) - 1;
    if (node.batch_axes() == 1 && whole && of_batch) continue;
    const std::int64_t axis = node.sample_axis(given.axis);
    Slice slice = given.of(sizes[static_cast<std::size_t>(axis)]);
    slice.axis = axis;
    node.add(slice, {from});
    from = node.last();
  }
  if (from == node.position(0)) node.pass_on();
}

/// Parts of the given sizes, or as equal as they get, the last one smaller; only those that are read.
void read_split(NodeReader& node) {
  const std::int64_t axis = node.sample_axis(node.integer("axis", 0));
  const std::int64_t size = node.shape()[static_cast<std::size_t>(axis)];
  const auto count = static_cast<std::int64_t>(node.output_count());
  std::vector<std::int64_t> parts = node.opset() < 13   ? node.integers("split", {})
                                    : node.has_input(1) ? node.integers(1)
                                                        : Shape();
  if (node.integer("num_outputs", count) != count) node.fail("as many outputs as parts", concat(count));
  if (parts.empty()) {
    const std::int64_t each = (size + count - 1) / std::max<std::int64_t>(count, 1);
    if (node.opset() < 18 && each * count != size)
      node.fail("parts of one size", concat(count, " of ", size));
    parts.assign(node.output_count(), each);
    if (!parts.empty()) parts.back() = size - each * (count - 1);
  }
  if (static_cast<std::int64_t>(parts.size()) != count ||
      std::any_of(parts.begin(), parts.end(), [&](std::int64_t part) { return part < 1 || part > size; }) ||
      std::accumulate(parts.begin(), parts.end(), std::int64_t{0}) != size)
    node.fail(concat(count, " parts of ", size, " elements"), to_string(parts));
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts.size(); start += parts[i++]) {
    if (node.has_output(i))
      node.add(Slice{.axis = axis, .start = start, .size = parts[i]}, {node.position(0)}, i);
  }
}

/// Elements at constant positions; the axis becomes those of the list of positions.
void read_gather(NodeReader& node) {
  const std::int64_t axis = node.sample_axis(node.integer("axis", 0));
  const Tensor& indices = node.constant(1);
  Shape made = node.shape();
  const std::int64_t n = made[static_cast<std::size_t>(axis)];
  if (indices.dtype() != DType::i64 || indices.numel() == 0)
    node.fail("indices of integers", describe(indices));
  std::vector<std::int64_t> positions = indices.to_vector<std::int64_t>();
  for (std::int64_t& position : positions) {
    if (position < -n || position >= n) node.fail(concat("indices of ", n, " elements"), concat(position));
    position += position < 0 ? n : 0;
  }
  std::vector<std::int64_t> parts;
  for (const Slice& slice : slices_at(axis, positions)) {
    node.add(slice, {node.position(0)});
    parts.push_back(node.last());
  }
  if (parts.size() > 1) node.add(Concat{.axis = axis}, parts);
  made.erase(made.begin() + axis);
  made.insert(made.begin() + axis, indices.shape().begin(), indices.shape().end());
  if (made.empty()) node.fail("an axis besides the batch that stays", "none");
  if (indices.rank() != 1) node.then(reshape_to(made));
}

}  // namespace

Slice OnnxSlice::of(std::int64_t n) const {
  if (n == 0) return {0, 0, 0, 1};
  const auto within = [&](std::int64_t position, std::int64_t low, std::int64_t high) {
    return std::clamp(position < 0 ? position + n : position, low, high);
  };
  const std::int64_t stride = std::clamp(step, -n - 1, n + 1);
  const std::int64_t first = stride > 0 ? within(start, 0, n) : within(start, 0, n - 1);
  const std::int64_t behind = stride > 0 ? within(end, 0, n) : within(end, -1, n - 1);
  const std::int64_t length = stride > 0 ? behind - first : first - behind;
  return {0, first, length > 0 ? (length - 1) / std::abs(stride) + 1 : 0, stride};
}

std::vector<Slice> slices_at(std::int64_t axis, const std::vector<std::int64_t>& positions) {
  std::vector<Slice> out;
  for (std::size_t begin = 0, end = 1; begin < positions.size(); begin = end++) {
    const std::int64_t step = end < positions.size() && positions[end] < positions[begin] ? -1 : 1;
    while (end < positions.size() && positions[end] == positions[end - 1] + step) ++end;
    out.push_back({axis, positions[begin], static_cast<std::int64_t>(end - begin), step});
  }
  return out;
}

std::vector<OnnxSlice> read_slices(NodeReader& node) {
  const bool inputs = node.opset() >= 10;
  const auto numbers = [&](std::size_t i, const char* name) {
    if (!inputs) return node.integers(name, {});
    return node.has_input(i) ? node.integers(i) : std::vector<std::int64_t>();
  };
  const std::vector<std::int64_t> starts = numbers(1, "starts"), ends = numbers(2, "ends");
  std::vector<std::int64_t> axes = numbers(3, "axes"),
                            steps = inputs ? numbers(4, "") : std::vector<std::int64_t>();
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.resize(starts.size(), 1);
  if (starts.size() > kMaxAxes || ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size() || std::count(steps.begin(), steps.end(), 0) > 0)
    node.fail("starts, ends, axes and steps of one length, and no step of 0",
              concat(starts, ", ", ends, ", ", axes, ", ", steps));
  std::vector<OnnxSlice> out;
  for (std::size_t i = 0; i < starts.size(); ++i) out.push_back({axes[i], starts[i], ends[i], steps[i]});
  return out;
}

void Slice::visit_fields(FieldVisitor& visit) {
  visit("axis", axis);
  visit("start", start);
  visit("size", size);
  visit("step", step);
}

Shape Slice::infer(Shapes in) const {
  Shape made = only(kName, in);
  require(axis >= 0 && axis < static_cast<std::int64_t>(made.size()), kName, "along axis ", axis, " of ",
          made);
  std::int64_t& n = made[static_cast<std::size_t>(axis)];
  check_sizes(kName, {start, size, step < 0 ? -(step + 1) : step});
  const std::int64_t last = start + (size - 1) * step;
  require(size >= 1 && step != 0 && start < n && last >= 0 && last < n, kName, "needs elements of 0 to ",
          n - 1, "; got ", size, " from ", start, " in steps of ", step);
  n = size;
  return made;
}

Cost Slice::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Slice::build(const BuildContext&) const {
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < size; ++i) positions.push_back(start + i * step);
  return BuiltLayer(
      [at = axis + 1, positions](std::span<const Variable> x) { return select(x[0], at, positions); });
}

std::int32_t Slice::lower(Lowering& to) const {
  runtime::Node node;
  node.kind = runtime::Kind::slice;
  node.starts.assign(to.out.size(), 0);
  node.steps.assign(to.out.size(), 1);
  node.starts[static_cast<std::size_t>(axis)] = start;
  node.steps[static_cast<std::size_t>(axis)] = step;
  return to.push(std::move(node));
}

std::string Slice::write_onnx(OnnxWriter& to) const {
  const auto number = [&](const char* part, std::int64_t value) {
    return to.constant(part, Tensor::from({value}, {1}));
  };
  // Before the first element there is no position: -1 is the last one.
  const std::int64_t end = start + size * step;
  const std::string from = number("start", start),
                    behind = number("end", end < 0 ? std::numeric_limits<std::int64_t>::min() : end);
  return to.node("Slice", {to.input(), from, behind, number("axis", axis + 1), number("step", step)});
}

void Slice::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("Slice", read);
  readers.on_arrays("Split", read_split);
  readers.on_arrays("Gather", read_gather);
}

}  // namespace cbnet::kinds
