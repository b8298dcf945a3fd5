#include "tests/conformance/naive.h"

#include <cmath>
#include <functional>

#include "tensor/rng.h"
#include "tests/conformance/grid.h"

namespace cbnet::testing {
namespace {

using std::int64_t;

Grid scalar(const Number& value) {
  Grid y(Shape{});
  y.elements[0] = value;
  return y;
}

Number absolute(const Number& x) { return x < 0 ? -x : x; }
Number sigmoid(const Number& x) { return 1.0 / (1.0 + exp(-x)); }

std::size_t axis_of(const OpConfig& c, const Grid& x) {
  const int64_t axis = c.integer("axis");
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<int64_t>(x.shape.size()) : axis);
}

Grid linear(const Grids& in) {
  const int64_t n = in[0].shape[0], features = in[0].shape[1], out = in[1].shape[0];
  Grid y({n, out});
  for_each(y.shape, [&](const Index& i) {
    Number sum = in.size() == 3 ? in[2].at({i[1]}) : Number();
    for (int64_t k = 0; k < features; ++k) sum = sum + in[0].at({i[0], k}) * in[1].at({i[1], k});
    y.at(i) = sum;
  });
  return y;
}

int64_t windows(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                bool ceil_mode) {
  // Counted, not computed.
  const int64_t reach = dilation * (kernel - 1);
  int64_t count = 0, start = -padding;
  for (; start + reach < size + padding; start += stride) ++count;
  const bool left_over = count > 0 && start - stride + reach < size + padding - 1;
  return count + (ceil_mode && left_over && start < size ? 1 : 0);
}

Grid conv2d(const OpConfig& c, const Grids& in) {
  const auto stride = c.integers("stride"), padding = c.integers("padding"),
             dilation = c.integers("dilation");
  const Shape& x = in[0].shape;
  const Shape& w = in[1].shape;
  const int64_t groups = c.integer("groups");
  Grid y({x[0], w[0], windows(x[2], w[2], stride[0], padding[0], dilation[0], false),
          windows(x[3], w[3], stride[1], padding[1], dilation[1], false)});
  for_each(y.shape, [&](const Index& i) {
    Number sum = in.size() == 3 ? in[2].at({i[1]}) : Number();
    const int64_t first_channel = i[1] / (w[0] / groups) * w[1];
    for_each({w[1], w[2], w[3]}, [&](const Index& k) {
      const int64_t row = i[2] * stride[0] - padding[0] + k[1] * dilation[0];
      const int64_t col = i[3] * stride[1] - padding[1] + k[2] * dilation[1];
      if (row < 0 || row >= x[2] || col < 0 || col >= x[3]) return;
      sum = sum + in[0].at({i[0], first_channel + k[0], row, col}) * in[1].at({i[1], k[0], k[1], k[2]});
    });
    y.at(i) = sum;
  });
  return y;
}

Grid pool(const OpConfig& c, const Grid& x, bool average) {
  const auto kernel = c.integers("kernel"), stride = c.integers("stride");
  const auto padding = c.integers("padding"), dilation = c.integers("dilation");
  const bool ceil_mode = c.integer("ceil_mode") != 0;
  const int64_t h = x.shape[2], w = x.shape[3];
  Grid y({x.shape[0], x.shape[1], windows(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode),
          windows(w, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)});
  for_each(y.shape, [&](const Index& i) {
    Number sum, largest = -1e300;
    double inside = 0, padded = 0;
    for_each({kernel[0], kernel[1]}, [&](const Index& k) {
      const int64_t row = i[2] * stride[0] - padding[0] + k[0] * dilation[0];
      const int64_t col = i[3] * stride[1] - padding[1] + k[1] * dilation[1];
      padded += row < h + padding[0] && col < w + padding[1] ? 1 : 0;
      if (row < 0 || row >= h || col < 0 || col >= w) return;
      inside += 1;
      const Number& element = x.at({i[0], i[1], row, col});
      sum = sum + element;
      if (element > largest) largest = element;
    });
    if (!average) {
      y.at(i) = inside > 0 ? largest : Number(-HUGE_VAL);
    } else {
      y.at(i) = sum / (c.integer("count_include_pad") != 0 ? padded : inside);
    }
  });
  return y;
}

Grid log_softmax(const Grid& x, std::size_t axis) {
  Grid y(x.shape);
  along(x, axis, [&](const std::vector<Index>& line) {
    // The largest element's own 1 stays out of the sum, or a small rest would drown in it.
    std::size_t top = 0;
    for (std::size_t i = 0; i < line.size(); ++i) top = x.at(line[i]) > x.at(line[top]) ? i : top;
    Number rest;
    for (std::size_t i = 0; i < line.size(); ++i)
      rest = i == top ? rest : rest + exp(x.at(line[i]) - x.at(line[top]));
    for (const Index& i : line) y.at(i) = x.at(i) - x.at(line[top]) - log1p(rest);
  });
  return y;
}

Grid softmax(const Grid& x, std::size_t axis) {
  return map(log_softmax(x, axis), [](const Number& l) { return exp(l); });
}

Grid cross_entropy(const OpConfig& c, const Grid& logits) {
  const Grid l = log_softmax(logits, 1);
  const auto labels = c.integers("labels");
  const double smoothing = c.number("smoothing"), n = static_cast<double>(l.shape[0]);
  Number loss;
  for_each(l.shape, [&](const Index& i) {
    const double q = (labels[static_cast<std::size_t>(i[0])] == i[1] ? 1 - smoothing : 0.0) +
                     smoothing / static_cast<double>(l.shape[1]);
    loss = loss - q * l.at(i) / n;
  });
  return scalar(loss);
}

Grid softmax_entropy(const Grid& logits) {
  const Grid l = log_softmax(logits, 1);
  Grid y({l.shape[0]});
  for_each(l.shape, [&](const Index& i) { y.at({i[0]}) = y.at({i[0]}) - exp(l.at(i)) * l.at(i); });
  return y;
}

Grid mse_loss(const Grids& in) {
  Number sum;
  for (std::size_t i = 0; i < in[0].elements.size(); ++i) {
    const Number difference = in[0].elements[i] - in[1].elements[i];
    sum = sum + difference * difference;
  }
  return scalar(sum / static_cast<double>(in[0].elements.size()));
}

Grid bce_loss(const Grids& in) {
  Number sum;
  for (std::size_t i = 0; i < in[0].elements.size(); ++i) {
    const Number& p = in[0].elements[i];
    const Number& t = in[1].elements[i];
    sum = sum - (t * log(p) + (1.0 - t) * log(1.0 - p));
  }
  return scalar(sum / static_cast<double>(in[0].elements.size()));
}

Grid bce_with_logits(const Grids& in) {
  Number sum;
  for (std::size_t i = 0; i < in[0].elements.size(); ++i) {
    const Number& x = in[0].elements[i];
    // ln(1 - p) = ln p - x.
    const Number log_p = x < 0 ? x - log1p(exp(x)) : 0.0 - log1p(exp(-x));
    sum = sum - (log_p - (1.0 - in[1].elements[i]) * x);
  }
  return scalar(sum / static_cast<double>(in[0].elements.size()));
}

Grid l1_penalty(const OpConfig& c, const Grid& x) {
  Number sum;
  for (const Number& element : x.elements) sum = sum + absolute(element);
  return scalar(c.number("coefficient") * sum / static_cast<double>(x.shape[0]));
}

Grids batch_norm(const OpConfig& c, const Grids& in) {
  const Shape& shape = in[0].shape;
  const double momentum = c.number("momentum");
  const bool training = c.integer("training") != 0;
  Grid y(shape), running_mean({shape[1]}), running_var({shape[1]});
  for (int64_t channel = 0; channel < shape[1]; ++channel) {
    const auto at = static_cast<std::size_t>(channel);
    Number mean = c.numbers("mean")[at], var = c.numbers("var")[at];
    running_mean.elements[at] = mean;
    running_var.elements[at] = var;
    if (training) {
      Number sum, squares;
      double m = 0;
      const auto each = [&](auto visit) {
        for_each(shape, [&](const Index& i) {
          if (i[1] == channel) visit(in[0].at(i));
        });
      };
      each([&](const Number& x) { sum = sum + x, m += 1; });
      mean = sum / m;
      each([&](const Number& x) { squares = squares + (x - mean) * (x - mean); });
      var = squares / m;
      running_mean.elements[at] = (1 - momentum) * running_mean.elements[at] + momentum * mean;
      running_var.elements[at] = (1 - momentum) * running_var.elements[at] + momentum * squares / (m - 1);
    }
    for_each(shape, [&](const Index& i) {
      if (i[1] != channel) return;
      y.at(i) =
          in[1].at({channel}) * (in[0].at(i) - mean) / sqrt(var + c.number("eps")) + in[2].at({channel});
    });
  }
  return {y, running_mean, running_var};
}

Grid dropout(const OpConfig& c, const Grid& x) {
  const double p = c.number("p");
  if (c.integer("training") == 0 || p == 0.0) return x;
  Rng rng(static_cast<std::uint64_t>(c.integer("seed")));
  return map(x, [&](const Number& element) { return element * (rng.uniform() < p ? 0.0 : 1.0 / (1.0 - p)); });
}

Grid matmul(const Grids& in) {
  const Shape& a = in[0].shape;
  const Shape& b = in[1].shape;
  Shape out = a;
  out.back() = b.back();
  Grid c(out);
  for_each(out, [&](const Index& i) {
    Index left = i, right(i.end() - static_cast<int64_t>(b.size()), i.end());
    Number sum;
    for (int64_t k = 0; k < a.back(); ++k) {
      left.back() = k;
      right[right.size() - 2] = k;
      sum = sum + in[0].at(left) * in[1].at(right);
    }
    c.at(i) = sum;
  });
  return c;
}

Grid reshape(const OpConfig& c, const Grid& x) {
  Shape shape = c.integers("shape");
  int64_t known = 1;
  for (const int64_t size : shape) known *= size < 0 ? 1 : size;
  for (int64_t& size : shape) size = size < 0 ? Grid::count(x.shape) / known : size;
  Grid y(shape);
  y.elements = x.elements;
  return y;
}

Grid transpose(const OpConfig& c, const Grid& x) {
  const auto order = c.integers("permutation");
  Shape shape;
  for (const int64_t axis : order) shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
  Grid y(shape);
  for_each(shape, [&](const Index& i) {
    Index from(i.size());
    for (std::size_t axis = 0; axis < i.size(); ++axis) from[static_cast<std::size_t>(order[axis])] = i[axis];
    y.at(i) = x.at(from);
  });
  return y;
}

Grid concat(const OpConfig& c, const Grids& in) {
  const std::size_t axis = axis_of(c, in[0]);
  Shape shape = in[0].shape;
  shape[axis] = 0;
  for (const Grid& x : in) shape[axis] += x.shape[axis];
  Grid y(shape);
  int64_t before = 0;
  for (const Grid& x : in) {
    for_each(x.shape, [&](const Index& i) {
      Index to = i;
      to[axis] += before;
      y.at(to) = x.at(i);
    });
    before += x.shape[axis];
  }
  return y;
}

Grid index_select(const OpConfig& c, const Grid& x) {
  const std::size_t axis = axis_of(c, x);
  const auto chosen = c.integers("index");
  Shape shape = x.shape;
  shape[axis] = static_cast<int64_t>(chosen.size());
  Grid y(shape);
  for_each(shape, [&](const Index& i) {
    Index from = i;
    from[axis] = chosen[static_cast<std::size_t>(i[axis])];
    y.at(i) = x.at(from);
  });
  return y;
}

Grid sum(const OpConfig& c, const Grid& x) {
  return reduce(x, c.integers("axes"), c.integer("keepdim") != 0, 0.0,
                [](const Number& a, const Number& b) { return a + b; });
}

Grid mean(const OpConfig& c, const Grid& x) {
  const Grid total = sum(c, x);
  const double share = static_cast<double>(x.elements.size()) / static_cast<double>(total.elements.size());
  return map(total, [&](const Number& s) { return s / share; });
}

Grid max(const OpConfig& c, const Grid& x) {
  return reduce(x, {c.integer("axis")}, c.integer("keepdim") != 0, -1e300,
                [](const Number& a, const Number& b) { return b > a ? b : a; });
}

const std::map<std::string, std::function<Grids(const OpConfig&, const Grids&)>>& naive_ops() {
  using C = const OpConfig&;
  using G = const Grids&;
  using N = const Number&;
  static const std::map<std::string, std::function<Grids(C, G)>> ops = {
      {"linear", [](C, G in) { return Grids{linear(in)}; }},
      {"conv2d", [](C c, G in) { return Grids{conv2d(c, in)}; }},
      {"max_pool2d", [](C c, G in) { return Grids{pool(c, in[0], false)}; }},
      {"avg_pool2d", [](C c, G in) { return Grids{pool(c, in[0], true)}; }},
      {"softmax", [](C c, G in) { return Grids{softmax(in[0], axis_of(c, in[0]))}; }},
      {"log_softmax", [](C c, G in) { return Grids{log_softmax(in[0], axis_of(c, in[0]))}; }},
      {"cross_entropy", [](C c, G in) { return Grids{cross_entropy(c, in[0])}; }},
      {"softmax_entropy", [](C, G in) { return Grids{softmax_entropy(in[0])}; }},
      {"mse_loss", [](C, G in) { return Grids{mse_loss(in)}; }},
      {"bce_loss", [](C, G in) { return Grids{bce_loss(in)}; }},
      {"bce_with_logits", [](C, G in) { return Grids{bce_with_logits(in)}; }},
      {"l1_penalty", [](C c, G in) { return Grids{l1_penalty(c, in[0])}; }},
      {"batch_norm", [](C c, G in) { return batch_norm(c, in); }},
      {"dropout", [](C c, G in) { return Grids{dropout(c, in[0])}; }},
      {"matmul", [](C, G in) { return Grids{matmul(in)}; }},
      {"reshape", [](C c, G in) { return Grids{reshape(c, in[0])}; }},
      {"transpose", [](C c, G in) { return Grids{transpose(c, in[0])}; }},
      {"concat", [](C c, G in) { return Grids{concat(c, in)}; }},
      {"index_select", [](C c, G in) { return Grids{index_select(c, in[0])}; }},
      {"sum", [](C c, G in) { return Grids{sum(c, in[0])}; }},
      {"mean", [](C c, G in) { return Grids{mean(c, in[0])}; }},
      {"max", [](C c, G in) { return Grids{max(c, in[0])}; }},
      {"relu", [](C, G in) { return Grids{map(in[0], [](N x) { return x > 0 ? x : 0.0; })}; }},
      {"sigmoid", [](C, G in) { return Grids{map(in[0], sigmoid)}; }},
      {"tanh", [](C, G in) { return Grids{map(in[0], [](N x) { return 2.0 * sigmoid(2.0 * x) - 1.0; })}; }},
      {"exp", [](C, G in) { return Grids{map(in[0], [](N x) { return exp(x); })}; }},
      {"log", [](C, G in) { return Grids{map(in[0], [](N x) { return log(x); })}; }},
      {"sqrt", [](C, G in) { return Grids{map(in[0], [](N x) { return sqrt(x); })}; }},
      {"square", [](C, G in) { return Grids{map(in[0], [](N x) { return x * x; })}; }},
      {"abs", [](C, G in) { return Grids{map(in[0], absolute)}; }},
      {"neg", [](C, G in) { return Grids{map(in[0], [](N x) { return -x; })}; }},
      {"leaky_relu",
       [](C c, G in) { return Grids{map(in[0], [a = c.number("a")](N x) { return x > 0 ? x : a * x; })}; }},
      {"scale", [](C c, G in) { return Grids{map(in[0], [a = c.number("a")](N x) { return a * x; })}; }},
      {"shift", [](C c, G in) { return Grids{map(in[0], [a = c.number("a")](N x) { return a + x; })}; }},
      {"add", [](C, G in) { return Grids{broadcast(in, [](N x, N z) { return x + z; })}; }},
      {"sub", [](C, G in) { return Grids{broadcast(in, [](N x, N z) { return x - z; })}; }},
      {"mul", [](C, G in) { return Grids{broadcast(in, [](N x, N z) { return x * z; })}; }},
      {"div", [](C, G in) { return Grids{broadcast(in, [](N x, N z) { return x / z; })}; }},
  };
  return ops;
}

Tensor to_tensor(const Grid& grid) {
  std::vector<double> values;
  for (const Number& element : grid.elements) values.push_back(element.value());
  return Tensor::from(values, grid.shape);
}

}  // namespace

Results run_naive(const std::string& name, const OpConfig& config, const std::vector<Tensor>& inputs) {
  Number::clear();
  Grids grids;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Grid grid(inputs[i].shape());
    const std::vector<double> values = inputs[i].to_vector<double>();
    for (std::size_t e = 0; e < values.size(); ++e) {
      grid.elements[e] = config.needs_grad[i] ? Number::variable(values[e]) : Number(values[e]);
    }
    grids.push_back(std::move(grid));
  }
  const Grids outputs = naive_ops().at(name)(config, grids);
  Results results;
  for (const Grid& output : outputs) results.outputs.push_back(to_tensor(output));
  const std::vector<double> weights = cotangent(outputs[0].shape).to_vector<double>();
  for (std::size_t i = 0; i < grids.size(); ++i) {
    if (!config.needs_grad[i]) continue;
    const std::vector<double> gradient = Number::gradient(outputs[0].elements, weights, grids[i].elements);
    results.gradients.push_back(Tensor::from(gradient, grids[i].shape));
  }
  return results;
}

}  // namespace cbnet::testing
