// Stride 1, dilation 1, groups 1 and padding < kernel: direct kernels, of batches with an image for each
// lane; im2col + gemm for the rest.
#include <algorithm>

#include "tensor/cpu/blas.h"
#include "tensor/cpu/functions.h"
#include "tensor/cpu/kernels/im2col.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/storage.h"

namespace cbnet::cpu {
namespace {

struct Problem {
  std::int64_t n;
  std::int64_t out_channels;
  std::int64_t groups;
  kernels::Im2colDims image;  // of one group
  bool direct;
  bool lanes;  // direct, with images side by side in the lanes of vectors

  std::int64_t x_size() const { return groups * image.channels * image.height * image.width; }
  std::int64_t y_size() const { return out_channels * pixels(); }
  std::int64_t pixels() const { return image.out_h * image.out_w; }
  std::int64_t taps() const { return image.channels * image.kernel_h * image.kernel_w; }

  kernels::Conv2dDims direct_dims(std::int64_t images) const {
    return {images,         image.channels, image.height, image.width, out_channels,
            image.kernel_h, image.kernel_w, image.pad_h,  image.pad_w};
  }
};

Problem make_problem(const Conv2dSizes& s) {
  const Conv2dOptions& o = s.options;
  Problem p{};
  p.n = s.n;
  p.out_channels = s.o;
  p.groups = o.groups;
  p.image = {s.c / o.groups, s.h,         s.w,          s.kh,         s.kw, o.stride_h, o.stride_w,
             o.padding_h,    o.padding_w, o.dilation_h, o.dilation_w, s.oh, s.ow};
  p.direct = o.stride_h == 1 && o.stride_w == 1 && o.dilation_h == 1 && o.dilation_w == 1 && o.groups == 1 &&
             o.padding_h < s.kh && o.padding_w < s.kw;
  return p;
}

/// Decides p.lanes: every thread should get a group of images that fills at least half of the lanes, and the
/// group stay in the second-level cache.
template <class T>
void choose_lanes(Problem& p) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  const std::int64_t lanes = kernels::isa_table<T>().lanes;
  p.lanes = p.direct && lanes > 1 && 2 * p.n >= lanes * num_threads() &&
            kernels::conv2d_lanes_workspace(p.direct_dims(lanes)) * sizeof(T) <= kMostBytes;
}

/// How the images are spread over the threads: in whole groups of lanes where those are used.
template <class T>
struct Ranges {
  explicit Ranges(const Problem& p)
      : n(p.n),
        unit(p.lanes ? kernels::isa_table<T>().lanes : 1),
        units((p.n + unit - 1) / unit),
        count(chunk_count(units, p.lanes ? 1 : 4)) {}

  /// Calls fn(chunk, first image, images).
  template <class F>
  void for_each(F fn) const {
    parallel_chunks_of(count, units, [&](int chunk, std::int64_t begin, std::int64_t end) {
      fn(chunk, begin * unit, std::min(end * unit, n) - begin * unit);
    });
  }

  std::int64_t n, unit, units;
  int count;
};

/// Scratch of one thread.
template <class T>
struct Scratch {
  explicit Scratch(std::size_t size) : storage(size * sizeof(T)) {}
  /// Of a pass of the direct kernels.
  Scratch(const Problem& p, std::int64_t images, kernels::Conv2dPass pass)
      : Scratch(p.lanes ? kernels::conv2d_lanes_workspace(p.direct_dims(images))
                        : kernels::conv2d_direct_workspace(p.direct_dims(images), pass)) {}
  /// The columns of an image.
  explicit Scratch(const Problem& p) : Scratch(static_cast<std::size_t>(p.taps() * p.pixels())) {}

  T* data() { return reinterpret_cast<T*>(storage.data()); }

