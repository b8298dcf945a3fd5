#include "tests/conformance/configs.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops/avg_pool2d.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/bce_loss.h"
#include "autograd/ops/bce_with_logits.h"
#include "autograd/ops/concat.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/l1_penalty.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/log_softmax.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/max.h"
#include "autograd/ops/max_pool2d.h"
#include "autograd/ops/mean.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reshape.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/softmax_entropy.h"
#include "autograd/ops/sum.h"
#include "autograd/ops/transpose.h"

namespace cbnet::testing {

namespace {

using Variables = std::vector<Variable>;

std::vector<double> list(std::initializer_list<std::int64_t> numbers) {
  return {numbers.begin(), numbers.end()};
}
template <class T>
std::vector<double> list(const std::vector<T>& numbers) {
  return {numbers.begin(), numbers.end()};
}

Tensor index_tensor(const OpConfig& config, const std::string& name) {
  const std::vector<std::int64_t> index = config.integers(name);
  return Tensor::from(index, {static_cast<std::int64_t>(index.size())});
}

/// An optional third input of size `size`.
OpConfig with_bias(Draw& d, Tensor x, Tensor w, std::int64_t size,
                   std::map<std::string, std::vector<double>> args) {
  std::vector<Tensor> inputs = {std::move(x), std::move(w)};
  if (d.coin(0.7)) inputs.push_back(d.normal({size}));
  return d.config(std::move(inputs), std::move(args));
}

OpConfig draw_linear(Draw& d) {
  const std::int64_t n = d.size(0, 9), in = d.size(1, 20), out = d.size(1, 20);
  return with_bias(d, d.normal({n, in}), d.normal({out, in}), out, {});
}
Outcome run_linear(const OpConfig&, const Variables& in) {
  return {linear(in[0], in[1], in.size() == 3 ? in[2] : Variable())};
}

OpConfig draw_conv2d(Draw& d) {
  // One in two is of the kind that the direct kernels take.
  const bool direct = d.coin();
  const auto option = [&](std::int64_t low, std::int64_t high) { return direct ? low : d.pick(low, high); };
  const std::int64_t groups = option(1, 3), n = d.size(0, 4);
  const std::int64_t per_group_in = d.size(1, 6), per_group_out = d.size(1, 6);
  const std::int64_t kh = d.size(1, 5), kw = d.size(1, 5);
  const std::int64_t sh = option(1, 3), sw = option(1, 3), dh = option(1, 3), dw = option(1, 3);
  const std::int64_t ph = d.pick(0, std::min<std::int64_t>(kh - 1, 3)) + option(0, 1);
  const std::int64_t pw = d.pick(0, std::min<std::int64_t>(kw - 1, 3)) + option(0, 1);
  const auto least = [](std::int64_t k, std::int64_t dilation, std::int64_t padding) {
    return std::max<std::int64_t>(dilation * (k - 1) + 1 - 2 * padding, 1);
  };
  const std::int64_t h = d.size(least(kh, dh, ph), least(kh, dh, ph) + 9);
  const std::int64_t w = d.size(least(kw, dw, pw), least(kw, dw, pw) + 9);
  const std::int64_t out = per_group_out * groups;
  return with_bias(d, d.normal({n, per_group_in * groups, h, w}), d.normal({out, per_group_in, kh, kw}), out,
                   {{"stride", list({sh, sw})},
                    {"padding", list({ph, pw})},
                    {"dilation", list({dh, dw})},
                    {"groups", list({groups})}});
}
Outcome run_conv2d(const OpConfig& c, const Variables& in) {
  const auto stride = c.integers("stride"), padding = c.integers("padding"),
             dilation = c.integers("dilation");
  const Conv2dOptions options{stride[0],   stride[1],   padding[0],         padding[1],
                              dilation[0], dilation[1], c.integer("groups")};
  return {conv2d(in[0], in[1], in.size() == 3 ? in[2] : Variable(), options)};
}

std::map<std::string, std::vector<double>> draw_pool(Draw& d, bool may_dilate, Shape& x) {
  const std::int64_t n = d.size(0, 3), c = d.size(1, 4);
  const std::int64_t kh = d.size(1, 4), kw = d.size(1, 4);
  const std::int64_t dh = may_dilate ? d.pick(1, 2) : 1, dw = may_dilate ? d.pick(1, 2) : 1;
  // PyTorch allows half the kernel, we half the dilated kernel.
  const std::int64_t ph = d.pick(0, std::min<std::int64_t>(kh / 2, 3)),
                     pw = d.pick(0, std::min<std::int64_t>(kw / 2, 3));
  const auto least = [](std::int64_t k, std::int64_t dilation, std::int64_t padding) {
    return std::max<std::int64_t>(dilation * (k - 1) + 1 - 2 * padding, 1);
  };
  x = {n, c, d.size(least(kh, dh, ph), least(kh, dh, ph) + 9),
       d.size(least(kw, dw, pw), least(kw, dw, pw) + 9)};
  return {{"kernel", list({kh, kw})},
          {"stride", list({d.pick(1, 4), d.pick(1, 4)})},
          {"padding", list({ph, pw})},
          {"dilation", list({dh, dw})},
          {"ceil_mode", list({d.coin() ? 1 : 0})}};
}
Pool2dOptions pool_options(const OpConfig& c) {
  const auto kernel = c.integers("kernel"), stride = c.integers("stride");
  const auto padding = c.integers("padding"), dilation = c.integers("dilation");
  return {kernel[0],   kernel[1],   stride[0],
          stride[1],   padding[0],  padding[1],
          dilation[0], dilation[1], c.integer("ceil_mode") != 0};
}

OpConfig draw_max_pool2d(Draw& d) {
  Shape x;
  auto args = draw_pool(d, true, x);
  return d.config({d.distinct(x)}, std::move(args));
}
Outcome run_max_pool2d(const OpConfig& c, const Variables& in) {
  return {max_pool2d(in[0], pool_options(c))};
}

OpConfig draw_avg_pool2d(Draw& d) {
  Shape x;
  auto args = draw_pool(d, false, x);
  args["count_include_pad"] = list({d.coin() ? 1 : 0});
  return d.config({d.normal(x)}, std::move(args));
}
Outcome run_avg_pool2d(const OpConfig& c, const Variables& in) {
  return {avg_pool2d(in[0], pool_options(c), c.integer("count_include_pad") != 0)};
}

/// A shape and one of its axes, along which there is at least one element.
OpConfig draw_along_axis(Draw& d, Tensor (Draw::*values)(const Shape&)) {
  Shape shape = d.shape(1, 4);
  const std::int64_t axis = d.pick(0, static_cast<std::int64_t>(shape.size()) - 1);
  std::int64_t& length = shape[static_cast<std::size_t>(axis)];
  length = std::max<std::int64_t>(length, 1);
  const auto rank = static_cast<std::int64_t>(shape.size());
  return d.config({(d.*values)(shape)}, {{"axis", list({d.coin() ? axis : axis - rank})}});
}

OpConfig draw_softmax(Draw& d) { return draw_along_axis(d, &Draw::any); }
Outcome run_softmax(const OpConfig& c, const Variables& in) { return {softmax(in[0], c.integer("axis"))}; }
OpConfig draw_log_softmax(Draw& d) { return draw_along_axis(d, &Draw::any); }
Outcome run_log_softmax(const OpConfig& c, const Variables& in) {
  return {log_softmax(in[0], c.integer("axis"))};
}

OpConfig draw_cross_entropy(Draw& d) {
  const std::int64_t n = d.size(1, 9), classes = d.size(1, 13);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
  for (std::int64_t& label : labels) label = d.pick(0, classes - 1);
  Tensor logits = d.between({n, classes}, -5.0, 5.0);
  if (d.coin(0.2)) logits.scale(1e3);
  // With one class smoothing leaves a gradient of 0, of which only the rounding would be compared.
  const double smoothing = d.coin(0.3) && classes > 1 ? d.uniform(0.0, 1.0) : 0.0;
  return d.config({logits}, {{"labels", list(labels)}, {"smoothing", {smoothing}}});
}
Outcome run_cross_entropy(const OpConfig& c, const Variables& in) {
  return {cross_entropy(in[0], index_tensor(c, "labels"), c.number("smoothing"))};
}

OpConfig draw_softmax_entropy(Draw& d) {
  const std::int64_t n = d.size(0, 9), classes = d.size(1, 13);
  // Above some 700 nats a probability is 0, and PyTorch's own formula 0 times infinity.
  const double width = d.coin(0.2) ? 60.0 : 4.0;
  return d.config({d.between({n, classes}, -width, width)});
}
Outcome run_softmax_entropy(const OpConfig&, const Variables& in) { return {softmax_entropy(in[0])}; }

OpConfig draw_mse_loss(Draw& d) {
  const Shape shape = d.shape(0, 4, 1);
  return d.config({d.normal(shape), d.normal(shape)});
}
Outcome run_mse_loss(const OpConfig&, const Variables& in) { return {mse_loss(in[0], in[1])}; }

OpConfig draw_bce_loss(Draw& d) {
  const Shape shape = d.shape(0, 4, 1);
  Tensor p = d.between(shape, 0.01, 0.99);
  // The cut logarithms, exactly at the ends.
  for (std::int64_t i = 0; i < p.numel(); ++i) {
    if (d.special() && d.coin(0.3)) p.data<double>()[i] = d.coin() ? 0.0 : 1.0;
  }
  OpConfig config = d.config({p, d.between(shape, 0.0, 1.0)});
  config.needs_grad = {true, false};
  return config;
}
Outcome run_bce_loss(const OpConfig&, const Variables& in) { return {bce_loss(in[0], in[1])}; }

OpConfig draw_bce_with_logits(Draw& d) {
  const Shape shape = d.shape(0, 4, 1);
  return d.config({d.between(shape, -20.0, 20.0), d.between(shape, 0.0, 1.0)});
}
Outcome run_bce_with_logits(const OpConfig&, const Variables& in) { return {bce_with_logits(in[0], in[1])}; }

OpConfig draw_l1_penalty(Draw& d) {
  return d.config({d.any(d.shape(1, 4, 1))}, {{"coefficient", {d.uniform(0.0, 2.0)}}});
}
Outcome run_l1_penalty(const OpConfig& c, const Variables& in) {
  return {l1_penalty(in[0], c.number("coefficient"))};
}

OpConfig draw_batch_norm(Draw& d) {
  const bool training = d.coin();
  const std::int64_t n = d.size(training ? 2 : 0, 7), channels = d.size(1, 6);
  Shape shape = {n, channels};
  if (d.coin(0.7)) {
    shape.push_back(d.size(1, 7));
    shape.push_back(d.size(1, 7));
  }
  const auto statistics = [&](double low, double high) {
    return d.between({channels}, low, high).to_vector<double>();
  };
  return d.config({d.normal(shape), d.between({channels}, -2.0, 2.0), d.between({channels}, -2.0, 2.0)},
                  {{"training", list({training ? 1 : 0})},
                   {"mean", statistics(-1.0, 1.0)},
                   {"var", statistics(0.1, 3.0)},
                   {"momentum", {d.uniform(0.01, 1.0)}},
                   {"eps", {d.coin() ? 1e-5 : 1e-3}}});
}
Outcome run_batch_norm(const OpConfig& c, const Variables& in) {
  const std::int64_t channels = in[1].size(0);
  const DType dtype = in[0].dtype();
  const Tensor mean = Tensor::from(c.numbers("mean"), {channels}).to(dtype).clone();
  const Tensor var = Tensor::from(c.numbers("var"), {channels}).to(dtype).clone();
  const BatchNormOptions options{c.integer("training") != 0, c.number("momentum"), c.number("eps")};
  const Variable y = batch_norm(in[0], in[1], in[2], mean, var, options);
  return {y, {mean, var}};
}

OpConfig draw_dropout(Draw& d) {
  return d.config({d.any(d.shape(0, 4))}, {{"p", {d.coin(0.2) ? 0.0 : d.uniform(0.0, 0.95)}},
                                           {"training", list({d.coin(0.8) ? 1 : 0})},
                                           {"seed", list({d.pick(0, 1 << 30)})}});
}
Outcome run_dropout(const OpConfig& c, const Variables& in) {
  Rng rng(static_cast<std::uint64_t>(c.integer("seed")));
  return {dropout(in[0], c.number("p"), c.integer("training") != 0, rng)};
}

OpConfig draw_matmul(Draw& d) {
  const std::int64_t kind = d.pick(0, 2);
  const std::int64_t m = d.size(0, 17), k = d.size(0, 17), n = d.size(0, 17);
  if (kind == 0) return d.config({d.normal({m, k}), d.normal({k, n})});
  const std::int64_t batch = d.size(0, 4);
  return d.config({d.normal({batch, m, k}), kind == 1 ? d.normal({batch, k, n}) : d.normal({k, n})});
}
Outcome run_matmul(const OpConfig&, const Variables& in) { return {matmul(in[0], in[1])}; }

OpConfig draw_reshape(Draw& d) {
  const Shape from = d.shape(0, 4);
  // The sizes in another order, neighbours merged at random, one left to be inferred.
  Shape to = {1};
  for (const std::int64_t size : from) {
    if (d.coin()) to.push_back(1);
    to.back() *= size;
  }
  if (numel(from) > 0 && d.coin())
    to[static_cast<std::size_t>(d.pick(0, static_cast<std::int64_t>(to.size()) - 1))] = -1;
  return d.config({d.any(from)}, {{"shape", list(to)}});
}
Outcome run_reshape(const OpConfig& c, const Variables& in) { return {reshape(in[0], c.integers("shape"))}; }

OpConfig draw_transpose(Draw& d) {
  const Shape shape = d.shape(1, 4);
  std::vector<std::int64_t> order(shape.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<std::size_t>(d.pick(0, static_cast<std::int64_t>(i) - 1))]);
  }
  return d.config({d.any(shape)}, {{"permutation", list(order)}});
}
Outcome run_transpose(const OpConfig& c, const Variables& in) {
  return {transpose(in[0], c.integers("permutation"))};
}

