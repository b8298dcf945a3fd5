#include "models/kinds/log_softmax.h"

#include "autograd/ops/log_softmax.h"
#include "models/kinds/common.h"
#include "models/lowering.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

CBNET_LAYER_KIND(log_softmax, LogSoftmax)

namespace cbnet::kinds {

void LogSoftmax::visit_fields(FieldVisitor&) {}

Shape LogSoftmax::infer(Shapes in) const {
  require(!only(kName, in).empty(), kName, "needs an axis; got ", in[0]);
  return in[0];
}

Cost LogSoftmax::cost(Shapes, const Shape&) const { return {}; }

BuiltLayer LogSoftmax::build(const BuildContext&) const {
  return BuiltLayer([](std::span<const Variable> x) { return log_softmax(x[0], -1); });
}

std::int32_t LogSoftmax::lower(Lowering& to) const { return to.push(runtime::Kind::log_softmax); }

std::string LogSoftmax::write_onnx(OnnxWriter& to) const {
  return to.node("LogSoftmax", to.inputs, {{"axis", std::int64_t{-1}}});
}

void LogSoftmax::read_onnx(OnnxReaders& readers) {
  readers.on_arrays("LogSoftmax", [](NodeReader& node) { read_softmax(node, LogSoftmax{}); });
}

}  // namespace cbnet::kinds
