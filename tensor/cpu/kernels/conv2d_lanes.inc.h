#pragma once
// This is the body of conv2d_lanes.h, with the packing and block sizes of conv2d_direct.inc.h:
// kForwardVectors pixels of a row, or kWeightTaps taps, by as many outputs. Every element of an image is a
// vector, one lane an image (lanes.inc.h). Workspaces, for some groups of channels, the weights packed as
// conv2d_pack does:
//
//   forward    | runs | packed weights | x | y |
//   backward   | runs | packed weights | dx | sets of x | sets of dy |

#include "tensor/cpu/kernels/conv2d_direct.inc.h"
#include "tensor/cpu/kernels/conv2d_lanes.h"
#include "tensor/cpu/kernels/lanes.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// ---- forward, and backward to the input

struct Range {
  int64_t begin, end;
};

// Returns i, or the end of `done` if it lies there: what the main loops leave to the edges.
[[gnu::always_inline]] inline int64_t after(int64_t i, Range done) {
  return i >= done.begin && i < done.end ? done.end : i;
}

// Returns the m of [0, count) for which low <= x + m * step < high.
[[gnu::always_inline]] inline Range steps_inside(int64_t x, int64_t step, int64_t count, int64_t low,
                                                 int64_t high) {
  const auto steps_to = [&](int64_t end) __attribute__((always_inline)) {
    const int64_t steps = end <= x ? 0 : (end - x + step - 1) / step;
    return steps < count ? steps : count;
  };
  return {steps_to(low), steps_to(high)};
}

// One direction of an image. A result is made of `count` taps k, k + k_step, ... over elements x, x + x_step,
// ... of the other image; results `out_step` apart are made of the same taps over elements `in_step` apart.
// A result of the forward pass has all taps; to the input, taps come from the last to the first, for
// x = (i + padding - k * dilation) / stride where that leaves no remainder:
//
//   stride 2, kernel 3, padding 1   dx: 0   1   2   3      taps of 0, 2, ...: 1;  of 1, 3, ...: 2, 0
//                                   dy: 0       1
struct LaneAxis {
  int64_t in, out, kernel, stride, dilation, padding;
  bool to_input;
  int64_t k_step = 1, x_step = dilation, out_step = 1, in_step = stride;

  struct Taps {
    int64_t k, x, count;
  };
  [[gnu::always_inline]] Taps at(int64_t i) const {
    if (!to_input) return {0, i * stride - padding, kernel};
    int64_t k = kernel - 1;
    while (k >= 0 && (i + padding - k * dilation) % stride != 0) --k;
    return k < 0 ? Taps{0, 0, 0} : Taps{k, (i + padding - k * dilation) / stride, k / -k_step + 1};
  }
};

[[gnu::always_inline]] inline LaneAxis forward_axis(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                                                    int64_t dilation, int64_t padding) {
  return {in, out, kernel, stride, dilation, padding, false};
}
[[gnu::always_inline]] inline LaneAxis input_axis(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                                                  int64_t dilation, int64_t padding) {
  int64_t common = stride, rest = dilation % stride;
  while (rest != 0) {
    const int64_t next = common % rest;
    common = rest;
    rest = next;
  }
  return {out, in, kernel, stride, dilation, padding, true, -(stride / common), dilation / common, stride, 1};
}

// A run is results of a row, out, out + out_step, ..., that one call makes. Of its taps, from tap k over
// element x, `any` are those that one of its results has inside the image, `all` those that all of them have.
struct LaneRun {
  int64_t out, pixels, k, x;
  Range any, all;
};
static_assert(sizeof(LaneRun) == 64);

// Lists the runs of a row and returns their end.
[[gnu::noinline]] LaneRun* list_runs(const LaneAxis& a, LaneRun* run) {
  for (int64_t first = 0; first < a.out_step && first < a.out; ++first) {
    const Split pixels((a.out - first + a.out_step - 1) / a.out_step, kForwardVectors);
    int64_t out = first;
    for (int64_t block = 0; block < pixels.blocks; ++block, ++run) {
      const auto [k, x, count] = a.at(out);
      const int64_t last = x + (pixels[block] - 1) * a.in_step;
      run->out = out;
      run->pixels = pixels[block];
      run->k = k;
      run->x = x;
      // The first result's elements lie left of the others': it leaves the image last on the right.
      const Range of_first = steps_inside(x, a.x_step, count, 0, a.in);
      const Range of_last = steps_inside(last, a.x_step, count, 0, a.in);
      run->any = {of_last.begin, of_first.end};
      run->all = {of_first.begin, of_last.end};
      if (run->any.end < run->any.begin) run->any.end = run->any.begin;
      if (run->all.end < run->all.begin) run->all = {run->any.begin, run->any.begin};
      out += pixels[block] * a.out_step;
    }
  }
  return run;
}