OpConfig draw_concat(Draw& d) {
  Shape shape = d.shape(1, 4);
  const std::int64_t axis = d.pick(0, static_cast<std::int64_t>(shape.size()) - 1);
  std::vector<Tensor> inputs;
  for (std::int64_t i = d.pick(1, 4); i > 0; --i) {
    shape[static_cast<std::size_t>(axis)] = d.size(0, 5);
    inputs.push_back(d.any(shape));
  }
  return d.config(std::move(inputs), {{"axis", list({axis})}});
}
Outcome run_concat(const OpConfig& c, const Variables& in) { return {cbnet::concat(in, c.integer("axis"))}; }

OpConfig draw_index_select(Draw& d) {
  const Shape shape = d.shape(1, 4, 1);
  const std::int64_t axis = d.pick(0, static_cast<std::int64_t>(shape.size()) - 1);
  std::vector<std::int64_t> index(static_cast<std::size_t>(d.size(0, 9)));
  for (std::int64_t& one : index) one = d.pick(0, shape[static_cast<std::size_t>(axis)] - 1);
  return d.config({d.any(shape)}, {{"axis", list({axis})}, {"index", list(index)}});
}
Outcome run_index_select(const OpConfig& c, const Variables& in) {
  return {index_select(in[0], c.integer("axis"), index_tensor(c, "index"))};
}

