#include <algorithm>
#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

// A step goes through all parameters in one launch: most are so small that a launch of their own would take
// longer than the arithmetic on them.
//
//   blocks   | 0 1 2 | 3 | 4 5 |        first_block[p] = 0, 3, 4: block b works for the last parameter that
//   parameter|   0   | 1 |  2  |        begins at or before b.

namespace cbnet::cuda {
namespace {

constexpr std::int64_t kElementsOfBlock = std::int64_t{4} * kThreads;

template <class T>
struct Arrays {
  std::int64_t count;
  const T* g;
  T *w, *kept[2];
};

/// These are as many parameters as the arguments of a kernel hold, which every toolkit and GPU takes to 4
/// KiB.
template <class T>
struct Parameters {
  static constexpr int kCapacity = 84;
  int size;
  unsigned first_block[kCapacity];
  Arrays<T> arrays[kCapacity];

  /// Returns the parameter of the block that asks.
  __device__ int mine() const {
    int low = 0;
    for (int high = size; high - low > 1;) {
      const int middle = (low + high) / 2;
      (first_block[middle] <= blockIdx.x ? low : high) = middle;
    }
    return low;
  }
};

/// These are the numbers of an AdamCall, rounded to T once.
template <class T>
struct Adam {
  T beta1, rest1, beta2, rest2, eps, step_size, inverse_root2, l2, shrink;

  __device__ void step(const Arrays<T>& p, std::int64_t i) const {
    T *w = p.w, *m = p.kept[0], *v = p.kept[1];
    const T grad = p.g[i] + l2 * w[i];
    m[i] = beta1 * m[i] + rest1 * grad;
    v[i] = beta2 * v[i] + rest2 * grad * grad;
    w[i] -= shrink * w[i] + step_size * m[i] / (std::sqrt(v[i]) * inverse_root2 + eps);
  }
};

template <class T>
struct Sgd {
  T rate, momentum, decay;
  bool nesterov;

  __device__ void step(const Arrays<T>& p, std::int64_t i) const {
    T *w = p.w, *u = p.kept[0];
    const T grad = p.g[i] + decay * w[i];
    u[i] = momentum * u[i] + grad;
    w[i] -= rate * (nesterov ? grad + momentum * u[i] : u[i]);
  }
};

template <class T, class Rule>
__global__ void optimizer_kernel(const __grid_constant__ Parameters<T> parameters, Rule rule) {
  const int mine = parameters.mine();
  const Arrays<T>& arrays = parameters.arrays[mine];
  const std::int64_t begin =
      static_cast<std::int64_t>(blockIdx.x - parameters.first_block[mine]) * kElementsOfBlock;
  const std::int64_t end = begin + kElementsOfBlock < arrays.count ? begin + kElementsOfBlock : arrays.count;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) rule.step(arrays, i);
}

template <class T, class Rule>
void step_all(const char* op, std::span<const ParameterArrays> all, const Rule& rule) {
  static_assert(sizeof(Parameters<T>) + sizeof(Rule) <= 4096);
  while (!all.empty()) {
    Parameters<T> table{};
    unsigned blocks = 0;
    const std::size_t taken = std::min<std::size_t>(all.size(), Parameters<T>::kCapacity);
    for (const ParameterArrays& p : all.first(taken)) {
      if (p.count == 0) continue;
      table.first_block[table.size] = blocks;
      table.arrays[table.size++] = {p.count,
                                    static_cast<const T*>(p.g),
                                    static_cast<T*>(p.w),
                                    {static_cast<T*>(p.kept[0]), static_cast<T*>(p.kept[1])}};
      blocks += static_cast<unsigned>((p.count + kElementsOfBlock - 1) / kElementsOfBlock);
    }
    launch(op, optimizer_kernel<T, Rule>, {dim3(blocks), dim3(kThreads)}, table, rule);
    all = all.subspan(taken);
  }
}

template <class T>
void adam_of(const AdamCall& call) {
  const auto number = [](double value) { return static_cast<T>(value); };
  const Adam<T> rule{number(call.beta1),         number(1.0 - call.beta1), number(call.beta2),
                     number(1.0 - call.beta2),   number(call.eps),         number(call.step_size),
                     number(call.inverse_root2), number(call.l2),          number(call.shrink)};
  step_all<T>("adam", call.parameters, rule);
}

template <class T>
void sgd_of(const SgdCall& call) {
  const Sgd<T> rule{static_cast<T>(call.rate), static_cast<T>(call.momentum), static_cast<T>(call.decay),
                    call.nesterov};
  step_all<T>("sgd", call.parameters, rule);
}

}  // namespace

CBNET_BY_DTYPE(adam, AdamCall)
CBNET_BY_DTYPE(sgd, SgdCall)

}  // namespace cbnet::cuda
