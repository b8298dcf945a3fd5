#pragma once

#include <cstddef>
#include <cstdint>

// This header is for direct convolution (cross-correlation) with stride 1, dilation 1, groups 1: for few
// channels and small images it beats im2col + GEMM, which writes every pixel kh * kw times and hands GEMM
// thin matrices. `conv2d` and `conv2d_backward` in tensor/reference/products.cpp define what it computes:
//
// conv2d_forward         : y[n,o,i,j]   = bias[o] + sum_{c,ky,kx} w[o,c,ky,kx] * x[n,c,i+ky-pad_h,j+kx-pad_w]
// conv2d_backward_input  : dx[n,c,i,j]  = sum_{o,ky,kx} w[o,c,ky,kx] * dy[n,o,i-ky+pad_h,j-kx+pad_w]
// conv2d_backward_weight : dw[o,c,ky,kx] += sum_{n,i,j} dy[n,o,i,j] * x[n,c,i+ky-pad_h,j+kx-pad_w]
//
// Shapes : x, dx (N,C,H,W), w, dw (O,C,kh,kw), bias (O) or null, y, dy (N,O,OH,OW); dense, any alignment.
// Needs  : pad_h < kh, pad_w < kw, OH >= 1, OW >= 1 (unchecked: the op that calls has thrown already).
// Threads: none inside. A caller gives each thread a range of images (offset pointers, dims.n images), its
//          own workspace and, for backward_weight, its own dw. The order of summation depends on dims
//          only, so equal calls give equal bits.
// NaN/Inf: padding is zeros, as in the formula on a zero-padded x (or dy): a non-finite weight meets them
//          as 0 * inf = NaN. A non-finite pixel reaches exactly the results whose sums hold it.
//
// Layout: a plane is copied into scratch with `row` = W + pad_w elements a row, left padding only: the zeros
// on the left of the next row serve as those on the right. With W = 4, H = 3, kernel 3 and padding 1:
//
//   x: row = 5   0 0 0 0 0    pad_h rows       y: same row   y y y y -    OH rows; columns OW … row - 1, here
//                0 x x x x    H rows, with                   y y y y -    one, are computed and dropped
//                0 x x x x    pad_w zeros                    y y y y -    (forward), or hold the zeros of
//                0 x x x x    on the left                                 dy (backward_weight)
//                0 0 0 0 0 …  as far as the last vector reads
//
// Pixel (i, j) under tap (ky, kx) is then element q + ky*row + kx with q = i*row + j, so vectors run over q
// straight across row ends. Results are (output channels x vectors) blocks in registers, sized by the ISA.

namespace cbnet::kernels {

struct Conv2dDims {
  int64_t n, c, h, w;    // x
  int64_t o, kh, kw;     // w: (o, c / groups, kh, kw)
  int64_t pad_h, pad_w;  // zeros on each side
  // The kernels of this header take these as they are; those of conv2d_lanes.h take any.
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, groups = 1;

  // always_inline, here and below: an out-of-line copy made by a file with ISA flags would be weak, and
  // the linker might keep it for everyone.
  [[gnu::always_inline]] constexpr int64_t oh() const {
    return (h + 2 * pad_h - dilation_h * (kh - 1) - 1) / stride_h + 1;
  }
  [[gnu::always_inline]] constexpr int64_t ow() const {
    return (w + 2 * pad_w - dilation_w * (kw - 1) - 1) / stride_w + 1;
  }

  // backward_input is the forward pass of dy with the weights' channels swapped and taps reversed.
  [[gnu::always_inline]] constexpr Conv2dDims transposed() const {
    return {n, o, oh(), ow(), c, kh, kw, kh - 1 - pad_h, kw - 1 - pad_w};
  }
};

enum class Conv2dPass { forward, backward_input, backward_weight };

// The pitches of the scratch planes are in elements.
struct Conv2dDirectLayout {
  static constexpr int64_t kAlign = 16;      // lanes of the widest vector of any ISA; a cache line of f32
  static constexpr int64_t kMaxOutputs = 6;  // max output channels a block of the forward pass holds

  int64_t row;        // of both planes
  int64_t in_plane;   // padded input, and zeros as far as the last vector reads
  int64_t out_plane;  // OH rows, rounded up to whole vectors
  int64_t packed;     // the weights
  int64_t group;      // images whose sums backward_weight keeps in registers before it adds lanes

  [[gnu::always_inline]] static constexpr int64_t round_up(int64_t size) {
    return (size + kAlign - 1) / kAlign * kAlign;
  }

  [[gnu::always_inline]] static constexpr Conv2dDirectLayout of(const Conv2dDims& d) {
    Conv2dDirectLayout l{};
    l.row = d.w + d.pad_w;
    l.out_plane = round_up(d.oh() * l.row);
    l.in_plane = round_up(l.out_plane + (d.kh - 1) * l.row + d.kw - 1);
    l.packed = round_up(d.o * d.c * d.kh * d.kw);
    // Five planes of dy and one of x are read over and over: they should stay in a 48 KB L1 (as f32),
    // and the planes of all channels in L2.
    constexpr int64_t kL1 = 10 * 1024, kL2 = 256 * 1024, kMaxGroup = 8;
    const int64_t hot = 5 * l.out_plane + l.in_plane, all = d.c * l.in_plane + d.o * l.out_plane;
    l.group = kL1 / hot < kL2 / all ? kL1 / hot : kL2 / all;
    if (l.group > kMaxGroup) l.group = kMaxGroup;
    if (l.group > d.n) l.group = d.n;
    if (l.group < 1) l.group = 1;
    return l;
  }
};

// Returns how many elements of T the workspace of a pass must hold, for any ISA and alignment.
[[gnu::always_inline]] constexpr size_t conv2d_direct_workspace(const Conv2dDims& dims, Conv2dPass pass) {
  const auto l = Conv2dDirectLayout::of(pass == Conv2dPass::backward_input ? dims.transposed() : dims);
  const int64_t c = pass == Conv2dPass::backward_input ? dims.o : dims.c;
  const int64_t size = pass == Conv2dPass::backward_weight
                           ? l.group * (dims.c * l.in_plane + dims.o * l.out_plane)
                           : l.packed + c * l.in_plane + Conv2dDirectLayout::kMaxOutputs * l.out_plane;
  return static_cast<size_t>(size + Conv2dDirectLayout::kAlign);
}

}  // namespace cbnet::kernels