OpConfig draw_over_axes(Draw& d) {
  const Shape shape = d.shape(0, 4);
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(shape.size()); ++axis) {
    if (d.coin()) axes.push_back(axis);
  }
  // To PyTorch no axes mean all.
  if (axes.empty() && !shape.empty()) axes.push_back(-1);
  return d.config({d.normal(shape)}, {{"axes", list(axes)}, {"keepdim", list({d.coin() ? 1 : 0})}});
}
OpConfig draw_sum(Draw& d) { return draw_over_axes(d); }
Outcome run_sum(const OpConfig& c, const Variables& in) {
  return {sum(in[0], c.integers("axes"), c.integer("keepdim") != 0)};
}
OpConfig draw_mean(Draw& d) { return draw_over_axes(d); }
Outcome run_mean(const OpConfig& c, const Variables& in) {
  return {mean(in[0], c.integers("axes"), c.integer("keepdim") != 0)};
}

OpConfig draw_max(Draw& d) {
  OpConfig config = draw_along_axis(d, &Draw::distinct);
  config.args["keepdim"] = list({d.coin() ? 1 : 0});
  return config;
}
Outcome run_max(const OpConfig& c, const Variables& in) {
  return {max(in[0], c.integer("axis"), c.integer("keepdim") != 0)};
}

