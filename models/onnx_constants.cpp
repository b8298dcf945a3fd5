// ONNX ops whose inputs are constants, as exporters write them for the sizes that other nodes take: computed
// while the graph is read.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "autograd/tape.h"
#include "models/kinds/slice.h"
#include "models/onnx_reader.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

/// A result that is larger than what it was made of has at most so many elements.
constexpr std::int64_t kMaxGrown = 1 << 20;
/// Up to here f64 tells integers apart.
constexpr double kMaxExact = 9007199254740992.0;
/// A product of matrices has at most so many multiplications.
constexpr std::int64_t kMaxProducts = std::int64_t{1} << 30;

// These are numbers of TensorProto::DataType.
constexpr std::int64_t kFloat = 1, kInt32 = 6, kInt64 = 7, kBool = 9, kDouble = 11;

std::int64_t axis_of(const NodeReader& node, std::int64_t axis, std::int64_t rank) {
  const std::int64_t at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank) node.fail(concat("an axis of ", rank), concat(axis));
  return at;
}

void require_size(const NodeReader& node, const Shape& shape, std::int64_t read) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    const std::int64_t most = std::max(kMaxGrown, read);
    if (size < 0 || size > most || (size > 0 && count > most / size))
      node.fail(concat("a constant of at most ", kMaxGrown, " elements"), to_string(shape));
    count *= size;
  }
}

/// Returns the elements as numbers to calculate with. How many images there are is not known before they
/// come.
std::vector<double> values_of(const NodeReader& node, const Tensor& tensor) {
  if (tensor.dtype() == DType::i64) {
    for (const std::int64_t value : tensor.to_vector<std::int64_t>()) {
      if (value == OnnxLayers::kBatch) node.fail("numbers that do not depend on the batch", "some that do");
    }
  }
  return tensor.to_vector<double>();
}

Tensor tensor_from(const NodeReader& node, const std::vector<double>& values, const Shape& shape,
                   DType dtype) {
  if (dtype == DType::i64) {
    for (const double value : values) {
      if (!(std::fabs(value) <= kMaxExact)) node.fail("integers of at most 2^53", concat(value));
    }
  }
  return Tensor::from(values, shape).to(dtype);
}

template <class F>
void unary(NodeReader& node, F f) {
  const Tensor& x = node.constant(0);
  std::vector<double> values = values_of(node, x);
  std::transform(values.begin(), values.end(), values.begin(), f);
  node.make_constant(tensor_from(node, values, x.shape(), x.dtype()));
}

template <class F>
void binary(NodeReader& node, F f) {
  const Tensor &a = node.constant(0), &b = node.constant(1);
  if (a.dtype() != b.dtype()) node.fail("constants of one type", concat(describe(a), ", ", describe(b)));
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "constant");
  require_size(node, shape, std::max(a.numel(), b.numel()));
  std::vector<double> x = values_of(node, a.expand(shape));
  const std::vector<double> z = values_of(node, b.expand(shape));
  std::transform(x.begin(), x.end(), z.begin(), x.begin(), f);
  node.make_constant(tensor_from(node, x, shape, a.dtype()));
}

double divided(double x, double z, bool integers) { return integers ? std::trunc(x / z) : x / z; }

void divide(NodeReader& node) {
  const bool integers = node.constant(0).dtype() == DType::i64;
  binary(node, [integers](double x, double z) { return divided(x, z, integers); });
}

