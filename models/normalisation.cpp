#include "models/normalisation.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

template <class Of>
Tensor constants(const std::vector<double>& values, const Of& of) {
  std::vector<float> out;
  out.reserve(values.size());
  for (const double value : values) out.push_back(static_cast<float>(of(value)));
  return Tensor::from(out, {static_cast<std::int64_t>(values.size()), 1, 1});
}

}  // namespace

void check(const Normalisation& normalisation, const Shape& image) {
  const std::vector<double>&mean = normalisation.mean, &deviation = normalisation.deviation;
  const bool valid = std::all_of(mean.begin(), mean.end(), [](double v) { return std::isfinite(v); }) &&
                     std::all_of(deviation.begin(), deviation.end(),
                                 [](double v) { return std::isfinite(v) && std::isfinite(1 / v) && v > 0; });
  const auto channels = static_cast<std::int64_t>(mean.size());
  require(valid && mean.size() == deviation.size() &&
              (channels <= 1 || (!image.empty() && channels == image.front())),
          "normalisation", "expected a finite mean and a positive deviation for all channels or for each of ",
          image, "; got ", mean.size(), " and ", deviation.size());
}

Tensor summand(const Normalisation& normalisation) {
  return constants(normalisation.mean, [](double mean) { return -mean; });
}

Tensor factor(const Normalisation& normalisation) {
  return constants(normalisation.deviation, [](double deviation) { return 1.0 / deviation; });
}

Tensor normalised(const Tensor& pixels, const Normalisation& normalisation) {
  if (!normalisation.any()) return pixels;
  require(pixels.rank() == 4 && pixels.dtype() == DType::f32, "normalised",
          "pixels must be f32 (N,C,H,W); got ", describe(pixels));
  check(normalisation, {pixels.size(1), pixels.size(2), pixels.size(3)});
  const NoGrad no_grad;
  const Variable add(summand(normalisation).to(pixels.device())),
      times(factor(normalisation).to(pixels.device()));
  return ((Variable(pixels) + add) * times).value();
}

void insert_normalisation(runtime::Graph& graph, std::int32_t from, const Normalisation& normalisation,
                          const std::string& prefix) {
  if (!normalisation.any()) return;
  const Shape shape = value_shape(graph, from);
  check(normalisation, shape);
  const auto moved = [from](std::int32_t value) { return value > from ? value + 2 : value; };
  for (runtime::Node& node : graph.nodes) {
    // What comes of `from` is read in its place by all that stands behind it.
    for (std::int32_t& input : node.inputs) input = input == from ? from + 2 : moved(input);
  }
  for (runtime::Exit& exit : graph.exits) exit.logits = moved(exit.logits);
  std::vector<runtime::Node> steps(2);
  for (std::int32_t i = 0; i < 2; ++i) {
    runtime::Node& node = steps[static_cast<std::size_t>(i)];
    node.kind = i == 0 ? runtime::Kind::add : runtime::Kind::mul;
    node.name = prefix + (i == 0 ? "mean" : "deviation");
    node.inputs = {from + i};
    node.shape = shape;
    node.weight = i == 0 ? summand(normalisation) : factor(normalisation);
  }
  graph.nodes.insert(graph.nodes.begin() + from, steps.begin(), steps.end());
}

}  // namespace cbnet
