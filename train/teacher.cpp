#include "train/teacher.h"

#include <algorithm>
#include <utility>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"
#include "autograd/tape.h"
#include "data/batches.h"
#include "data/checksum.h"
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
  constexpr std::int64_t kBatch = 250;
  Tensor out;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, images.size(0));
    const Tensor part =
        probabilities(data::to_float(images.slice(0, begin, end)), temperature).to(Device::cpu);
    if (!out.defined()) out = Tensor::empty({images.size(0), part.size(1)});
    out.slice(0, begin, end).copy_from(part);
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
