// `conv2d` and `conv2d_backward` in tensor/reference/products.cpp define what this file computes, in one of
// three ways. A batch goes by the kernels with an image in each lane of a vector (conv2d_lanes.h); fewer
// images by the direct ones where stride, dilation and groups are 1 and padding < kernel (conv2d_direct.h),
// else by im2col and gemm. Kernels of one pixel have their own way, which gradients of weights do not go.
// Every thread takes a range of images and adds gradients of weights to a copy of its own:
//
//   images   | range 0 | range 1 | … |      dw of range 0 + dw of range 1 + … -> dw
#include "tensor/cpu/blas.h"
#include "tensor/cpu/functions.h"
#include "tensor/cpu/kernels/im2col.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/storage.h"

namespace cbnet::cpu {
namespace {

using std::int64_t;

enum class Algorithm { lanes, direct, columns };

template <class T>
struct Problem {
  Conv2dSizes s;
  int64_t x_size = s.c * s.h * s.w, pixels = s.oh * s.ow, y_size = s.o * pixels;  // of an image
  int64_t taps = s.c / s.options.groups * s.kh * s.kw;                            // of an output
  const kernels::IsaTable<T>& table = kernels::isa_table<T>();
  Algorithm algorithm = choose();
  bool by_pixels = s.kh == 1 && s.kw == 1 && is_plain() && table.lanes > 1 && pixels >= table.lanes;

  kernels::Conv2dDims dims(int64_t images) const {
    const Conv2dOptions& o = s.options;
    return {images,      s.c,         s.h,        s.w,        s.o,          s.kh,         s.kw,
            o.padding_h, o.padding_w, o.stride_h, o.stride_w, o.dilation_h, o.dilation_w, o.groups};
  }

 private:
  bool is_plain() const {
    const Conv2dOptions& o = s.options;
    return o.stride_h == 1 && o.stride_w == 1 && o.dilation_h == 1 && o.dilation_w == 1 && o.groups == 1 &&
           o.padding_h < s.kh && o.padding_w < s.kw;
  }
  Algorithm choose() const {
    const bool direct = is_plain();
    if (table.lanes == 1) return direct ? Algorithm::direct : Algorithm::columns;
    // A set of images should fill at least half of the lanes. Beside direct kernels every thread should get
    // one, and it should stay in the second-level cache, of 1 or 2 MB; im2col loses well beyond that.
    const std::size_t size = kernels::conv2d_lanes_workspace(dims(table.lanes)) * sizeof(T);
    if (direct) {
      const bool lanes = 2 * s.n >= table.lanes * num_threads() && size <= std::size_t{2} << 20;
      return lanes ? Algorithm::lanes : Algorithm::direct;
    }
    return 2 * s.n >= table.lanes && size <= std::size_t{32} << 20 ? Algorithm::lanes : Algorithm::columns;
  }
};

/// Ranges spread the images over the threads: in whole groups of lanes where those are used.
template <class T>
struct Ranges {
  explicit Ranges(const Problem<T>& p)
      : n(p.s.n),
        unit(p.algorithm == Algorithm::lanes ? p.table.lanes : 1),
        units((n + unit - 1) / unit),
        count(chunk_count(units, p.algorithm == Algorithm::lanes ? 1 : 4)) {}

  /// Calls fn(chunk, first image, images).
  template <class F>
  void for_each(F fn) const {
    parallel_chunks_of(count, units, [&](int chunk, int64_t begin, int64_t end) {
      fn(chunk, begin * unit, std::min(end * unit, n) - begin * unit);
    });
  }

  int64_t n, unit, units;
  int count;
};

/// One thread has this scratch.
template <class T>
struct Scratch {
  explicit Scratch(std::size_t size) : storage(size * sizeof(T)) {}
  /// Makes that of a pass of the direct kernels.
  Scratch(const Problem<T>& p, int64_t images, kernels::Conv2dPass pass)
      : Scratch(p.algorithm == Algorithm::lanes ? kernels::conv2d_lanes_workspace(p.dims(images))
                                                : kernels::conv2d_direct_workspace(p.dims(images), pass)) {}

