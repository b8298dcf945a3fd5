// conv2d: y[n,o] = b[o] + sum_c w[o,c] (*) x[n,c], cross-correlation with stride, padding, dilation, groups.
// Shapes : x (N,C,H,W), w (O,C/groups,Kh,Kw), b (O) -> y (N,O,OH,OW).     Dtypes: f32, f64.
// Saves  : x, w.      Grad  : dx = full correlation of dy with w flipped; dw = correlation of x with dy;
//                             db = sum of dy over N, OH, OW.
// Edge   : N == 0 gives an empty y and zero dw, db; an image without pixels and a kernel larger than the
//          padded input throw, as do sizes and options of 2^31 or more.
// Kernels: stride 1, dilation 1, groups 1 and padding < kernel: direct (scalar, avx2, avx512, neon), of
// batches
//          with an image for each lane; im2col + gemm for the rest.     Ref: LeCun et al. 1998, section II.
#include "autograd/ops/conv2d.h"

#include <algorithm>
#include <limits>

#include "autograd/ops/sum.h"
#include "tensor/blas.h"
#include "tensor/kernels/im2col.h"
#include "tensor/kernels/isa_table.h"
#include "tensor/parallel.h"

namespace cbnet::ops {
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

Problem make_problem(const Conv2dOptions& o, const Shape& x, const Shape& w) {
  Problem p{};
  p.n = x[0];
  p.out_channels = w[0];
  p.groups = o.groups;
  p.image = {w[1],        x[2],        x[3],         w[2],         w[3],        o.stride_h, o.stride_w,
             o.padding_h, o.padding_w, o.dilation_h, o.dilation_w, /*out_h=*/0, /*out_w=*/0};
  p.image.out_h = window_count(x[2], w[2], o.stride_h, o.padding_h, o.dilation_h);
  p.image.out_w = window_count(x[3], w[3], o.stride_w, o.padding_w, o.dilation_w);
  p.direct = o.stride_h == 1 && o.stride_w == 1 && o.dilation_h == 1 && o.dilation_w == 1 && o.groups == 1 &&
             o.padding_h < w[2] && o.padding_w < w[3];
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

template <class T>
Tensor workspace(const Problem& p, std::int64_t images, kernels::Conv2dPass pass) {
  const kernels::Conv2dDims dims = p.direct_dims(images);
  const auto size =
      p.lanes ? kernels::conv2d_lanes_workspace(dims) : kernels::conv2d_direct_workspace(dims, pass);
  return Tensor::empty({static_cast<std::int64_t>(size)}, DTypeOf<T>::value);
}

template <class T>
void forward_images(const Problem& p, std::int64_t images, const T* x, const T* w, const T* bias, T* y) {
  if (p.direct) {
    Tensor ws = workspace<T>(p, images, kernels::Conv2dPass::forward);
    const auto& table = kernels::isa_table<T>();
    const auto forward = p.lanes ? table.conv2d_lanes_forward : table.conv2d_forward;
    forward(x, w, bias, y, p.direct_dims(images), ws.data<T>());
    return;
  }
  Tensor columns = Tensor::empty({p.taps(), p.pixels()}, DTypeOf<T>::value);
  const std::int64_t group_out = p.out_channels / p.groups;
  for (std::int64_t i = 0; i < images * p.groups; ++i) {
    const std::int64_t g = i % p.groups;
    T* out = y + i * group_out * p.pixels();
    for (std::int64_t o = 0; o < group_out; ++o) {
      const T start = bias == nullptr ? T(0) : bias[g * group_out + o];
      std::fill(out + o * p.pixels(), out + (o + 1) * p.pixels(), start);
    }
    kernels::im2col(x + i * p.image.channels * p.image.height * p.image.width, p.image, columns.data<T>());
    gemm<T>(false, false, group_out, p.pixels(), p.taps(), T(1), w + g * group_out * p.taps(), p.taps(),
            columns.data<T>(), p.pixels(), T(1), out, p.pixels());
  }
}

template <class T>
void backward_input_images(const Problem& p, std::int64_t images, const T* dy, const T* w, T* dx) {
  if (p.direct) {
    Tensor ws = workspace<T>(p, images, kernels::Conv2dPass::backward_input);
    kernels::isa_table<T>().conv2d_backward_input(dy, w, dx, p.direct_dims(images), ws.data<T>());
    return;
  }
  Tensor columns = Tensor::empty({p.taps(), p.pixels()}, DTypeOf<T>::value);
  const std::int64_t group_out = p.out_channels / p.groups;
  const std::int64_t group_in = p.image.channels * p.image.height * p.image.width;
  std::fill(dx, dx + images * p.x_size(), T(0));
  for (std::int64_t i = 0; i < images * p.groups; ++i) {
    const std::int64_t g = i % p.groups;
    gemm<T>(true, false, p.taps(), p.pixels(), group_out, T(1), w + g * group_out * p.taps(), p.taps(),
            dy + i * group_out * p.pixels(), p.pixels(), T(0), columns.data<T>(), p.pixels());
    kernels::col2im(columns.data<T>(), p.image, dx + i * group_in);
  }
}

/// Adds to dw.
template <class T>
void backward_weight_images(const Problem& p, std::int64_t images, const T* x, const T* dy, T* dw) {
  if (p.direct) {
    Tensor ws = workspace<T>(p, images, kernels::Conv2dPass::backward_weight);
    kernels::isa_table<T>().conv2d_backward_weight(x, dy, dw, p.direct_dims(images), ws.data<T>());
    return;
  }
  Tensor columns = Tensor::empty({p.taps(), p.pixels()}, DTypeOf<T>::value);
  const std::int64_t group_out = p.out_channels / p.groups;
  for (std::int64_t i = 0; i < images * p.groups; ++i) {
    const std::int64_t g = i % p.groups;
    kernels::im2col(x + i * p.image.channels * p.image.height * p.image.width, p.image, columns.data<T>());
    gemm<T>(false, true, group_out, p.taps(), p.pixels(), T(1), dy + i * group_out * p.pixels(), p.pixels(),
            columns.data<T>(), p.pixels(), T(1), dw + g * group_out * p.taps(), p.taps());
  }
}

/// What every range of images adds to, a zeroed copy for each, and their sum in order.
template <class T>
struct Parts {
  Parts(int ranges, const Shape& wanted)
      : shape(wanted), parts(Tensor::zeros({std::max(1, ranges), numel(wanted)}, DTypeOf<T>::value)) {}

  T* of(int range) { return parts.data<T>() + range * parts.size(1); }

  Tensor total() const {
    Tensor sum = parts.select(0, 0).clone();
    for (std::int64_t range = 1; range < parts.size(0); ++range) sum.add_scaled(parts.select(0, range));
    return sum.view(shape);
  }

  Shape shape;
  Tensor parts;
};

}  // namespace

Shape Conv2d::infer(const Args& args, std::span<const Shape> in) {
  const Conv2dOptions& o = args.options;
  const Shape& x = in[0];
  const Shape& w = in[1];
  const auto got = [&] { return concat("input ", to_string(x), ", weight ", to_string(w)); };
  require(x.size() == 4 && w.size() == 4, kName, "input and weight must have 4 axes; got ", got);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();  // products of two stay in int64
  const auto [low, high] = std::minmax({o.stride_h, o.stride_w, o.dilation_h, o.dilation_w, o.groups});
  const auto [low_padding, high_padding] = std::minmax({o.padding_h, o.padding_w});
  require(low >= 1 && high <= kMost && low_padding >= 0 && high_padding <= kMost, kName,
          "stride, dilation and groups must be at least 1, padding at least 0 and all below 2^31");
  require(x[2] >= 1 && x[3] >= 1 && *std::max_element(x.begin(), x.end()) <= kMost &&
              *std::max_element(w.begin(), w.end()) <= kMost,
          kName, "images must have pixels and sizes be at most ", kMost, "; got ", got);
  require(x[1] == w[1] * o.groups, kName, "input channels must equal weight channels times groups (",
          o.groups, "); got ", got);
  require(w[0] % o.groups == 0, kName, "output channels must divide into ", o.groups, " groups; got ", got);
  require(numel(w) > 0, kName, "weight must not be empty; got ", got);
  require(!args.has_bias || in[2] == Shape{w[0]}, kName, "bias must be (", w[0], "); got ",
          [&] { return args.has_bias ? in[2] : Shape{}; });
  const Problem p = make_problem(o, x, w);
  require(p.image.out_h >= 1 && p.image.out_w >= 1, kName, "the kernel is larger than the padded input; got ",
          got);
  return {p.n, p.out_channels, p.image.out_h, p.image.out_w};
}

Tensor Conv2d::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor w = in[1].contiguous();
  const Tensor bias = args.has_bias ? in[2].contiguous() : Tensor();
  saved.keep({x, w}, {2, 1});  // each is a factor of the other's gradient
  Problem p = make_problem(args.options, x.shape(), w.shape());
  Tensor y = Tensor::empty({p.n, p.out_channels, p.image.out_h, p.image.out_w}, x.dtype());
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    choose_lanes<T>(p);
    const T* b = args.has_bias ? bias.data<T>() : nullptr;
    Ranges<T>(p).for_each([&](int, std::int64_t first, std::int64_t images) {
      forward_images<T>(p, images, x.data<T>() + first * p.x_size(), w.data<T>(), b,
                        y.data<T>() + first * p.y_size());
    });
  });
  return y;
}

