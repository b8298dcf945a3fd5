#include <limits>

#include "tensor/cuda/context.h"
#include "tensor/cuda/functions.h"
#include "tensor/cuda/tile_product.cuh"

// A convolution and both of its gradients are matrix products whose factors are read out of the images where
// they are needed (Chellapilla et al. 2006 build the matrix; here a problem of tile_product.cuh says what
// stands in it).

namespace cbnet::cuda {
namespace {

/// These are Conv2dSizes by 32 bits; c and o count the channels of a group.
struct ConvSizes {
  int n, c, h, w, o, kh, kw, oh, ow, groups;
  int stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;

  __host__ __device__ int taps() const { return kh * kw; }
  __host__ __device__ int pixels() const { return oh * ow; }
};

/// This is a place in images, and an offset of rows and columns from it.
struct Place {
  std::int64_t at;
  int row, column;
};

/// The problems share this: x read at a place moved by a tap, and 0 outside.
template <class T>
struct ConvProblem {
  ConvSizes s;
  int rows = 0;
  std::int64_t columns = 0, depth = 0;
  int group = 0;

  __device__ void enter_group(int number) { group = number; }
  /// Returns the tap k of a filter: (channel, ky, kx).
  __device__ Place filter_tap(std::int64_t k) const {
    const int tap = static_cast<int>(k), channel = tap / s.taps(), rest = tap - channel * s.taps();
    const int ky = rest / s.kw;
    return {std::int64_t{channel} * s.h * s.w, ky * s.dilation_h, (rest - ky * s.kw) * s.dilation_w};
  }
  /// Returns the corner of the window of output pixel i of all images.
  __device__ Place window(std::int64_t i) const {
    const std::int64_t image = divide(i, s.pixels());
    const int pixel = static_cast<int>(i - image * s.pixels()), oy = pixel / s.ow;
    return {(image * s.groups + group) * s.c * s.h * s.w, oy * s.stride_h - s.pad_h,
            (pixel - oy * s.ow) * s.stride_w - s.pad_w};
  }
  __device__ T input(const T* x, const Place& window, const Place& tap) const {
    const int row = window.row + tap.row, column = window.column + tap.column;
    if (row < 0 || row >= s.h || column < 0 || column >= s.w) return T(0);
    return x[window.at + tap.at + row * s.w + column];
  }
  /// Returns where channel `o` of the group stands in y at pixel i of all images.
  __device__ std::int64_t output(std::int64_t i, int o) const {
    const std::int64_t image = divide(i, s.pixels());
    return ((image * s.groups + group) * s.o + o) * s.pixels() + (i - image * s.pixels());
  }
};

/// Computes y (o, pixels) = weight (o, filter taps) x windows (filter taps, pixels) + bias.
template <class T>
struct Forward : ConvProblem<T> {
  using ConvProblem<T>::s, ConvProblem<T>::group, ConvProblem<T>::rows, ConvProblem<T>::columns,
      ConvProblem<T>::depth;
  using Tap = Place;
  using Column = Place;
  static constexpr bool kRightAlongDepth = false;
  const T *x, *weight, *bias;
  T* y;

  __device__ Tap tap(std::int64_t k) const { return this->filter_tap(k); }
  __device__ Column column(std::int64_t i) const { return this->window(i); }
  __device__ T left(int row, const Tap&, std::int64_t k) const {
    return weight[(std::int64_t{group} * rows + row) * depth + k];
  }
  __device__ T right(const Column& window, const Tap& tap) const { return this->input(x, window, tap); }
  __device__ void store(int row, std::int64_t i, const Column&, int, T sum) const {
    const T start = bias == nullptr ? T(0) : bias[group * rows + row];
    y[this->output(i, row)] = start + sum;
  }
};

/// Computes dx (c, pixels of x) = weight (c, taps of all filters) x what those taps saw of dy (taps, pixels
/// of x).
template <class T>
struct InputGradient : ConvProblem<T> {
  using ConvProblem<T>::s, ConvProblem<T>::group, ConvProblem<T>::rows, ConvProblem<T>::columns,
      ConvProblem<T>::depth;
  struct Tap {
    std::int64_t at;  // of the filter's plane in dy
    int weight, row, column;
  };
  using Column = Place;
  static constexpr bool kRightAlongDepth = false;
  const T *weight, *dy;
  T* dx;

