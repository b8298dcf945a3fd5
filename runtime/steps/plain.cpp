// These are layers that the paper's models do not spend their time in, one loop each: dense f32 in and out.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "runtime/steps/plain.h"
#include "tensor/cpu/functions.h"
#include "tensor/cpu/kernels/im2col.h"
#include "tensor/cpu/kernels/isa_table.h"

namespace cbnet::runtime {
namespace {

template <class F>
Body pointwise(std::int64_t size, F f) {
  return [size, f](const float* const* x, float* y, float*) {
    for (std::int64_t i = 0; i < size; ++i) y[i] = f(x[0][i]);
  };
}

/// Computes the formulas of the table, which name x and a.
Body table_function(Pointwise function, const Making& m) {
  const std::int64_t size = m.size;
  const auto a = static_cast<float>(m.node.value);
  using T = float;
  switch (function) {
#define UNARY(name, Type, formula, VALUE, ...) \
  case Pointwise::name:                        \
    return pointwise(size, [a](T x) -> T { return static_cast<void>(a), VALUE; });
#define UNARY_PARAMETER UNARY
#define BINARY(name, ...) \
  case Pointwise::name:   \
    break;
#include "tensor/pointwise.def"
  }
  throw std::invalid_argument("[plan] a function of two numbers");
}

template <Pointwise kFunction>
Body by_table(const Making& m) {
  return table_function(kFunction, m);
}
Body by_function(const Making& m) { return table_function(m.node.function, m); }

Body rescaled(const Making& m) {
  return pointwise(m.size,
                   [value = static_cast<float>(m.node.value)](float x) { return std::min(value * x, 1.0F); });
}

/// This goes line by line: of several at once, the backend would make threads of its own.
Body softmax(const Making& m) {
  const SoftmaxKind kind = m.node.kind == Kind::softmax ? SoftmaxKind::softmax : SoftmaxKind::log_softmax;
  return [kind, n = m.node.shape.back(), size = m.size](const float* const* x, float* y, float*) {
    for (std::int64_t i = 0; i < size; i += n)
      cpu::softmax({.dtype = DType::f32, .kind = kind, .outer = 1, .channels = n, .x = x[0] + i, .y = y + i});
  };
}

/// Returns the strides, per axis of `shape`, of a value of shape `stretched` that is repeated along its
/// missing axes and those of size 1.
std::vector<std::int64_t> stretch(const Shape& stretched, const Shape& shape) {
  const std::vector<std::int64_t> own = contiguous_strides(stretched);
  std::vector<std::int64_t> out(shape.size(), 0);
  for (std::size_t i = 0; i < stretched.size(); ++i) {
    const std::size_t axis = shape.size() - stretched.size() + i;
    if (stretched[i] != 1) out[axis] = own[i];
  }
  return out;
}

/// Calls fn(position in `shape`, position in the input) for every element, the input walked with `strides`.
template <class Fn>
void walk(const Shape& shape, const std::vector<std::int64_t>& strides, Fn fn) {
  const std::int64_t count = numel(shape);
  for (std::int64_t at = 0; at < count; ++at) {
    std::int64_t rest = at, from = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += rest % shape[axis] * strides[axis];
      rest /= shape[axis];
    }
    fn(at, from);
  }
}

/// Computes a function of two values, or of one and the node's constant; either may be stretched.
template <class F>
Body join(const Making& m, F f) {
  const auto& [isa, graph, node, input, size, scratch] = m;
  const bool pair = node.inputs.size() == 2;
  const Shape& left = value_shape(graph, node.inputs[0]);
  const Shape& right = pair ? value_shape(graph, node.inputs[1]) : node.weight.shape();
  const auto other = [pair, constant = node.weight](const float* const* x) {
    return pair ? x[1] : constant.data<float>();
  };
  if (left == node.shape && right == node.shape) {
    return [=, size = size](const float* const* x, float* y, float*) {
      const float* b = other(x);
      for (std::int64_t i = 0; i < size; ++i) y[i] = f(x[0][i], b[i]);
    };
  }
  return [=, shape = node.shape, a_strides = stretch(left, node.shape),
          b_strides = stretch(right, node.shape)](const float* const* x, float* y, float*) {
    const float* b = other(x);
    walk(shape, a_strides, [&](std::int64_t to, std::int64_t from) { y[to] = x[0][from]; });
    walk(shape, b_strides, [&](std::int64_t to, std::int64_t from) { y[to] = f(y[to], b[from]); });
  };
}

Body sum(const Making& m) {
  return join(m, [](float a, float b) { return a + b; });
}
Body product(const Making& m) {
  return join(m, [](float a, float b) { return a * b; });
}

Body affine(const Making& m) {
  const Node& node = m.node;
  const std::int64_t channels = node.shape.front();
  const std::int64_t inner = numel(node.shape) / channels;
  return [=, scale = node.weight, shift = node.bias](const float* const* x, float* y, float*) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float a = scale.data<float>()[c], b = shift.data<float>()[c];
      for (std::int64_t i = c * inner; i < (c + 1) * inner; ++i) y[i] = a * x[0][i] + b;
    }
  };
}