  Storage storage;
};

template <class T>
void forward_images(const Problem& p, std::int64_t images, const T* x, const T* w, const T* bias, T* y) {
  if (p.direct) {
    Scratch<T> ws(p, images, kernels::Conv2dPass::forward);
    const auto& table = kernels::isa_table<T>();
    const auto forward = p.lanes ? table.conv2d_lanes_forward : table.conv2d_forward;
    forward(x, w, bias, y, p.direct_dims(images), ws.data());
    return;
  }
  Scratch<T> columns(p);
  const std::int64_t group_out = p.out_channels / p.groups;
  for (std::int64_t i = 0; i < images * p.groups; ++i) {
    const std::int64_t g = i % p.groups;
    T* out = y + i * group_out * p.pixels();
    for (std::int64_t o = 0; o < group_out; ++o) {
      const T start = bias == nullptr ? T(0) : bias[g * group_out + o];
      std::fill(out + o * p.pixels(), out + (o + 1) * p.pixels(), start);
    }
    kernels::im2col(x + i * p.image.channels * p.image.height * p.image.width, p.image, columns.data());
    cbnet::gemm<T>(false, false, group_out, p.pixels(), p.taps(), T(1), w + g * group_out * p.taps(),
                   p.taps(), columns.data(), p.pixels(), T(1), out, p.pixels());
  }
}

template <class T>
void backward_input_images(const Problem& p, std::int64_t images, const T* dy, const T* w, T* dx) {
  if (p.direct) {
    Scratch<T> ws(p, images, kernels::Conv2dPass::backward_input);
    kernels::isa_table<T>().conv2d_backward_input(dy, w, dx, p.direct_dims(images), ws.data());
    return;
  }
  Scratch<T> columns(p);
  const std::int64_t group_out = p.out_channels / p.groups;
  const std::int64_t group_in = p.image.channels * p.image.height * p.image.width;
  std::fill(dx, dx + images * p.x_size(), T(0));
  for (std::int64_t i = 0; i < images * p.groups; ++i) {
    const std::int64_t g = i % p.groups;
    cbnet::gemm<T>(true, false, p.taps(), p.pixels(), group_out, T(1), w + g * group_out * p.taps(), p.taps(),
                   dy + i * group_out * p.pixels(), p.pixels(), T(0), columns.data(), p.pixels());
    kernels::col2im(columns.data(), p.image, dx + i * group_in);
  }
}

/// Adds to dw.
template <class T>
void backward_weight_images(const Problem& p, std::int64_t images, const T* x, const T* dy, T* dw) {
  if (p.direct) {
    Scratch<T> ws(p, images, kernels::Conv2dPass::backward_weight);
    kernels::isa_table<T>().conv2d_backward_weight(x, dy, dw, p.direct_dims(images), ws.data());
    return;
  }
  Scratch<T> columns(p);
  const std::int64_t group_out = p.out_channels / p.groups;
  for (std::int64_t i = 0; i < images * p.groups; ++i) {
    const std::int64_t g = i % p.groups;
    kernels::im2col(x + i * p.image.channels * p.image.height * p.image.width, p.image, columns.data());
    cbnet::gemm<T>(false, true, group_out, p.taps(), p.pixels(), T(1), dy + i * group_out * p.pixels(),
                   p.pixels(), columns.data(), p.pixels(), T(1), dw + g * group_out * p.taps(), p.taps());
  }
}

/// What every range of images adds to, a zeroed copy for each, and their sum in order.
template <class T>
struct Parts {
  Parts(int ranges, std::int64_t size_of_one)
      : size(size_of_one), count(std::max(1, ranges)), parts(static_cast<std::size_t>(count * size)) {
    parallel_for(count * size, kGrainElements, [all = parts.data()](std::int64_t begin, std::int64_t end) {
      std::fill(all + begin, all + end, T(0));
    });
  }

  T* of(int range) { return parts.data() + range * size; }

  template <class To>
  void store_total(To* to) {
    parallel_for(size, kGrainElements, [&, total = parts.data()](std::int64_t begin, std::int64_t end) {
      for (std::int64_t range = 1; range < count; ++range) {
        for (std::int64_t i = begin; i < end; ++i) total[i] += total[range * size + i];
      }
      for (std::int64_t i = begin; i < end; ++i) to[i] = static_cast<To>(total[i]);
    });
  }

  std::int64_t size, count;
  Scratch<T> parts;
};

template <class T>
void forward(const Conv2dCall& call) {
  Problem p = make_problem(call.sizes);
  choose_lanes<T>(p);
  Ranges<T>(p).for_each([&](int, std::int64_t first, std::int64_t images) {
    forward_images<T>(p, images, as<T>(call.x) + first * p.x_size(), as<T>(call.weight), as<T>(call.bias),
                      as<T>(call.y) + first * p.y_size());
  });
}

/// The sum of dy over images and pixels.
void sum_outputs(const Conv2dBackwardCall& call) {
  const Conv2dSizes& s = call.sizes;
  const std::int64_t shape[] = {s.n, s.o, s.oh, s.ow}, strides[] = {0, 1, 0, 0};
  sum({.dtype = call.dtype, .shape = shape, .x = call.dy, .y = call.dbias, .y_strides = strides});
}

template <class T>
void backward(const Conv2dBackwardCall& call) {
  Problem p = make_problem(call.sizes);
  choose_lanes<T>(p);
  const Ranges<T> ranges(p);
  const bool needs_dw = call.dweight != nullptr, needs_db = call.dbias != nullptr;
  Parts<T> dw(needs_dw ? ranges.count : 0, p.out_channels * p.taps());
  Parts<double> db(p.lanes && needs_db ? ranges.count : 0, p.out_channels);
  ranges.for_each([&](int range, std::int64_t first, std::int64_t images) {
    const T* x = as<T>(call.x) + first * p.x_size();
    const T* w = as<T>(call.weight);
    const T* dy = as<T>(call.dy) + first * p.y_size();
    T* dx = call.dx != nullptr ? as<T>(call.dx) + first * p.x_size() : nullptr;
    T* dws = needs_dw ? dw.of(range) : nullptr;
    if (p.lanes) {
      Scratch<T> ws(p, images, kernels::Conv2dPass::backward_weight);
      kernels::isa_table<T>().conv2d_lanes_backward(x, w, dy, dx, dws, needs_db ? db.of(range) : nullptr,
                                                    p.direct_dims(images), ws.data());
      return;
    }
    if (dx != nullptr) backward_input_images<T>(p, images, dy, w, dx);
    if (needs_dw) backward_weight_images<T>(p, images, x, dy, dws);
  });
  if (needs_dw) dw.store_total(as<T>(call.dweight));
  if (needs_db && p.lanes) db.store_total(as<T>(call.dbias));
  if (needs_db && !p.lanes) sum_outputs(call);
}

}  // namespace

void conv2d(const Conv2dCall& call) {
  dispatch_floating(call.dtype, "conv2d", [&](auto zero) { forward<decltype(zero)>(call); });
}

void conv2d_backward(const Conv2dBackwardCall& call) {
  dispatch_floating(call.dtype, "conv2d", [&](auto zero) { backward<decltype(zero)>(call); });
}

}  // namespace cbnet::cpu