// Pointwise: where an op has a domain, values from it.

Tensor values_for(const std::string& name, Draw& d, const Shape& shape) {
  if (name == "log" || name == "sqrt" || name == "pow")
    return d.coin(0.2) ? d.any(shape) : d.between(shape, 0.01, 10.0);
  return d.any(shape);
}

OpConfig draw_unary(const char* name, Draw& d) { return d.config({values_for(name, d, d.shape(0, 4))}); }

OpConfig draw_parameter(const char* name, Draw& d) {
  return d.config({values_for(name, d, d.shape(0, 4))}, {{"a", {d.uniform(-2.0, 2.0)}}});
}

OpConfig draw_binary(Draw& d) {
  const Shape shape = d.shape(0, 4);
  // Each operand loses leading axes and stretches some of the others.
  const auto operand = [&] {
    Shape out = shape;
    for (std::int64_t& size : out) size = d.coin(0.25) ? 1 : size;
    return Shape(out.begin() + (d.coin(0.2) && !out.empty() ? 1 : 0), out.end());
  };
  return d.config({d.any(operand()), d.any(operand())});
}

#define UNARY(name, Type, ...)                                   \
  OpConfig draw_##name(Draw& d) { return draw_unary(#name, d); } \
  Outcome run_##name(const OpConfig&, const Variables& in) { return {cbnet::name(in[0])}; }