/// This goes plane by plane: of several at once, the backend would make threads of its own.
Body pool(const Making& m) {
  const auto& [isa, graph, node, input, size, scratch] = m;
  const auto& [kernel, stride, padding, dilation, ceil_mode] = node.window;
  const Pool2dDims dims = {1,        input[1], input[2],    node.shape[1], node.shape[2], kernel.h,  kernel.w,
                           stride.h, stride.w, padding.top, padding.left,  dilation.h,    dilation.w};
  const Pool2dCall call{.dtype = DType::f32,
                        .dims = dims,
                        .average = node.kind == Kind::avg_pool2d,
                        .count_include_pad = node.count_include_pad};
  return [call, planes = input[0]](const float* const* x, float* y, float*) {
    Pool2dCall plane = call;
    for (std::int64_t c = 0; c < planes; ++c) {
      plane.x = x[0] + c * call.dims.h * call.dims.w;
      plane.y = y + c * call.dims.oh * call.dims.ow;
      cpu::pool2d(plane);
    }
  };
}

/// Computes c (m,n) += a (m,k) b (k,n), in the calling thread and without an allocation.
class Product {
 public:
  Product(Isa isa, std::int64_t m, std::int64_t n, std::int64_t k)
      : kernel_(kernels::isa_table<float>(isa).gemm), m_(m), n_(n), k_(k) {}

  void add(const float* a, const float* b, float* c, float* scratch) const {
    kernel_({false, false, m_, n_, k_, 1.0F, a, k_, b, n_, 1.0F, c, n_}, scratch);
  }

 private:
  void (*kernel_)(const kernels::GemmArgs<float>& args, float* workspace);
  std::int64_t m_, n_, k_;
};

Body convolution(const Making& m) {
  const auto& [isa, graph, node, input, size, scratch_size] = m;
  const auto& [kernel, stride, padding, dilation, ceil_mode] = node.window;
  const Conv2dSizes sizes = {
      1,
      input[0],
      input[1],
      input[2],
      node.shape[0],
      kernel.h,
      kernel.w,
      node.shape[1],
      node.shape[2],
      {stride.h, stride.w, padding.top, padding.left, dilation.h, dilation.w, node.groups}};
  const std::int64_t outputs = sizes.o / node.groups, pixels = sizes.oh * sizes.ow;
  const std::int64_t channels = sizes.c / node.groups, taps = channels * sizes.kh * sizes.kw;
  const Product product(isa, outputs, pixels, taps);
  const std::int64_t columns = (taps * pixels + 15) / 16 * 16;  // whole cache lines
  scratch_size = columns + kernels::kGemmWorkspace;
  return [=, groups = node.groups, w = node.weight, b = node.bias](const float* const* x, float* y,
                                                                   float* scratch) {
    for (std::int64_t g = 0; g < groups; ++g) {
      float* to = y + g * outputs * pixels;
      for (std::int64_t o = 0; o < outputs; ++o)
        std::fill_n(to + o * pixels, pixels, b.defined() ? b.data<float>()[g * outputs + o] : 0.0F);
      kernels::im2col(x[0] + g * channels * sizes.h * sizes.w, sizes, scratch);
      product.add(w.data<float>() + g * outputs * taps, scratch, to, scratch + columns);
    }
  };
}

Body matrix_product(const Making& making) {
  const Shape &a = making.input, &b = value_shape(making.graph, making.node.inputs[1]);
  const std::int64_t m = a[a.size() - 2], k = a.back(), n = b.back(), count = numel(a) / (m * k);
  const Product product(making.isa, m, n, k);
  making.scratch_size = kernels::kGemmWorkspace;
  return [=](const float* const* x, float* y, float* scratch) {
    std::fill_n(y, count * m * n, 0.0F);
    for (std::int64_t i = 0; i < count; ++i)
      product.add(x[0] + i * m * k, x[1] + i * k * n, y + i * m * n, scratch);
  };
}

