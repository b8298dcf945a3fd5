#pragma once

#include "tensor/calls.h"

// The CUDA backend has one function for each line of backend.def. tensor/reference has the same in plain
// loops; every kernel here is tested against it. Sums go through fixed trees, without atomics, so that a
// device gives the same bits every time.

namespace cbnet::cuda {

#define BACKEND_FUNCTION(name, Call) void name(const Call& call);
#include "tensor/backend.def"

/// Makes `name` of the template name_of<T>, the same for one dtype.
#define CBNET_BY_DTYPE(name, Call)                                                             \
  void name(const Call& call) {                                                                \
    dispatch_floating(call.dtype, #name, [&](auto zero) { name##_of<decltype(zero)>(call); }); \
  }

}  // namespace cbnet::cuda
