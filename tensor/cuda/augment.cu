#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"
#include "tensor/image_move.h"

namespace cbnet::cuda {
namespace {

/// A block's first thread draws this for the others.
struct Drawn {
  ImageMove move;
  double sine, cosine;
};

/// A block moves one image.
template <class T>
__global__ void augment_kernel(AugmentCall call) {
  auto& drawn = *shared_memory<Drawn>();
  if (threadIdx.x == 0) {
    drawn.move = ImageMove::draw(call, call.streams[blockIdx.x]);
    drawn.sine = std::sin(drawn.move.angle);
    drawn.cosine = std::cos(drawn.move.angle);
  }
  __syncthreads();
  const ImageMove move = drawn.move;
  const Turn<T> turn{call.h, call.w, drawn.sine, drawn.cosine};
  const int width = static_cast<int>(call.w), area = static_cast<int>(call.h) * width;
  const int planes = static_cast<int>(call.channels);
  const std::int64_t image = std::int64_t{blockIdx.x} * planes * area;
  for (int at = static_cast<int>(threadIdx.x); at < planes * area; at += static_cast<int>(blockDim.x)) {
    const int plane = at / area, pixel = at - plane * area, i = pixel / width, k = pixel - i * width;
    const T* x = static_cast<const T*>(call.x) + image + std::int64_t{plane} * area;
    const auto moved = [&](std::int64_t r, std::int64_t c) {
      const std::int64_t row = move.row(r, call.h), column = move.column(c, call.w);
      return row < 0 || column < 0 ? T(0) : x[row * width + column];
    };
    static_cast<T*>(call.y)[image + at] = move.angle == 0.0 ? moved(i, k) : turn.pixel(i, k, moved);
  }
}

template <class T>
void augment_of(const AugmentCall& call) {
  require(call.channels * call.h * call.w <= INT32_MAX && call.n <= INT32_MAX, "augment",
          "the device cuda takes images and numbers of images below 2^31; got ", call.n, " of ",
          call.channels, "x", call.h, "x", call.w);
  launch("augment", augment_kernel<T>, {dim3(static_cast<unsigned>(call.n)), dim3(kThreads), sizeof(Drawn)},
         call);
}

}  // namespace

CBNET_BY_DTYPE(augment, AugmentCall)

}  // namespace cbnet::cuda
