#include "train/teacher.h"

#include <cmath>
#include <utility>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"
#include "autograd/tape.h"
#include "data/batches.h"
#include "data/checksum.h"
#include "models/compile.h"
#include "runtime/plan.h"
#include "tensor/error.h"

namespace cbnet {

Teacher::Teacher(Model model, const Shape& input, std::int64_t classes) : model_(std::move(model)) {
  const NetworkSpec& spec = model_.network->spec();
  const Shape output = trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size()));
  require(spec.input == input && output == Shape{classes}, "teacher", "expected a model from ", input, " to ",
          classes, " classes; got one from ", spec.input, " to ", output);
  model_.network->eval();
}

Tensor Teacher::probabilities(const Tensor& pixels, double temperature) {
  const NoGrad no_grad;
  const Variable logits =
      model_.network->forward(model_.network->input(normalised(pixels, model_.info.normalisation)));
  return softmax(scale(logits, 1 / temperature)).value();
}

Tensor Teacher::probabilities_of_all(const Tensor& images, double temperature) {
  runtime::Graph graph = model_graph(model_);
  for (runtime::Exit& exit : graph.exits) exit.threshold = 0.0;  // what the trunk's end says is asked for
  const runtime::Plan plan(graph);
  runtime::Workspace workspace(plan);
  const Tensor dense = images.contiguous();
  const runtime::Results results =
      plan.run(std::as_const(dense).data<std::uint8_t>(), images.size(0), workspace);
  const std::int64_t classes = static_cast<std::int64_t>(results.probabilities.size()) / images.size(0);
  Tensor out = Tensor::from(results.probabilities, {images.size(0), classes});
  if (temperature == 1.0) return out;
  // softmax(logits / T) is softmax(logits) to the power of 1 / T, scaled to a sum of 1.
  auto* row = out.data<float>();
  for (std::int64_t i = 0; i < images.size(0); ++i, row += classes) {
    float sum = 0.0F;
    for (std::int64_t c = 0; c < classes; ++c)
      sum += row[c] = std::pow(row[c], static_cast<float>(1 / temperature));
    for (std::int64_t c = 0; c < classes; ++c) row[c] /= sum;
  }
  return out;
}

std::string Teacher::md5() const { return md5_of(model_.network->state_dict()); }

std::string md5_of(const StateDict& weights) {
  data::Md5 md5;
  for (const auto& [name, tensor] : weights) {
    const Tensor dense = tensor.to(Device::cpu).contiguous();
    md5.update(std::as_const(dense).data<float>(), static_cast<std::size_t>(dense.numel()) * sizeof(float));
  }
  return md5.finish();
}

}  // namespace cbnet