template <class T>
struct LanePixels {
  const T* x;  // lanes
  const T* w;  // packed (c, kh, kw, outputs)
  const T* bias;
  T* y;  // lanes; of the first output
  int64_t c;
  LaneAxis rows, columns;
};

// Neighbours that are one vector apart, as with stride and dilation 1, have addresses that the compiler
// knows. Where speed is not asked for, of f64, one kernel does for all.
template <class T>
constexpr bool kUnitSteps = sizeof(T) == sizeof(float);

// Computes the results of a run in row i.
template <class T, int Pixels, int Outputs, bool kUnit>
[[gnu::noinline]] void lane_pixels(const LanePixels<T>& a, int64_t i, const LaneAxis::Taps& row,
                                   const LaneRun& run) {
  constexpr int64_t L = kLanes<T>;
  const int64_t width = a.columns.in, plane = a.rows.in * width, kw = a.columns.kernel;
  const int64_t k_step = a.columns.k_step * Outputs, w_row = a.rows.k_step * kw * Outputs;
  const int64_t x_step = kUnit ? 1 : a.columns.x_step, pixel_step = kUnit ? 1 : a.columns.in_step;
  const int64_t x_row = a.rows.x_step * width * L;
  Simd<T> acc[Outputs][Pixels];
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    const Simd<T> bias = (a.bias ? a.bias[o] : T(0)) - Simd<T>{};
    CBNET_UNROLL for (int p = 0; p < Pixels; ++p) acc[o][p] = bias;
  }
  for (int64_t c = 0; c < a.c; ++c) {
    const T* x = a.x + (c * plane + row.x * width + run.x) * L;
    const T* w = a.w + ((c * a.rows.kernel + row.k) * kw + run.k) * Outputs;
    for (int64_t m = 0; m < row.count; ++m, x += x_row, w += w_row) {
      for (int64_t t = run.all.begin; t < run.all.end; ++t) {
        Simd<T> pixel[Pixels];
        CBNET_UNROLL for (int p = 0; p < Pixels; ++p) pixel[p] = load(x + (t * x_step + p * pixel_step) * L);
        CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
          const Simd<T> tap = w[t * k_step + o] - Simd<T>{};
          CBNET_UNROLL for (int p = 0; p < Pixels; ++p) acc[o][p] += tap * pixel[p];
        }
      }
      for (int64_t t = after(run.any.begin, run.all); t < run.any.end; t = after(t + 1, run.all)) {
        CBNET_UNROLL for (int p = 0; p < Pixels; ++p) {
          const int64_t column = run.x + t * x_step + p * pixel_step;
          if (column < 0 || column >= width) continue;
          const Simd<T> pixel = load(x + (t * x_step + p * pixel_step) * L);
          CBNET_UNROLL for (int o = 0; o < Outputs; ++o) acc[o][p] += w[t * k_step + o] * pixel;
        }
      }
    }
  }
  T* y = a.y + (i * a.columns.out + run.out) * L;
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int p = 0; p < Pixels; ++p) {
      store(y + (o * a.rows.out * a.columns.out + p * a.columns.out_step) * L, acc[o][p]);
    }
  }
}

template <class T, bool kUnit>
struct LanePixelsBlock {
  template <int Pixels, int Outputs>
  static constexpr auto at = lane_pixels<T, Pixels, Outputs, kUnit>;
};

template <class T, bool kUnit>
void lanes_forward_by(LanePixels<T> a, int64_t outputs, const LaneRun* runs, const LaneRun* runs_end) {
  const Split blocks(outputs, kForwardOutputs);
  for (int64_t block = 0; block < blocks.blocks; ++block) {
    const int64_t count = blocks[block];
    for (int64_t i = 0; i < a.rows.out; ++i) {
      LaneAxis::Taps row = a.rows.at(i);
      const Range inside = steps_inside(row.x, a.rows.x_step, row.count, 0, a.rows.in);
      row.k += inside.begin * a.rows.k_step;
      row.x += inside.begin * a.rows.x_step;
      row.count = inside.end - inside.begin;
      for (const LaneRun* run = runs; run != runs_end; ++run) {
        pick<LanePixelsBlock<T, kUnit>, kForwardVectors, kForwardOutputs>(run->pixels, count)(a, i, row,
                                                                                              *run);
      }
    }
    a.w += count * a.c * a.rows.kernel * a.columns.kernel;
    a.y += count * a.rows.out * a.columns.out * kLanes<T>;
    if (a.bias) a.bias += count;
  }
}