/// The sizes of what may be computed: its batch, then those of a sample.
void shape(NodeReader& node) {
  const Shape sizes = node.full_shape(0);
  const auto rank = static_cast<std::int64_t>(sizes.size());
  const auto bound = [&](const char* name, std::int64_t usual) {
    const std::int64_t at = node.integer(name, usual);
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = bound("start", 0), end = std::max(bound("end", rank), start);
  node.make_constant(Tensor::from(Shape(sizes.begin() + start, sizes.begin() + end), {end - start}));
}

void constant(NodeReader& node) {
  Tensor value = node.tensor("value");
  const auto integers = node.integers("value_ints", {});
  const auto numbers = node.numbers("value_floats");
  if (!integers.empty()) value = Tensor::from(integers, {static_cast<std::int64_t>(integers.size())});
  if (!numbers.empty()) value = Tensor::from(numbers, {static_cast<std::int64_t>(numbers.size())});
  if (node.has_attribute("value_int")) value = Tensor::from({node.integer("value_int", 0)}, {});
  if (node.has_attribute("value_float")) value = Tensor::full({}, node.number("value_float", 0.0));
  if (!value.defined()) node.fail("the attribute value", "none");
  node.make_constant(std::move(value));
}

void constant_of_shape(NodeReader& node) {
  const Shape sizes = node.integers(0);
  require_size(node, sizes, 0);
  const Tensor given = node.tensor("value");
  const Tensor value = given.defined() ? given : Tensor::zeros({1});
  if (value.numel() != 1) node.fail("one value", describe(value));
  node.make_constant(value.reshape(Shape(sizes.size(), 1)).expand(sizes).clone());
}

void cast(NodeReader& node) {
  node.ignore("saturate");
  const std::int64_t to = node.integer("to", 0);
  const Tensor& x = node.constant(0);
  const bool floating = to == kFloat || to == kDouble;
  if (!floating && to != kInt32 && to != kInt64 && to != kBool)
    node.fail("a cast to FLOAT, DOUBLE, INT32, INT64 or BOOL", concat("type ", to));
  if (x.dtype() == DType::i64 && !floating && to != kBool) return node.make_constant(x);
  std::vector<double> values = values_of(node, x);
  for (double& value : values) {
    if (to == kBool) value = value != 0.0 ? 1.0 : 0.0;
    if (!floating) value = std::trunc(value);
  }
  node.make_constant(tensor_from(node, values, x.shape(), floating ? DType::f32 : DType::i64));
}

/// Elements `positions` along an axis, which may be negative.
Tensor gathered(const NodeReader& node, const Tensor& x, std::int64_t axis,
                const std::vector<std::int64_t>& positions) {
  Shape shape = x.shape();
  const std::int64_t n = x.size(axis);
  shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(positions.size());
  require_size(node, shape, x.numel());
  Tensor out = Tensor::empty(shape, x.dtype());
  for (std::int64_t i = 0; i < out.size(axis); ++i) {
    const std::int64_t at = axis_of(node, positions[static_cast<std::size_t>(i)], n);
    out.slice(axis, i, i + 1).copy_from(x.slice(axis, at, at + 1));
  }
  return out;
}

void gather(NodeReader& node) {
  const Tensor &x = node.constant(0), &indices = node.constant(1);
  const std::int64_t axis = axis_of(node, node.integer("axis", 0), x.rank());
  if (indices.dtype() != DType::i64) node.fail("indices of integers", describe(indices));
  Shape shape = x.shape();
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, indices.shape().begin(), indices.shape().end());
  node.make_constant(gathered(node, x, axis, indices.to_vector<std::int64_t>()).reshape(shape));
}

void slice(NodeReader& node) {
  Tensor x = node.constant(0);
  for (const kinds::OnnxSlice& given : kinds::read_slices(node)) {
    const std::int64_t axis = axis_of(node, given.axis, x.rank());
    const kinds::Slice slice = given.of(x.size(axis));
    require_size(node, {slice.size}, x.numel());
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < slice.size; ++i) positions.push_back(slice.start + i * slice.step);
    x = gathered(node, x, axis, positions);
  }
  node.make_constant(x);
}