  __device__ Tap tap(std::int64_t k) const {
    const int tap = static_cast<int>(k), filter = tap / s.taps(), rest = tap - filter * s.taps();
    const int ky = rest / s.kw;
    return {std::int64_t{filter} * s.pixels(), filter * s.c * s.taps() + rest, ky * s.dilation_h,
            (rest - ky * s.kw) * s.dilation_w};
  }
  /// Returns the first plane of dy of the group, and the pixel of x with the padding in front.
  __device__ Column column(std::int64_t i) const {
    const int area = s.h * s.w;
    const std::int64_t image = divide(i, area);
    const int pixel = static_cast<int>(i - image * area), row = pixel / s.w;
    return {(image * s.groups + group) * s.o * s.pixels(), row + s.pad_h, pixel - row * s.w + s.pad_w};
  }
  __device__ T left(int row, const Tap& tap, std::int64_t) const {
    return weight[std::int64_t{group} * s.o * s.c * s.taps() + tap.weight + row * s.taps()];
  }
  __device__ T right(const Column& pixel, const Tap& tap) const {
    const int row = pixel.row - tap.row, column = pixel.column - tap.column;
    const int oy = row / s.stride_h, ox = column / s.stride_w;
    if (row < 0 || column < 0 || oy * s.stride_h != row || ox * s.stride_w != column || oy >= s.oh ||
        ox >= s.ow)
      return T(0);
    return dy[pixel.at + tap.at + oy * s.ow + ox];
  }
  __device__ void store(int row, std::int64_t i, const Column&, int, T sum) const {
    const int area = s.h * s.w;
    const std::int64_t image = divide(i, area);
    dx[((image * s.groups + group) * s.c + row) * area + (i - image * area)] = sum;
  }
};

/// Computes dweight (o, filter taps) = dy (o, pixels) x windows (pixels, filter taps): the depth is long, and
/// cut into parts.
template <class T>
struct WeightGradient : ConvProblem<T> {
  using ConvProblem<T>::s, ConvProblem<T>::group, ConvProblem<T>::rows, ConvProblem<T>::columns,
      ConvProblem<T>::depth;
  struct Tap {
    std::int64_t dy;  // of the first filter of the group at this pixel
    Place window;
  };
  using Column = Place;
  static constexpr bool kRightAlongDepth = true;
  const T *x, *dy;
  T* parts;  // (parts, groups, o, filter taps)