// Convolves one set of images, all in lanes, to `outputs` channels.
template <class T>
void lanes_forward(const LanePixels<T>& a, int64_t outputs, const LaneRun* runs, const LaneRun* runs_end) {
  if (kUnitSteps<T> && a.columns.x_step == 1 && a.columns.in_step == 1) {
    lanes_forward_by<T, kUnitSteps<T>>(a, outputs, runs, runs_end);
  } else {
    lanes_forward_by<T, false>(a, outputs, runs, runs_end);
  }
}

// What a pass has of a group of channels.
struct LanesGroup {
  int64_t c, o, x_size, y_size;  // of an image's group
  int64_t x_image, y_image;      // elements of an image
  [[gnu::always_inline]] explicit LanesGroup(const Conv2dDims& d)
      : c(d.c / d.groups),
        o(d.o / d.groups),
        x_size(c * d.h * d.w),
        y_size(o * d.oh() * d.ow()),
        x_image(d.groups * x_size),
        y_image(d.groups * y_size) {}
};

template <class T>
void conv2d_lanes_forward(const T* x, const T* w, const T* bias, T* y, const Conv2dDims& d, T* workspace) {
  constexpr int64_t L = kLanes<T>;
  const auto l = Conv2dLanesLayout::of(d);
  const LanesGroup g(d);
  LanePixels<T> args{};
  args.c = g.c;
  args.rows = forward_axis(d.h, d.oh(), d.kh, d.stride_h, d.dilation_h, d.pad_h);
  args.columns = forward_axis(d.w, d.ow(), d.kw, d.stride_w, d.dilation_w, d.pad_w);
  T* const space = align(workspace);
  auto* const runs = reinterpret_cast<LaneRun*>(space);
  const LaneRun* const runs_end = list_runs(args.columns, runs);
  T* const packed = space + d.ow() * static_cast<int64_t>(sizeof(LaneRun) / sizeof(T));
  T* const xs = packed + l.groups * l.packed;
  T* const ys = xs + l.groups * l.x * L;
  const int64_t taps = g.c * d.kh * d.kw;
  Conv2dDims of_group = d;
  of_group.c = g.c;
  of_group.o = g.o;
  for (int64_t first = 0; first < d.groups; first += l.groups) {
    const int64_t groups = d.groups - first < l.groups ? d.groups - first : l.groups;
    for (int64_t i = 0; i < groups; ++i)
      conv2d_pack(w + (first + i) * g.o * taps, packed + i * l.packed, of_group);
    for (int64_t n = 0; n < d.n; n += L) {
      const int64_t images = d.n - n < L ? d.n - n : L;
      to_lanes(x + n * g.x_image + first * g.x_size, images, g.x_image, groups * g.x_size, xs, L);
      for (int64_t i = 0; i < groups; ++i) {
        args.x = xs + i * g.x_size * L;
        args.w = packed + i * l.packed;
        args.bias = bias ? bias + (first + i) * g.o : nullptr;
        args.y = ys + i * g.y_size * L;
        lanes_forward(args, g.o, runs, runs_end);
      }
      from_lanes(ys, images, groups * g.y_size, y + n * g.y_image + first * g.y_size, g.y_image);
    }
  }
}

// ---- backward

template <class T>
struct LaneTaps {
  const T* x;   // lanes; of a group of channels
  const T* dy;  // lanes; of the first output
  int64_t sets, x_set, dy_set;
  Conv2dDims d;
  T* dw;                       // of the first output
  int64_t plane[kWeightTaps];  // of each tap: where its channel begins
  int64_t left[kWeightTaps];   // the column of x under it in column 0 of dy
  int64_t to[kWeightTaps];     // in dw
};

