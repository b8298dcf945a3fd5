#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "tensor/dtype.h"
#include "tensor/rng.h"
#include "tensor/windows.h"

// These are the arguments of the functions of a backend (backend.def): pointers into the memory of its
// device, sizes, and strides in elements. `dtype` is the type of what a void pointer points to, unless a
// comment says otherwise. Arrays without strides are dense and row-major. Pointers that may be null say so.
// tensor/reference has the definition of every function in plain loops.

namespace cbnet {

/// These are sizes or strides, outermost first.
using Sizes = std::span<const std::int64_t>;

/// Computes for every matrix of a batch c = op(a) op(b) + beta c; op(x) is x or its transpose, op(a) (m, k),
/// op(b) (k, n).
struct GemmCall {
  DType dtype;
  bool transpose_a = false, transpose_b = false;
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  const void *a = nullptr, *b = nullptr;
  double beta = 0.0;  // 0 overwrites c, NaN included
  void* c = nullptr;
};

/// The shapes are x (n, c, h, w), weight (o, c / groups, kh, kw), y (n, o, oh, ow).
struct Conv2dSizes {
  std::int64_t n = 0, c = 0, h = 0, w = 0, o = 0, kh = 0, kw = 0, oh = 0, ow = 0;
  Conv2dOptions options;
};
struct Conv2dCall {
  DType dtype;
  Conv2dSizes sizes;
  const void *x = nullptr, *weight = nullptr;
  const void* bias = nullptr;  // (o), or null
  void* y = nullptr;
};
/// A gradient's pointer is null where nobody asks for it.
struct Conv2dBackwardCall {
  DType dtype;
  Conv2dSizes sizes;
  const void *x = nullptr, *weight = nullptr, *dy = nullptr;
  void *dx = nullptr, *dweight = nullptr, *dbias = nullptr;
};

/// Takes the largest or the mean of every window. `argmax`, which may be null, gets where a maximum stood in
/// its plane, -1 for padding.
struct Pool2dCall {
  DType dtype;
  Pool2dDims dims{};
  bool average = false, count_include_pad = true;
  const void* x = nullptr;
  void* y = nullptr;
  std::int32_t* argmax = nullptr;
};
struct Pool2dBackwardCall {
  DType dtype;
  Pool2dDims dims{};
  bool average = false, count_include_pad = true;
  const void* dy = nullptr;
  const std::int32_t* argmax = nullptr;  // of a maximum
  void* dx = nullptr;
};

/// These run along the middle axis of (outer, channels, inner).
enum class SoftmaxKind : std::uint8_t { softmax, log_softmax, entropy };
struct SoftmaxCall {
  DType dtype;
  SoftmaxKind kind = SoftmaxKind::softmax;
  std::int64_t outer = 0, channels = 0, inner = 1;
  const void* x = nullptr;
  void* y = nullptr;        // the result; of `entropy` the softmax
  void* entropy = nullptr;  // (outer), of `entropy`, whose inner is 1
};
struct SoftmaxBackwardCall {
  DType dtype;
  SoftmaxKind kind = SoftmaxKind::softmax;
  std::int64_t outer = 0, channels = 0, inner = 1;
  const void *y = nullptr, *entropy = nullptr, *dy = nullptr;
  void* dx = nullptr;
};

/// These are the functions of tensor/pointwise.def.
enum class Pointwise : std::uint8_t {
#define UNARY(name, ...) name,
#define UNARY_PARAMETER(name, ...) name,
#define BINARY(name, ...) name,
#include "tensor/pointwise.def"
};
const char* to_string(Pointwise function);
/// Returns nothing for an unknown name.
std::optional<Pointwise> parse_pointwise(const std::string& name);
/// Tells whether the function takes one number, and perhaps a parameter.
bool is_unary(Pointwise function);
enum class PointwisePart : std::uint8_t {
  value,     // y = f(x) or f(x, z)
  gradient,  // of a function of one: y = z f'(x), x being what the table keeps
  by_x,      // of a function of two: y = df/dx (x, z)
  by_z,
};
/// y may be x.
struct PointwiseCall {
  DType dtype;
  Pointwise function = Pointwise::relu;
  PointwisePart part = PointwisePart::value;
  double a = 0.0;
  Sizes shape = {};
  const void *x = nullptr, *z = nullptr;  // z is null for the value of a function of one
  void* y = nullptr;
  Sizes x_strides = {}, z_strides = {}, y_strides = {};
};

/// Computes y = factor * the sum of x over the axes along which y has stride 0.
struct SumCall {
  DType dtype;
  double factor = 1.0;
  Sizes shape = {};
  const void* x = nullptr;
  void* y = nullptr;
  Sizes y_strides = {};
};

/// Finds the first of the largest along the middle axis of (outer, size, inner), NaN being largest, and where
/// it stood.
struct MaxCall {
  DType dtype;
  std::int64_t outer = 0, size = 0, inner = 0;
  const void* x = nullptr;
  void* y = nullptr;
  std::int64_t* index = nullptr;
};
/// Sets dx to dy where the maximum stood, and to 0 elsewhere.
struct MaxBackwardCall {
  DType dtype;
  std::int64_t outer = 0, size = 0, inner = 0;
  const void* dy = nullptr;
  const std::int64_t* index = nullptr;
  void* dx = nullptr;
};

/// Finds the position of the first element that is not in [low, high], or -1; NaN is in no range.
struct FindOutsideCall {
  DType dtype;
  std::int64_t count = 0;
  double low = 0.0, high = 0.0;
  const void* x = nullptr;
  std::int64_t* found = nullptr;  // in the host's memory
};

/// Sets target = source, converted; floats are truncated towards zero.
struct CopyCall {
  DType dtype;  // of the target
  DType source_dtype;
  Sizes shape = {};
  const void* source = nullptr;
  void* target = nullptr;
  Sizes source_strides = {}, target_strides = {};
};
struct FillCall {
  DType dtype;
  double value = 0.0;
  Sizes shape = {};
  void* target = nullptr;
  Sizes strides = {};
};
/// Computes target += alpha * source.
struct AddScaledCall {
  DType dtype;
  double alpha = 1.0;
  Sizes shape = {};
  const void* source = nullptr;
  void* target = nullptr;
  Sizes source_strides = {}, target_strides = {};
};

/// index_select sets target (outer, picks, inner) = source (outer, size, inner) at `index` (picks).
/// index_add computes target (outer, size, inner) at `index` += source (outer, picks, inner), in order of the
/// picks.
struct IndexCall {
  DType dtype;
  std::int64_t outer = 0, size = 0, inner = 0, picks = 0;
  const std::int64_t* index = nullptr;
  const void* source = nullptr;
  void* target = nullptr;
};

/// Computes y (n, channels, h, w) = x with every image moved, all its channels alike: cut out of itself with
/// `crop` mirrored pixels more at each side, mirrored left and right, shifted, turned. How far depends on the
/// generator (seed, stream) of the image alone (tensor/image_move.h). y is not x.
struct AugmentCall {
  DType dtype;
  std::int64_t n = 0, channels = 0, h = 0, w = 0;
  std::int64_t shift = 0, crop = 0;
  bool flip = false;
  double rotation = 0.0;  // degrees
  std::uint64_t seed = 0;
  const std::int64_t* streams = nullptr;  // (n)
  const void* x = nullptr;
  void* y = nullptr;
};

/// Computes y = gamma xhat + beta of x (n, channels, plane), xhat = (x - mean) / sqrt(var + eps) per channel.
struct BatchNormCall {
  DType dtype;
  std::int64_t n = 0, channels = 0, plane = 0;
  bool training = false;
  double eps = 0.0, momentum = 0.0;
  const void *x = nullptr, *gamma = nullptr, *beta = nullptr;
  const void *running_mean = nullptr, *running_var = nullptr;
  void* y = nullptr;
  double *mean = nullptr, *inverse_std = nullptr;    // (channels), what was used
  void *moved_mean = nullptr, *moved_var = nullptr;  // (channels), the running ones after it; in training
};
struct BatchNormBackwardCall {
  DType dtype;
  std::int64_t n = 0, channels = 0, plane = 0;
  bool training = false;
  const void *x = nullptr, *gamma = nullptr, *dy = nullptr;
  const double *mean = nullptr, *inverse_std = nullptr;
  void* dx = nullptr;                        // or null
  void *dgamma = nullptr, *dbeta = nullptr;  // or null
};

enum class RandomKind : std::uint8_t {
  uniform,  // a + (b - a) u, u being draw i
  normal,   // a + b times the normal of draws 2 i and 2 i + 1
  mask,     // b, or 0 with probability a: where draw i / 2 has less than a 2^32 in its half i % 2
};
/// Fills y from the draws behind `state`.
struct RandomCall {
  DType dtype;
  RandomKind kind = RandomKind::uniform;
  RngState state;
  double a = 0.0, b = 0.0;
  std::int64_t count = 0;
  void* y = nullptr;

