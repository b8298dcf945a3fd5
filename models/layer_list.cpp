#include "models/layer_list.h"

namespace cbnet {

LayerList::LayerList(const LayerSpecs& layers, const Shape& input, Randomness from, Init init, DType dtype)
    : last_use_(layers.size() + 1, 0) {
  const std::vector<Shape> shapes = shapes_along(layers, input);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::vector<std::int64_t> reads = inputs_of(layers[i], i);
    std::vector<Shape> in;
    for (const std::int64_t position : reads) {
      last_use_[static_cast<std::size_t>(position)] = i;
      in.push_back(shapes[static_cast<std::size_t>(position)]);
    }
    layers_.push_back({reads, layers[i]->build({in, from, init, dtype})});
    const std::shared_ptr<Module>& module = layers_.back().layer.module;
    if (module != nullptr) register_module(std::to_string(i), module);
  }
}

Variable LayerList::forward_range(const Variable& x, std::size_t begin, std::size_t end) {
  require(begin <= end && end <= layers_.size(), "network", "expected layers within 0 to ", layers_.size(),
          "; got ", begin, " to ", end);
  std::vector<Variable> at(end - begin + 1);  // by position, from `begin` on
  at[0] = x;
  std::vector<Variable> in;
  for (std::size_t i = begin; i < end; ++i) {
    in.clear();
    for (const std::int64_t position : layers_[i].reads) {
      require(position >= static_cast<std::int64_t>(begin), "network", "layer ", i, " reads position ",
              position, ", before ", begin);
      in.push_back(at[static_cast<std::size_t>(position) - begin]);
    }
    for (const std::int64_t position : layers_[i].reads) {
      if (last_use_[static_cast<std::size_t>(position)] == i)
        at[static_cast<std::size_t>(position) - begin] = Variable();
    }
    at[i - begin + 1] = layers_[i].layer.run(in);
  }
  return at[end - begin];
}

}  // namespace cbnet