// Adds up some taps of row ky of a kernel, of one channel or several; kUnit: of one, neighbours, stride and
// dilation 1.
template <class T, int Outputs, int Taps, bool kUnit>
[[gnu::noinline]] void lane_taps(const LaneTaps<T>& a, int64_t ky) {
  constexpr int64_t L = kLanes<T>;
  const int64_t width = a.d.w, ow = a.d.ow(), oh = a.d.oh(), dy_plane = oh * ow * L;
  const int64_t top = ky * a.d.dilation_h - a.d.pad_h, step = kUnit ? 1 : a.d.stride_w;
  const Range rows = steps_inside(top, a.d.stride_h, oh, 0, a.d.h);
  Range all = {0, ow};
  for (int t = 0; t < Taps; ++t) {
    const Range columns = steps_inside(a.left[t], step, ow, 0, width);
    if (columns.begin > all.begin) all.begin = columns.begin;
    if (columns.end < all.end) all.end = columns.end;
  }
  if (all.end < all.begin) all = {0, 0};
  Simd<T> acc[Outputs][Taps];
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int t = 0; t < Taps; ++t) acc[o][t] = Simd<T>{};
  }
  for (int64_t set = 0; set < a.sets; ++set) {
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      const T* x[Taps];
      CBNET_UNROLL for (int t = 0; t < Taps; ++t) {
        const int64_t u = kUnit ? 0 : t;
        x[t] = a.x + set * a.x_set + (a.plane[u] + (top + i * a.d.stride_h) * width + a.left[u] + t - u) * L;
      }
      const T* const dy = a.dy + set * a.dy_set + i * ow * L;
      for (int64_t j = all.begin; j < all.end; ++j) {
        Simd<T> pixel[Taps];
        CBNET_UNROLL for (int t = 0; t < Taps; ++t) pixel[t] = load(x[t] + j * step * L);
        CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
          const Simd<T> grad = load(dy + o * dy_plane + j * L);
          CBNET_UNROLL for (int t = 0; t < Taps; ++t) acc[o][t] += grad * pixel[t];
        }
      }
      for (int64_t j = after(0, all); j < ow; j = after(j + 1, all)) {
        CBNET_UNROLL for (int t = 0; t < Taps; ++t) {
          const int64_t column = (kUnit ? a.left[0] + t : a.left[t]) + j * step;
          if (column < 0 || column >= width) continue;
          const Simd<T> pixel = load(x[t] + j * step * L);
          CBNET_UNROLL for (int o = 0; o < Outputs; ++o) acc[o][t] += load(dy + o * dy_plane + j * L) * pixel;
        }
      }
    }
  }
  const int64_t of_output = a.d.c / a.d.groups * a.d.kh * a.d.kw;
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int t = 0; t < Taps; ++t) {
      a.dw[o * of_output + a.to[t] + ky * a.d.kw] += sum_lanes<T>(acc[o][t]);
    }
  }
}

template <class T, bool kUnit>
struct LaneTapsBlock {
  template <int Outputs, int Taps>
  static constexpr auto at = lane_taps<T, Outputs, Taps, kUnit>;
};

// Adds to dw of a group of channels what its sets of images have. Blocks of taps run over the columns of a
// kernel and on to the next channel's.
template <class T>
void lanes_backward_weight(LaneTaps<T>& a, const LanesGroup& g) {
  const Conv2dDims& d = a.d;
  const Split outputs(g.o, kWeightOutputs), taps(g.c * d.kw, kWeightTaps);
  for (int64_t block = 0; block < outputs.blocks; ++block) {
    int64_t c = 0, kx = 0;
    for (int64_t run = 0; run < taps.blocks; ++run) {
      for (int64_t t = 0; t < taps[run]; ++t) {
        a.plane[t] = c * d.h * d.w;
        a.left[t] = kx * d.dilation_w - d.pad_w;
        a.to[t] = c * d.kh * d.kw + kx;
        if (++kx == d.kw) kx = 0, ++c;
      }
      const bool unit = kUnitSteps<T> && d.stride_w == 1 && d.dilation_w == 1 &&
                        a.to[taps[run] - 1] - a.to[0] == taps[run] - 1 &&
                        a.plane[taps[run] - 1] == a.plane[0];
      const auto fn =
          unit ? pick<LaneTapsBlock<T, kUnitSteps<T>>, kWeightOutputs, kWeightTaps>(outputs[block], taps[run])
               : pick<LaneTapsBlock<T, false>, kWeightOutputs, kWeightTaps>(outputs[block], taps[run]);
      for (int64_t ky = 0; ky < d.kh; ++ky) fn(a, ky);
    }
    a.dy += outputs[block] * d.oh() * d.ow() * kLanes<T>;
    a.dw += outputs[block] * g.c * d.kh * d.kw;
  }
}