  __device__ Tap tap(std::int64_t k) const { return {this->output(k, 0), this->window(k)}; }
  __device__ Column column(std::int64_t i) const { return this->filter_tap(i); }
  __device__ T left(int row, const Tap& tap, std::int64_t) const {
    return dy[tap.dy + std::int64_t{row} * s.pixels()];
  }
  __device__ T right(const Column& filter_tap, const Tap& tap) const {
    return this->input(x, tap.window, filter_tap);
  }
  __device__ void store(int row, std::int64_t i, const Column&, int part, T sum) const {
    const std::int64_t filter = std::int64_t{group} * rows + row;
    parts[(part * std::int64_t{s.groups} * rows + filter) * columns + i] = sum;
  }
};

template <class T>
__global__ void add_parts_kernel(std::int64_t count, int parts, const T* from, T* to) {
  for_each_element(count, [&](std::int64_t i) {
    T sum = 0;
    for (int part = 0; part < parts; ++part) sum += from[part * count + i];
    to[i] = sum;
  });
}

ConvSizes sizes_of(const Conv2dSizes& s) {
  const Conv2dOptions& o = s.options;
  const auto number = [](std::int64_t size) {
    require(size <= std::numeric_limits<int>::max(), "conv2d", "the device cuda takes sizes below 2^31; got ",
            size);
    return static_cast<int>(size);
  };
  for (const std::int64_t area : {s.c * s.h * s.w, s.o * s.oh * s.ow, s.o * (s.c / o.groups) * s.kh * s.kw})
    static_cast<void>(number(area));
  return {number(s.n),         number(s.c / o.groups), number(s.h),
          number(s.w),         number(s.o / o.groups), number(s.kh),
          number(s.kw),        number(s.oh),           number(s.ow),
          number(o.groups),    number(o.stride_h),     number(o.stride_w),
          number(o.padding_h), number(o.padding_w),    number(o.dilation_h),
          number(o.dilation_w)};
}

template <class Problem>
Problem problem_of(const ConvSizes& s, int rows, std::int64_t columns, std::int64_t depth) {
  Problem out{};
  out.s = s;
  out.rows = rows;
  out.columns = columns;
  out.depth = depth;
  return out;
}

template <class T>
void conv2d_of(const Conv2dCall& call) {
  const ConvSizes s = sizes_of(call.sizes);
  auto problem = problem_of<Forward<T>>(s, s.o, std::int64_t{s.n} * s.pixels(), s.c * s.taps());
  problem.x = static_cast<const T*>(call.x);
  problem.weight = static_cast<const T*>(call.weight);
  problem.bias = static_cast<const T*>(call.bias);
  problem.y = static_cast<T*>(call.y);
  tile_product<T>("conv2d", problem, s.groups);
}

template <class T>
void weight_gradient(const ConvSizes& s, const Conv2dBackwardCall& call) {
  constexpr std::int64_t kDepthOfPart = 2048, kMaxParts = 256;
  auto problem = problem_of<WeightGradient<T>>(s, s.o, s.c * s.taps(), std::int64_t{s.n} * s.pixels());
  std::int64_t parts = (problem.depth + kDepthOfPart - 1) / kDepthOfPart;
  parts = parts < 1 ? 1 : parts < kMaxParts ? parts : kMaxParts;
  while (parts * s.groups > 65535) parts = (parts + 1) / 2;  // what a grid holds
  const std::int64_t count = std::int64_t{s.groups} * s.o * problem.columns;
  const Scratch scratch(static_cast<std::size_t>(parts * count) * sizeof(T));
  problem.x = static_cast<const T*>(call.x);
  problem.dy = static_cast<const T*>(call.dy);
  problem.parts = scratch.as<T>();
  tile_product<T>("conv2d", problem, s.groups, static_cast<int>(parts));
  launch("conv2d", add_parts_kernel<T>, elements_grid(count), count, static_cast<int>(parts),
         static_cast<const T*>(problem.parts), static_cast<T*>(call.dweight));
}

template <class T>
void conv2d_backward_of(const Conv2dBackwardCall& call) {
  const ConvSizes s = sizes_of(call.sizes);
  if (call.dx != nullptr) {
    auto problem = problem_of<InputGradient<T>>(s, s.c, std::int64_t{s.n} * s.h * s.w, s.o * s.taps());
    problem.weight = static_cast<const T*>(call.weight);
    problem.dy = static_cast<const T*>(call.dy);
    problem.dx = static_cast<T*>(call.dx);
    tile_product<T>("conv2d", problem, s.groups);
  }
  if (call.dweight != nullptr) weight_gradient<T>(s, call);
  if (call.dbias != nullptr) {
    const std::int64_t shape[] = {s.n, call.sizes.o, s.pixels()}, strides[] = {0, 1, 0};
    sum({.dtype = call.dtype, .shape = shape, .x = call.dy, .y = call.dbias, .y_strides = strides});
  }
}

}  // namespace

CBNET_BY_DTYPE(conv2d, Conv2dCall)
CBNET_BY_DTYPE(conv2d_backward, Conv2dBackwardCall)

}  // namespace cbnet::cuda
