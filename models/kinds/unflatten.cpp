#include "models/kinds/unflatten.h"

#include <algorithm>

#include "layers/flatten.h"
#include "models/kinds/common.h"
#include "models/kinds/flatten.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(unflatten, Unflatten)

namespace cbnet::kinds {

namespace {

/// The sample's shape that a Reshape to `target`, with the batch axis if there is one, asks for.
Shape requested_shape(const NodeReader& node, const std::vector<std::int64_t>& target) {
  const Shape& sample = node.shape();
  const std::int64_t count = numel(sample);
  const bool has_batch = node.batch_axes() == 1;
  const auto refuse = [&] {
    node.fail(concat("a shape that keeps the batch and the ", count, " values of an image"),
              to_string(target));
  };
  if (has_batch && target[0] != 0 && target[0] != -1 && target[0] != node.batch() &&
      target[0] != OnnxLayers::kBatch)
    refuse();
  Shape shape(target.begin() + node.batch_axes(), target.end());
  std::int64_t* open = nullptr;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && i < sample.size()) shape[i] = sample[i];
    if (shape[i] == -1 && open == nullptr && !(has_batch && target[0] == -1)) {
      open = &shape[i];
      continue;
    }
    if (shape[i] < 1 || shape[i] > count) refuse();
    known *= shape[i];
    if (known > count) refuse();
  }
  if (open != nullptr) *open = count / known;
  if (numel(shape) != count) refuse();
  return shape;
}

void read(NodeReader& node) {
  const std::vector<std::int64_t> target = node.integers(1);
  if (node.integer("allowzero", 0) != 0 && std::count(target.begin(), target.end(), 0) > 0)
    node.fail("no size of 0", to_string(target));
  if (static_cast<std::int64_t>(target.size()) <= node.batch_axes())
    node.fail("a shape with a batch axis and at least one more", to_string(target));
  node.add(reshape_to(requested_shape(node, target)));
}

}  // namespace

void Unflatten::visit_fields(FieldVisitor& visit) { visit("shape", shape); }

Shape Unflatten::infer(Shapes in) const {
  check_sizes(kName, shape);
  require(numel(shape) == numel(only(kName, in)), kName, "cannot show ", in[0], " as ", shape);
  return shape;
}

Cost Unflatten::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer Unflatten::build(const BuildContext&) const {
  return BuiltLayer(std::make_shared<cbnet::Unflatten>(shape));
}

std::int32_t Unflatten::lower(Lowering& to) const { return to.push(runtime::Kind::reshape); }

std::string Unflatten::write_onnx(OnnxWriter& to) const {
  std::vector<std::int64_t> target = {0};  // 0: as the input has it
  target.insert(target.end(), shape.begin(), shape.end());
  const auto size = static_cast<std::int64_t>(target.size());
  return to.node("Reshape", {to.input(), to.constant("shape", Tensor::from(target, {size}))});
}

void Unflatten::read_onnx(OnnxReaders& readers) { readers.on_arrays("Reshape", read); }

LayerSpec reshape_to(const Shape& shape) {
  if (shape.size() == 1) return Flatten{};
  return Unflatten{.shape = shape};
}

}  // namespace cbnet::kinds