  std::uint64_t draws() const {
    const auto n = static_cast<std::uint64_t>(count);
    return kind == RandomKind::uniform ? n : kind == RandomKind::normal ? 2 * n : (n + 1) / 2;
  }
};

/// A loss sums over elements, in this order of kinds: (x - t)^2; -(t ln x + (1 - t) ln(1 - x)); the same of
/// sigmoid(x); |x|.
enum class LossKind : std::uint8_t { mse, bce, bce_with_logits, l1 };
/// Computes y () = coefficient * sum / divisor.
struct LossCall {
  DType dtype;
  LossKind kind = LossKind::mse;
  std::int64_t count = 0;
  double coefficient = 1.0, divisor = 1.0;
  const void *x = nullptr, *target = nullptr;  // l1 has no target
  void* y = nullptr;
};
struct LossBackwardCall {
  DType dtype;
  LossKind kind = LossKind::mse;
  std::int64_t count = 0;
  double coefficient = 1.0, divisor = 1.0;
  const void *x = nullptr, *target = nullptr, *dy = nullptr;  // dy ()
  void *dx = nullptr, *dtarget = nullptr;                     // null where nobody asks
};

/// Computes y () = the mean over the rows of log_p (rows, classes) of -sum_c q_c log_p_c, q = 1 - smoothing
/// at the label plus smoothing / classes everywhere; the gradient is that by the logits.
struct CrossEntropyCall {
  DType dtype;
  std::int64_t rows = 0, classes = 0;
  double smoothing = 0.0;
  const void* log_p = nullptr;
  const std::int64_t* labels = nullptr;
  void* y = nullptr;
};
struct CrossEntropyBackwardCall {
  DType dtype;
  std::int64_t rows = 0, classes = 0;
  double smoothing = 0.0;
  const void* log_p = nullptr;
  const std::int64_t* labels = nullptr;
  const void* dy = nullptr;  // ()
  void* dx = nullptr;
};

/// This is a parameter of an optimizer: its gradient, its weights and what the optimizer keeps beside each of
/// them.
struct ParameterArrays {
  std::int64_t count = 0;
  const void* g = nullptr;
  void* w = nullptr;
  void* kept[2] = {};
};

/// Takes one step of Adam (Kingma and Ba 2015, algorithm 1), element by element, m and v being what is kept:
///   grad = g + l2 w,  m = beta1 m + (1 - beta1) grad,  v = beta2 v + (1 - beta2) grad^2,
///   w -= shrink w + step_size m / (sqrt(v) inverse_root2 + eps)
struct AdamCall {
  DType dtype;
  double beta1 = 0.0, beta2 = 0.0, eps = 0.0;
  double step_size = 0.0;      // the learning rate over 1 - beta1^t
  double inverse_root2 = 0.0;  // 1 / sqrt(1 - beta2^t)
  double l2 = 0.0, shrink = 0.0;
  std::span<const ParameterArrays> parameters = {};
};

/// Computes grad = g + decay w,  u = momentum u + grad,  w -= rate u, with Nesterov's rate (grad + momentum
/// u); u is what is kept.
struct SgdCall {
  DType dtype;
  double rate = 0.0, momentum = 0.0, decay = 0.0;
  bool nesterov = false;
  std::span<const ParameterArrays> parameters = {};
};

}  // namespace cbnet
