#include "tests/conformance/draw.h"

#include <algorithm>
#include <limits>
#include <span>

#include "tensor/error.h"

namespace cbnet::testing {

std::vector<std::int64_t> OpConfig::integers(const std::string& name) const {
  std::vector<std::int64_t> out;
  for (const double number : numbers(name)) out.push_back(static_cast<std::int64_t>(number));
  return out;
}

std::string OpConfig::text() const {
  std::string out;
  for (const Tensor& input : inputs) out += to_string(input.shape()) + " ";
  for (const auto& [name, values] : args) {
    out += name;
    for (const double value : values) out += cbnet::concat(" ", value);
    out += " ";
  }
  return out;
}

Draw::Draw(std::uint64_t seed) : rng_(seed) {
  if (coin(0.2)) {
    scale_ = coin() ? 1e12 : 1e-12;
    special_ = true;
  }
}

Draw::Draw(std::uint64_t seed, int turn, std::int64_t given) : rng_(seed), turn_(turn), given_(given) {}

std::int64_t Draw::size(std::int64_t low, std::int64_t high) {
  // In a sweep the others stay small: the reference backend takes every element one by one.
  const bool sweep = turn_ >= 0;
  const std::int64_t least = sweep ? std::max<std::int64_t>(low, 1) : low;
  const std::int64_t drawn = pick(least, sweep ? std::min(high, least + 2) : high);
  return sizes_++ == turn_ ? std::max(low, given_) : drawn;
}

std::int64_t Draw::pick(std::int64_t low, std::int64_t high) { return low + rng_.below(high - low + 1); }
bool Draw::coin(double probability) { return rng_.uniform() < probability; }
double Draw::uniform(double low, double high) { return low + (high - low) * rng_.uniform(); }

Tensor Draw::normal(const Shape& shape) { return Tensor::normal(shape, 0.0, scale_, rng_, DType::f64); }

Tensor Draw::any(const Shape& shape) {
  Tensor out = Tensor::normal(shape, 0.0, 1.0, rng_, DType::f64);
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
  constexpr double kSpecial[] = {0.0, -0.0, kInfinite, -kInfinite, kNotANumber, 1e30, -1e30, 1e-30};
  for (std::int64_t i = 0; special_ && i < out.numel(); ++i) {
    if (coin(0.3)) out.data<double>()[i] = kSpecial[pick(0, 7)];
  }
  return out;
}

Tensor Draw::between(const Shape& shape, double low, double high) {
  return Tensor::uniform(shape, low, high, rng_, DType::f64);
}

Tensor Draw::distinct(const Shape& shape) {
  Tensor out = Tensor::empty(shape, DType::f64);
  const std::span<double> values(out.data<double>(), static_cast<std::size_t>(out.numel()));
  // Odd multiples of a step around 0, so that f32 tells them apart as well.
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] =
        (2.0 * static_cast<double>(i) + 1.0 - static_cast<double>(values.size())) / 256.0 + 1.0 / 512.0;
  }
  rng_.shuffle(values);
  return out;
}

Shape Draw::shape(std::int64_t least_rank, std::int64_t most_rank, std::int64_t low) {
  Shape out(static_cast<std::size_t>(pick(least_rank, most_rank)));
  for (std::int64_t& one : out) one = size(coin(0.1) ? low : 1, 5);
  return out;
}

OpConfig Draw::config(std::vector<Tensor> inputs, std::map<std::string, std::vector<double>> args) {
  std::vector<bool> needs_grad;
  for (std::size_t i = 0; i < inputs.size(); ++i) needs_grad.push_back(coin(0.7));
  needs_grad[static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(inputs.size()) - 1))] = true;
  return {std::move(inputs), std::move(needs_grad), std::move(args)};
}

}  // namespace cbnet::testing
