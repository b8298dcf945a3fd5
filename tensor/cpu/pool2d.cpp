#include "tensor/cpu/kernels/pool2d.h"

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {

void pool2d(const Pool2dCall& call) {
  dispatch_floating(call.dtype, "pool2d", [&](auto zero) {
    using T = decltype(zero);
    if (call.average) {
      kernels::avg_pool2d<T>(as<T>(call.x), as<T>(call.y), call.count_include_pad, call.dims);
    } else {
      kernels::max_pool2d<T>(as<T>(call.x), as<T>(call.y), call.argmax, call.dims);
    }
  });
}

void pool2d_backward(const Pool2dBackwardCall& call) {
  dispatch_floating(call.dtype, "pool2d", [&](auto zero) {
    using T = decltype(zero);
    if (call.average) {
      kernels::avg_pool2d_backward<T>(as<T>(call.dy), as<T>(call.dx), call.count_include_pad, call.dims);
    } else {
      kernels::max_pool2d_backward<T>(as<T>(call.dy), call.argmax, as<T>(call.dx), call.dims);
    }
  });
}

}  // namespace cbnet::cpu