void concatenate(NodeReader& node) {
  const Tensor& first = node.constant(0);
  const std::int64_t axis = axis_of(node, node.integer("axis", 0), first.rank());
  const auto at = static_cast<std::size_t>(axis);
  Shape shape = first.shape();
  std::int64_t read = first.numel();
  for (std::size_t i = 1; i < node.input_count(); ++i) {
    const Tensor& part = node.constant(i);
    Shape fitting = first.shape();
    if (part.rank() == first.rank()) fitting[at] = part.size(axis);
    if (part.shape() != fitting || part.dtype() != first.dtype())
      node.fail("constants that fit", concat(describe(first), ", ", describe(part)));
    shape[at] += fitting[at];
    read = std::max(read, part.numel());
  }
  require_size(node, shape, read);
  const Tensor out = Tensor::empty(shape, first.dtype());
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    const std::int64_t end = begin + node.constant(i).size(axis);
    out.slice(axis, begin, end).copy_from(node.constant(i));
    begin = end;
  }
  node.make_constant(out);
}

void reshape(NodeReader& node) {
  const Tensor& x = node.constant(0);
  Shape target = node.integers(1);
  if (node.integer("allowzero", 0) == 0) {
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (target[i] == 0 && i < x.shape().size()) target[i] = x.shape()[i];
    }
  }
  node.make_constant(x.reshape(target));
}

void transpose(NodeReader& node) {
  const Tensor& x = node.constant(0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(x.rank()));
  std::iota(order.rbegin(), order.rend(), 0);
  order = node.integers("perm", order);
  std::vector<std::int64_t> sorted = order, every(order.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(every.begin(), every.end(), 0);
  if (sorted != every || x.rank() != static_cast<std::int64_t>(order.size()))
    node.fail("every axis once", to_string(order));
  node.make_constant(x.permute(order).contiguous());
}

void flatten(NodeReader& node) {
  const Tensor& x = node.constant(0);
  const std::int64_t axis = node.integer("axis", 1), at = axis < 0 ? axis + x.rank() : axis;
  if (at < 0 || at > x.rank()) node.fail(concat("an axis of ", x.rank()), concat(axis));
  std::int64_t rows = 1;
  for (std::int64_t i = 0; i < at; ++i) rows *= x.size(i);
  node.make_constant(x.reshape({rows, x.numel() / std::max<std::int64_t>(rows, 1)}));
}

/// Repeats a constant. The target shape may begin with the batch: the constant is then the same for every
/// image.
void expand(NodeReader& node) {
  const Tensor& x = node.constant(0);
  Shape target = node.integers(1);
  if (!target.empty() && target[0] == OnnxLayers::kBatch) target[0] = 1;
  const Shape shape = broadcast_shapes(x.shape(), target, "constant");
  require_size(node, shape, x.numel());
  node.make_constant(x.expand(shape).contiguous());
}

/// Compares two constants of integers. The number of images is not known but is at least 1, so it equals no
/// number below 1; a comparison with a larger one is refused.
void equal(NodeReader& node) {
  const Tensor &a = node.constant(0), &b = node.constant(1);
  if (a.dtype() != DType::i64 || b.dtype() != DType::i64)
    node.fail("two constants of integers", concat(describe(a), ", ", describe(b)));
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "constant");
  require_size(node, shape, std::max(a.numel(), b.numel()));
  const auto x = a.expand(shape).to_vector<std::int64_t>(), z = b.expand(shape).to_vector<std::int64_t>();
  std::vector<std::int64_t> same;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool one_is_batch = (x[i] == OnnxLayers::kBatch) != (z[i] == OnnxLayers::kBatch);
    if (one_is_batch && std::max(x[i], z[i]) > 0)
      node.fail("numbers that do not depend on the batch", "some that do");
    same.push_back(x[i] == z[i] ? 1 : 0);
  }
  node.make_constant(Tensor::from(same, shape));
}

