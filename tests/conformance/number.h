#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

// A scalar that remembers how it was computed: enough to differentiate a naive loop nest in f64 without a
// line of the engine. One list of operations for the whole process; clear() starts the next computation.

namespace cbnet::testing {

class Number {
 public:
  Number(double value = 0.0) : value_(value) {}  // NOLINT: a constant, as in 2.0 * x

  double value() const { return value_; }

  /// An independent variable.
  static Number variable(double value) { return record(value, kNone, 0.0, kNone, 0.0); }
  static void clear() { operations().clear(); }

  /// d(sum of weights[i] outputs[i]) / d(each of inputs).
  static std::vector<double> gradient(const std::vector<Number>& outputs, const std::vector<double>& weights,
                                      const std::vector<Number>& inputs) {
    // Wider where the machine has it, so that the sums of a thousand terms are no source of error here.
    std::vector<long double> adjoint(operations().size(), 0.0L);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].id_ != kNone) adjoint[outputs[i].id_] += weights[i];
    }
    for (std::size_t id = adjoint.size(); id-- > 0;) {
      const Operation& op = operations()[id];
      if (op.a != kNone) adjoint[op.a] += adjoint[id] * op.by_a;
      if (op.b != kNone) adjoint[op.b] += adjoint[id] * op.by_b;
    }
    std::vector<double> out;
    for (const Number& input : inputs)
      out.push_back(input.id_ == kNone ? 0.0 : static_cast<double>(adjoint[input.id_]));
    return out;
  }

  friend Number operator+(const Number& a, const Number& b) {
    return binary(a.value_ + b.value_, a, 1, b, 1);
  }
  friend Number operator-(const Number& a, const Number& b) {
    return binary(a.value_ - b.value_, a, 1, b, -1);
  }
  friend Number operator*(const Number& a, const Number& b) {
    return binary(a.value_ * b.value_, a, b.value_, b, a.value_);
  }
  friend Number operator/(const Number& a, const Number& b) {
    return binary(a.value_ / b.value_, a, 1 / b.value_, b, -a.value_ / (b.value_ * b.value_));
  }
  friend Number operator-(const Number& a) { return 0.0 - a; }
  friend bool operator<(const Number& a, const Number& b) { return a.value_ < b.value_; }
  friend bool operator>(const Number& a, const Number& b) { return b < a; }

  friend Number exp(const Number& a) { return unary(std::exp(a.value_), a, std::exp(a.value_)); }
  friend Number log(const Number& a) { return unary(std::log(a.value_), a, 1 / a.value_); }
  friend Number log1p(const Number& a) { return unary(std::log1p(a.value_), a, 1 / (1 + a.value_)); }
  friend Number sqrt(const Number& a) { return unary(std::sqrt(a.value_), a, 0.5 / std::sqrt(a.value_)); }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Operation {
    std::uint32_t a, b;
    double by_a, by_b;
  };
  static std::vector<Operation>& operations() {
    static std::vector<Operation> list;
    return list;
  }
  static Number record(double value, std::uint32_t a, double by_a, std::uint32_t b, double by_b) {
    Number out(value);
    out.id_ = static_cast<std::uint32_t>(operations().size());
    operations().push_back({a, b, by_a, by_b});
    return out;
  }
  static Number unary(double value, const Number& a, double by_a) {
    return a.id_ == kNone ? Number(value) : record(value, a.id_, by_a, kNone, 0.0);
  }
  static Number binary(double value, const Number& a, double by_a, const Number& b, double by_b) {
    return a.id_ == kNone && b.id_ == kNone ? Number(value) : record(value, a.id_, by_a, b.id_, by_b);
  }

  double value_;
  std::uint32_t id_ = kNone;
};

}  // namespace cbnet::testing