Gradients Conv2d::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor& x = saved.tensors[0];
  const Tensor& w = saved.tensors[1];
  const Tensor dy = doutput.contiguous();
  Problem p = make_problem(args.options, x.shape(), w.shape());
  Gradients gradients(args.has_bias ? 3 : 2);
  const bool want_dx = saved.needs_grad[0], want_dw = saved.needs_grad[1];
  const bool want_db = args.has_bias && saved.needs_grad[2];
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    choose_lanes<T>(p);
    const Ranges<T> ranges(p);
    if (want_dx) gradients[0] = Tensor::empty(x.shape(), x.dtype());
    Parts<T> dw(want_dw ? ranges.count : 0, w.shape());
    Parts<double> db(p.lanes && want_db ? ranges.count : 0, {p.out_channels});
    ranges.for_each([&](int range, std::int64_t first, std::int64_t images) {
      const T* xs = x.data<T>() + first * p.x_size();
      const T* dys = dy.data<T>() + first * p.y_size();
      T* dxs = want_dx ? gradients[0].data<T>() + first * p.x_size() : nullptr;
      T* dws = want_dw ? dw.of(range) : nullptr;
      if (p.lanes) {
        Tensor ws = workspace<T>(p, images, kernels::Conv2dPass::backward_weight);
        kernels::isa_table<T>().conv2d_lanes_backward(xs, w.data<T>(), dys, dxs, dws,
                                                      want_db ? db.of(range) : nullptr, p.direct_dims(images),
                                                      ws.data<T>());
        return;
      }
      if (want_dx) backward_input_images<T>(p, images, dys, w.data<T>(), dxs);
      if (want_dw) backward_weight_images<T>(p, images, xs, dys, dws);
    });
    if (want_dw) gradients[1] = dw.total();
    if (want_db) {
      gradients[2] = p.lanes ? db.total().to(x.dtype()) : sum_axes(dy, {0, 2, 3}, /*keepdim=*/false);
    }
  });
  return gradients;
}

}  // namespace cbnet::ops