// The sums are f64, for they run over many pixels; sixteen run side by side.
template <class T>
void lanes_backward_bias(const T* dy, double* dbias, int64_t outputs, int64_t plane) {
  for (int64_t o = 0; o < outputs; ++o, dy += plane) {
    double sums[16] = {};
    int64_t e = 0;
    for (; e + 16 <= plane; e += 16) {
      CBNET_UNROLL for (int64_t lane = 0; lane < 16; ++lane) sums[lane] += static_cast<double>(dy[e + lane]);
    }
    for (; e < plane; ++e) sums[0] += static_cast<double>(dy[e]);
    for (const double sum : sums) dbias[o] += sum;
  }
}

template <class T>
void conv2d_lanes_backward(const LanesBackward<T>& arrays, const Conv2dDims& d, T* workspace) {
  constexpr int64_t L = kLanes<T>;
  const auto [x, w, dy, dx, dw, dbias] = arrays;
  const auto l = Conv2dLanesLayout::of(d);
  const LanesGroup g(d);
  LanePixels<T> to_input{};
  to_input.c = g.o;
  to_input.rows = input_axis(d.h, d.oh(), d.kh, d.stride_h, d.dilation_h, d.pad_h);
  to_input.columns = input_axis(d.w, d.ow(), d.kw, d.stride_w, d.dilation_w, d.pad_w);
  T* const space = align(workspace);
  auto* const runs = reinterpret_cast<LaneRun*>(space);
  const LaneRun* const runs_end = list_runs(to_input.columns, runs);
  T* const packed = space + d.w * static_cast<int64_t>(sizeof(LaneRun) / sizeof(T));
  T* const dxs = packed + l.groups * l.packed;
  T* const xs = dxs + l.groups * l.x * L;
  T* const dys = xs + l.sets * l.groups * l.x * L;
  const int64_t x_set = l.groups * l.x * L, dy_set = l.groups * l.y * L, taps = d.kh * d.kw;
  Conv2dDims swapped = d;
  swapped.c = g.o;
  swapped.o = g.c;
  for (int64_t first = 0; first < d.groups; first += l.groups) {
    const int64_t groups = d.groups - first < l.groups ? d.groups - first : l.groups;
    for (int64_t i = 0; i < groups && dx; ++i) {
      pack(w + (first + i) * g.o * g.c * taps, packed + i * l.packed, swapped, taps, g.c * taps, false);
    }
    for (int64_t n = 0; n < d.n; n += l.sets * L) {
      const int64_t left = d.n - n < l.sets * L ? d.n - n : l.sets * L, sets = (left + L - 1) / L;
      const auto images = [&](int64_t set) __attribute__((always_inline)) {
        return left - set * L < L ? left - set * L : L;
      };
      for (int64_t set = 0; set < sets; ++set) {
        const int64_t image = n + set * L;
        T* const to = dys + set * dy_set;
        to_lanes(dy + image * g.y_image + first * g.y_size, images(set), g.y_image, groups * g.y_size, to, L);
        if (dbias) {
          lanes_backward_bias(to, dbias + first * g.o, groups * g.o, g.y_size / g.o * L);
        }
        if (dw) {
          to_lanes(x + image * g.x_image + first * g.x_size, images(set), g.x_image, groups * g.x_size,
                   xs + set * x_set, L);
        }
      }
      for (int64_t i = 0; i < groups && dw; ++i) {
        LaneTaps<T> args{};
        args.x = xs + i * g.x_size * L;
        args.dy = dys + i * g.y_size * L;
        args.sets = sets;
        args.x_set = x_set;
        args.dy_set = dy_set;
        args.d = d;
        args.dw = dw + (first + i) * g.o * g.c * taps;
        lanes_backward_weight(args, g);
      }
      for (int64_t set = 0; set < sets && dx; ++set) {
        for (int64_t i = 0; i < groups; ++i) {
          to_input.x = dys + set * dy_set + i * g.y_size * L;
          to_input.w = packed + i * l.packed;
          to_input.y = dxs + i * g.x_size * L;
          lanes_forward(to_input, g.c, runs, runs_end);
        }
        from_lanes(dxs, images(set), groups * g.x_size, dx + (n + set * L) * g.x_image + first * g.x_size,
                   g.x_image);
      }
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
