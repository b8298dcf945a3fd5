#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace cbnet::testing {

/// One call of an op, in a form that other implementations and files can read.
struct OpConfig {
  std::vector<Tensor> inputs;    // f64
  std::vector<bool> needs_grad;  // one per input
  /// Everything else: options, labels, seeds, running statistics.
  std::map<std::string, std::vector<double>> args = {};

  const std::vector<double>& numbers(const std::string& name) const { return args.at(name); }
  std::vector<std::int64_t> integers(const std::string& name) const;
  std::int64_t integer(const std::string& name) const { return integers(name).at(0); }
  double number(const std::string& name) const { return numbers(name).at(0); }
  /// "(2,3) (3) stride 1 2".
  std::string text() const;
};

/// Draws sizes and values. In a sweep, one of the sizes asked for is not drawn but given, so that every
/// dimension takes every size of interest in turn.
class Draw {
 public:
  explicit Draw(std::uint64_t seed);
  /// The `turn`-th call of size() returns `given`.
  Draw(std::uint64_t seed, int turn, std::int64_t given);

  /// A size of a tensor, drawn from [low, high]; a given one is at least max(low, 1).
  std::int64_t size(std::int64_t low, std::int64_t high);
  /// How often size() was called.
  int sizes() const { return sizes_; }
  /// An integer in [low, high].
  std::int64_t pick(std::int64_t low, std::int64_t high);
  bool coin(double probability = 0.5);
  /// This configuration may hold values at the ends of what the op takes.
  bool special() const { return special_; }
  double uniform(double low, double high);
  std::uint64_t seed() { return rng_.next(); }

  /// Normal values; of magnitude 1e-12 or 1e12 in one configuration of five.
  Tensor normal(const Shape& shape);
  /// Like normal(); in one configuration of five some are 0, infinite, NaN or of magnitude 1e-30 or 1e30.
  Tensor any(const Shape& shape);
  /// Uniform in [low, high).
  Tensor between(const Shape& shape, double low, double high);
  /// No two equal, none within 1e-3 of 0.
  Tensor distinct(const Shape& shape);
  /// 0 to `rank` sizes from [low, 5].
  Shape shape(std::int64_t least_rank, std::int64_t most_rank, std::int64_t low = 0);

  /// An OpConfig in which a random choice of the inputs, at least one, asks for a gradient.
  OpConfig config(std::vector<Tensor> inputs, std::map<std::string, std::vector<double>> args = {});

 private:
  Rng rng_;
  int turn_ = -1;
  std::int64_t given_ = 0;
  int sizes_ = 0;
  double scale_ = 1.0;
  bool special_ = false;
};

}  // namespace cbnet::testing