  T* data() { return reinterpret_cast<T*>(storage.data()); }

  Storage storage;
};

/// This is one group of one image: where it begins in x, y and the weight, its first output and outputs.
struct GroupAt {
  int64_t x, y, w, first_output, outputs;
};

/// Calls fn(group, room for its columns) for every group of every image.
template <class T, class Fn>
void for_each_group(const Problem<T>& p, int64_t images, Fn fn) {
  Scratch<T> columns(static_cast<std::size_t>(p.taps * p.pixels));
  const int64_t groups = p.s.options.groups, outputs = p.s.o / groups;
  for (int64_t i = 0; i < images * groups; ++i) {
    const int64_t first = i % groups * outputs;
    fn(GroupAt{i * (p.x_size / groups), i * outputs * p.pixels, first * p.taps, first, outputs},
       columns.data());
  }
}

template <class T>
void convolve_pixels(const Problem<T>& p, const kernels::Conv1x1& sizes, const T* x, const T* w,
                     const T* bias, T* y) {
  Scratch<T> ws(kernels::conv2d_1x1_workspace(sizes));
  p.table.conv2d_1x1(x, w, bias, y, sizes, ws.data());
}

template <class T>
void forward_images(const Problem<T>& p, int64_t images, const T* x, const T* w, const T* bias, T* y) {
  if (p.by_pixels) return convolve_pixels(p, {images, p.s.c, p.s.o, p.pixels, p.s.c, 1}, x, w, bias, y);
  if (p.algorithm != Algorithm::columns) {
    Scratch<T> ws(p, images, kernels::Conv2dPass::forward);
    const auto forward =
        p.algorithm == Algorithm::lanes ? p.table.conv2d_lanes_forward : p.table.conv2d_forward;
    return forward(x, w, bias, y, p.dims(images), ws.data());
  }
  for_each_group(p, images, [&](const GroupAt& g, T* columns) {
    T* out = y + g.y;
    for (int64_t o = 0; o < g.outputs; ++o)
      std::fill_n(out + o * p.pixels, p.pixels, bias == nullptr ? T(0) : bias[g.first_output + o]);
    kernels::im2col(x + g.x, p.s, columns);
    cbnet::gemm<T>({.m = g.outputs,
                    .n = p.pixels,
                    .k = p.taps,
                    .a = w + g.w,
                    .lda = p.taps,
                    .b = columns,
                    .ldb = p.pixels,
                    .beta = 1,
                    .c = out,
                    .ldc = p.pixels});
  });
}

template <class T>
void backward_input_images(const Problem<T>& p, int64_t images, const T* dy, const T* w, T* dx) {
  if (p.algorithm == Algorithm::direct) {
    Scratch<T> ws(p, images, kernels::Conv2dPass::backward_input);
    return p.table.conv2d_backward_input(dy, w, dx, p.dims(images), ws.data());
  }
  std::fill(dx, dx + images * p.x_size, T(0));
  for_each_group(p, images, [&](const GroupAt& g, T* columns) {
    cbnet::gemm<T>({.transpose_a = true,
                    .m = p.taps,
                    .n = p.pixels,
                    .k = g.outputs,
                    .a = w + g.w,
                    .lda = p.taps,
                    .b = dy + g.y,
                    .ldb = p.pixels,
                    .c = columns,
                    .ldc = p.pixels});
    kernels::col2im(columns, p.s, dx + g.x);
  });
}

/// Adds to dw.
template <class T>
void backward_weight_images(const Problem<T>& p, int64_t images, const T* x, const T* dy, T* dw) {
  if (p.algorithm == Algorithm::direct) {
    Scratch<T> ws(p, images, kernels::Conv2dPass::backward_weight);
    return p.table.conv2d_backward_weight(x, dy, dw, p.dims(images), ws.data());
  }
  for_each_group(p, images, [&](const GroupAt& g, T* columns) {
    kernels::im2col(x + g.x, p.s, columns);
    cbnet::gemm<T>({.transpose_b = true,
                    .m = g.outputs,
                    .n = p.taps,
                    .k = p.pixels,
                    .a = dy + g.y,
                    .lda = p.pixels,
                    .b = columns,
                    .ldb = p.pixels,
                    .beta = 1,
                    .c = dw + g.w,
                    .ldc = p.taps});
  });
}

/// Every range of images adds to a zeroed copy of its own; the copies are added up in order.
template <class T>
struct Parts {
  Parts(int ranges, int64_t size_of_one)
      : size(size_of_one), count(std::max(1, ranges)), parts(static_cast<std::size_t>(count * size)) {
    parallel_for(count * size, kGrainElements, [all = parts.data()](int64_t begin, int64_t end) {
      std::fill(all + begin, all + end, T(0));
    });
  }