#define UNARY_PARAMETER(name, Type, ...)                             \
  OpConfig draw_##name(Draw& d) { return draw_parameter(#name, d); } \
  Outcome run_##name(const OpConfig& c, const Variables& in) { return {cbnet::name(in[0], c.number("a"))}; }
#define BINARY(name, Type, ...)                            \
  OpConfig draw_##name(Draw& d) { return draw_binary(d); } \
  Outcome run_##name(const OpConfig&, const Variables& in) { return {cbnet::name(in[0], in[1])}; }
#include "tensor/pointwise.def"

}  // namespace

const std::vector<OpUnderTest>& ops_under_test() {
  static const std::vector<OpUnderTest> all = {
#define OP(name, Type) {#name, draw_##name, run_##name},
#include "autograd/ops/ops.def"
#undef OP
#define UNARY(name, ...) {#name, draw_##name, run_##name},
#define UNARY_PARAMETER(name, ...) {#name, draw_##name, run_##name},
#define BINARY(name, ...) {#name, draw_##name, run_##name},
#include "tensor/pointwise.def"
  };
  return all;
}

Tolerance tolerance_of(const std::string& op) {
  static const std::map<std::string, Tolerance> unusual = {
      {"softmax_entropy",
       {.output_floor = 1e-1,
        .gradient_floor = 1e-1,
        .reason = "where one class has nearly all, 1 + the rest is 1: PyTorch's logarithm is then 0, the "
                  "gradient's terms cancel"}},
      {"bce_loss", {.f64 = 1e-8, .reason = "PyTorch's 1e-12 under p (1 - p) is a float, 4e-9 off"}},
      {"batch_norm",
       {.f32 = 1e-4,
        .gradient_floor = 1e-1,
        .reason = "dx is what the mean of dy and of dy xhat leave of dy: with few values, rounding alone"}},
  };
  const auto found = unusual.find(op);
  return found == unusual.end() ? Tolerance{} : found->second;
}

}  // namespace cbnet::testing