/// Makes a constant of elements of the second where the first has ones, else of the third.
void where(NodeReader& node) {
  const Tensor &yes = node.constant(1), &no = node.constant(2);
  const Shape shape = broadcast_shapes(node.constant(0).shape(),
                                       broadcast_shapes(yes.shape(), no.shape(), "constant"), "constant");
  if (yes.dtype() != no.dtype() || node.constant(0).dtype() != DType::i64)
    node.fail("a condition and constants of one type", concat(describe(yes), ", ", describe(no)));
  require_size(node, shape, std::max({node.constant(0).numel(), yes.numel(), no.numel()}));
  const auto chosen = node.constant(0).expand(shape).to_vector<std::int64_t>();
  const auto choose = [&](auto of_type) {
    using T = decltype(of_type);
    std::vector<T> out = no.expand(shape).to_vector<T>();
    const std::vector<T> other = yes.expand(shape).to_vector<T>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = chosen[i] != 0 ? other[i] : out[i];
    node.make_constant(Tensor::from(out, shape));
  };
  if (yes.dtype() == DType::i64)
    choose(std::int64_t{});
  else
    choose(float{});
}

/// Computes alpha A B + beta C of Gemm, or A B of MatMul; A and B may be transposed.
void product(NodeReader& node) {
  const auto matrix = [&](std::size_t i, const char* transposed) {
    const Tensor& given = node.constant(i);
    if (given.rank() != 2 || !is_floating(given.dtype())) node.fail("matrices", describe(given));
    return node.integer(transposed, 0) != 0 ? given.permute({1, 0}) : given;
  };
  const Tensor a = matrix(0, "transA"), b = matrix(1, "transB");
  const std::int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  const Shape shape = {rows, columns};
  require_size(node, shape, std::max(a.numel(), b.numel()));
  if (b.size(0) != inner || inner > kMaxProducts / std::max<std::int64_t>(rows * columns, 1))
    node.fail(concat("matrices that fit, and at most ", kMaxProducts, " products"),
              concat(describe(a), ", ", describe(b)));
  const NoGrad no_grad;
  const auto f64 = [](const Tensor& x) { return Variable(x.contiguous().to(DType::f64)); };
  Variable y = matmul(f64(a), f64(b)) * node.number("alpha", 1.0);
  if (node.has_input(2)) y = y + f64(node.constant(2).expand(shape)) * node.number("beta", 1.0);
  node.make_constant(y.value().to(DType::f32));
}

}  // namespace

void add_constant_ops(OnnxReaders& readers) {
  readers.on_constants("Constant", constant);
  readers.on_constants("Shape", shape);
  readers.on_constants("ConstantOfShape", constant_of_shape);
  readers.on_constants("Cast", cast);
  readers.on_arrays("Cast", [](NodeReader& node) {
    node.must_be("to", kFloat);
    node.ignore("saturate");
    node.pass_on();
  });
  readers.on_constants("Gather", gather);
  readers.on_constants("Slice", slice);
  readers.on_constants("Concat", concatenate);
  readers.on_constants("Reshape", reshape);
  readers.on_constants("Transpose", transpose);
  readers.on_constants("Flatten", flatten);
  readers.on_constants("Expand", expand);
  readers.on_constants("Equal", equal);
  readers.on_constants("Where", where);
  readers.on_constants("Gemm", product);
  readers.on_constants("MatMul", product);
  readers.on_constants("Div", divide);
  const auto two = [&](const char* op, double (*f)(double, double)) {
    readers.on_constants(op, [f](NodeReader& node) { binary(node, f); });
  };
  two("Add", [](double x, double z) { return x + z; });
  two("Sub", [](double x, double z) { return x - z; });
  two("Mul", [](double x, double z) { return x * z; });
  two("Pow", [](double x, double z) { return std::pow(x, z); });
  const auto one = [&](const char* op, double (*f)(double)) {
    readers.on_constants(op, [f](NodeReader& node) { unary(node, f); });
  };
  one("Neg", [](double x) { return -x; });
  one("Abs", [](double x) { return std::fabs(x); });
  one("Sqrt", [](double x) { return std::sqrt(x); });
  one("Exp", [](double x) { return std::exp(x); });
  one("Log", [](double x) { return std::log(x); });
  one("Reciprocal", [](double x) { return 1.0 / x; });
  one("Floor", [](double x) { return std::floor(x); });
  one("Ceil", [](double x) { return std::ceil(x); });
}

}  // namespace cbnet