  T* of(int range) { return parts.data() + range * size; }

  template <class To>
  void store_total(To* to) {
    parallel_for(size, kGrainElements, [&, total = parts.data()](int64_t begin, int64_t end) {
      for (int64_t range = 1; range < count; ++range) {
        for (int64_t i = begin; i < end; ++i) total[i] += total[range * size + i];
      }
      for (int64_t i = begin; i < end; ++i) to[i] = static_cast<To>(total[i]);
    });
  }

  int64_t size, count;
  Scratch<T> parts;
};

template <class T>
void conv2d_of(const Conv2dCall& call) {
  const Problem<T> p{call.sizes};
  Ranges<T>(p).for_each([&](int, int64_t first, int64_t images) {
    forward_images<T>(p, images, as<T>(call.x) + first * p.x_size, as<T>(call.weight), as<T>(call.bias),
                      as<T>(call.y) + first * p.y_size);
  });
}

/// Sums dy over images and pixels.
void sum_outputs(const Conv2dBackwardCall& call) {
  const Conv2dSizes& s = call.sizes;
  const int64_t shape[] = {s.n, s.o, s.oh, s.ow}, strides[] = {0, 1, 0, 0};
  sum({.dtype = call.dtype, .shape = shape, .x = call.dy, .y = call.dbias, .y_strides = strides});
}

template <class T>
void conv2d_backward_of(const Conv2dBackwardCall& call) {
  const Problem<T> p{call.sizes};
  const Ranges<T> ranges(p);
  const bool lanes = p.algorithm == Algorithm::lanes;
  const bool needs_dw = call.dweight != nullptr, needs_db = call.dbias != nullptr;
  Parts<T> dw(needs_dw ? ranges.count : 0, p.s.o * p.taps);
  Parts<double> db(lanes && needs_db ? ranges.count : 0, p.s.o);
  ranges.for_each([&](int range, int64_t first, int64_t images) {
    const T *x = as<T>(call.x) + first * p.x_size, *w = as<T>(call.weight);
    const T* dy = as<T>(call.dy) + first * p.y_size;
    T* dx = call.dx != nullptr ? as<T>(call.dx) + first * p.x_size : nullptr;
    T* dws = needs_dw ? dw.of(range) : nullptr;
    if (dx != nullptr && p.by_pixels) {
      convolve_pixels<T>(p, {images, p.s.o, p.s.c, p.pixels, 1, p.s.c}, dy, w, nullptr, dx);
      dx = nullptr;
    }
    if (lanes) {
      Scratch<T> ws(p, images, kernels::Conv2dPass::backward_weight);
      p.table.conv2d_lanes_backward({x, w, dy, dx, dws, needs_db ? db.of(range) : nullptr}, p.dims(images),
                                    ws.data());
      return;
    }
    if (dx != nullptr) backward_input_images<T>(p, images, dy, w, dx);
    if (needs_dw) backward_weight_images<T>(p, images, x, dy, dws);
  });
  if (needs_dw) dw.store_total(as<T>(call.dweight));
  if (needs_db && lanes) db.store_total(as<T>(call.dbias));
  if (needs_db && !lanes) sum_outputs(call);
}

}  // namespace

CBNET_BY_DTYPE(conv2d, Conv2dCall)
CBNET_BY_DTYPE(conv2d_backward, Conv2dBackwardCall)

}  // namespace cbnet::cpu