Body concatenation(const Making& m) {
  const Node& node = m.node;
  const auto axis = static_cast<std::size_t>(node.axis);
  const Shape& shape = node.shape;
  const std::int64_t outer = numel(Shape(shape.begin(), shape.begin() + node.axis));
  const std::int64_t inner = numel(Shape(shape.begin() + node.axis + 1, shape.end()));
  std::vector<std::int64_t> sizes;
  for (const std::int32_t v : node.inputs) sizes.push_back(value_shape(m.graph, v)[axis] * inner);
  return [=](const float* const* x, float* y, float*) {
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::size_t k = 0; k < sizes.size(); ++k) y = std::copy_n(x[k] + o * sizes[k], sizes[k], y);
    }
  };
}

Body transposed(const Making& m) {
  const std::vector<std::int64_t> own = contiguous_strides(m.input);
  std::vector<std::int64_t> strides;
  for (const std::int64_t axis : m.node.axes) strides.push_back(own[static_cast<std::size_t>(axis)]);
  return [shape = m.node.shape, strides](const float* const* x, float* y, float*) {
    walk(shape, strides, [&](std::int64_t to, std::int64_t from) { y[to] = x[0][from]; });
  };
}

/// These are the positions i of 0, …, size - 1 for which start + step i lies within 0, …, n - 1: from `first`
/// to before `last`.
struct Inside {
  Inside(std::int64_t start, std::int64_t step, std::int64_t size, std::int64_t n) {
    while (first < size && !(start + step * first >= 0 && start + step * first < n)) ++first;
    last = first;
    while (last < size && start + step * last >= 0 && start + step * last < n) ++last;
  }
  std::int64_t first = 0, last = 0;
};

Body sliced(const Making& m) {
  const Node& node = m.node;
  const Shape& input = m.input;
  const std::vector<std::int64_t> x_strides = contiguous_strides(input),
                                  y_strides = contiguous_strides(node.shape);
  // This is the part of y that lies inside x: its sizes, its first element in both, and the steps to the next
  // in x.
  Shape box;
  std::vector<std::int64_t> x_steps;
  std::int64_t x_first = 0, y_first = 0;
  for (std::size_t axis = 0; axis < input.size(); ++axis) {
    const std::int64_t start = node.starts[axis], step = node.steps[axis];
    const Inside inside(start, step, node.shape[axis], input[axis]);
    box.push_back(inside.last - inside.first);
    x_steps.push_back(step * x_strides[axis]);
    x_first += (start + step * inside.first) * x_strides[axis];
    y_first += inside.first * y_strides[axis];
  }
  const Shape outer(box.begin(), box.end() - 1);
  return [=, shape = node.shape, value = static_cast<float>(node.value)](const float* const* x, float* y,
                                                                         float*) {
    if (box != shape) std::fill_n(y, numel(shape), value);
    if (numel(box) == 0) return;
    for (std::int64_t row = 0; row < numel(outer); ++row) {
      std::int64_t rest = row, from = x_first, to = y_first;
      for (std::size_t axis = outer.size(); axis-- > 0; rest /= outer[axis]) {
        from += rest % outer[axis] * x_steps[axis];
        to += rest % outer[axis] * y_strides[axis];
      }
      if (x_steps.back() == 1)
        std::copy_n(x[0] + from, box.back(), y + to);
      else
        for (std::int64_t i = 0; i < box.back(); ++i) y[to + i] = x[0][from + i * x_steps.back()];
    }
  };
}

Body no_step(const Making& m) {
  throw std::invalid_argument(concat("[plan] ", m.node.name, ": no plain step for ", to_string(m.node.kind)));
}

constexpr Body (*kMakers[])(const Making&) = {
#define KIND(name, min, max, fields, shape, macs, step) step,
#include "runtime/kinds.def"
};

}  // namespace

Body plain_body(const Making& making) { return kMakers[static_cast<std::size_t>(making.node.kind)](making); }

StepPtr make_plain_step(Isa isa, const Graph& graph, const Node& node, const std::vector<int>& from, int to) {
  std::int64_t scratch_size = 0;
  Body body = plain_body(
      {isa, graph, node, value_shape(graph, node.inputs.front()), numel(node.shape), scratch_size});
  return std::make_unique<PlainStep>(from, to, std::move(body), 4 * scratch_size);
}

}  // namespace cbnet::runtime
