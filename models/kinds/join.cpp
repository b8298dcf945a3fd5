#include "models/kinds/join.h"

#include "models/kinds/add.h"
#include "models/kinds/common.h"
#include "models/kinds/flatten.h"
#include "models/kinds/pad.h"
#include "models/kinds/slice.h"
#include "models/kinds/unflatten.h"

namespace cbnet::kinds {
namespace {

using Function = Variable (*)(const Variable&, const Variable&);

/// join(x, value), the value stretched over the batch.
class WithConstant : public Module {
 public:
  WithConstant(Tensor value, Function join) : value_(std::move(value), true), join_(join) {
    register_parameter("value", &WithConstant::value_);
  }
  Variable forward(const Variable& x) override { return join_(x, value_); }

 private:
  Variable value_;
  Function join_;
};

}  // namespace

Shape joined_shape(const char* kind, Shapes in, const Shape& constant) {
  check_sizes(kind, constant);
  check_inputs(kind, in, constant.empty() ? 2 : 1);
  const Shape& other = constant.empty() ? in[1] : constant;
  require(constant.empty() ? other.size() == in[0].size() : other.size() <= in[0].size(), kind,
          "sizes do not fit; got ", in[0], " and ", other);
  return broadcast_shapes(in[0], other, kind);
}

BuiltLayer build_join(const Shape& constant, double start, DType dtype, Function join) {
  if (constant.empty()) return BuiltLayer([join](std::span<const Variable> x) { return join(x[0], x[1]); });
  return BuiltLayer(std::make_shared<WithConstant>(Tensor::full(constant, start, dtype), join));
}

Tensor constant_of_sample(const NodeReader& node, std::size_t i, std::size_t other) {
  const Tensor& stored = node.constant(i);
  Shape shape = stored.shape();
  if (node.batch_axes() == 1 && shape.size() == node.shape(other).size() + 1 && shape[0] == 1)
    shape.erase(shape.begin());
  if (shape.empty()) shape = {1};
  return stored.reshape(shape);
}

/// One element is padded with a zero, which is taken, and the constant added to it.
std::int64_t add_constant(NodeReader& node, std::int64_t position, const Tensor& value) {
  if (!is_floating(value.dtype()) || value.numel() == 0 || value.rank() == 0)
    node.fail("a constant of one image", describe(value));
  node.add(Flatten{}, {position});
  for (const LayerSpec& layer : LayerSpecs{Slice{}, Pad{{0}, {1}}, Slice{.start = 1},
                                           reshape_to(Shape(static_cast<std::size_t>(value.rank()), 1))})
    node.add(layer, {node.last()});
  join_constant<Add>(node, node.last(), value);
  return node.last();
}

}  // namespace cbnet::kinds
