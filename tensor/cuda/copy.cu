#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

template <class To, class From>
__global__ void copy_kernel(To* target, const From* source, std::int64_t count, Strided layout) {
  for_each_element(count, [&](std::int64_t i) {
    const Strided::Offsets at = layout.offsets(i);
    target[at.at[0]] = static_cast<To>(source[at.at[1]]);
  });
}

template <class T>
__global__ void fill_kernel(T* target, T value, std::int64_t count, Strided layout) {
  for_each_element(count, [&](std::int64_t i) { target[layout.offsets(i).at[0]] = value; });
}

template <class T>
__global__ void add_scaled_kernel(T* target, const T* source, T alpha, std::int64_t count, Strided layout) {
  for_each_element(count, [&](std::int64_t i) {
    const Strided::Offsets at = layout.offsets(i);
    target[at.at[0]] += alpha * source[at.at[1]];
  });
}

/// The index kernels are told this: whole (outer, size, inner), picked (outer, picks, inner).
struct Picks {
  std::int64_t outer, size, inner, picks;
  const std::int64_t* index;
};

template <class T>
__global__ void index_select_kernel(Picks picks, const T* whole, T* picked) {
  for_each_element(picks.outer * picks.picks * picks.inner, [&](std::int64_t i) {
    const std::int64_t row = divide(i, picks.inner), outer = divide(row, picks.picks);
    const std::int64_t from = picks.index[row - outer * picks.picks];
    picked[i] = whole[(outer * picks.size + from) * picks.inner + (i - row * picks.inner)];
  });
}

/// A thread adds all picks of its column in turn, so that picks of one place are added in their order.
template <class T>
__global__ void index_add_kernel(Picks picks, const T* picked, T* whole) {
  for_each_element(picks.outer * picks.inner, [&](std::int64_t i) {
    const std::int64_t outer = divide(i, picks.inner), inner = i - outer * picks.inner;
    for (std::int64_t pick = 0; pick < picks.picks; ++pick) {
      whole[(outer * picks.size + picks.index[pick]) * picks.inner + inner] +=
          picked[(outer * picks.picks + pick) * picks.inner + inner];
    }
  });
}

template <class T>
void index_select_of(const IndexCall& call) {
  launch("index_select", index_select_kernel<T>, elements_grid(call.outer * call.picks * call.inner),
         Picks{call.outer, call.size, call.inner, call.picks, call.index}, static_cast<const T*>(call.source),
         static_cast<T*>(call.target));
}

template <class T>
void index_add_of(const IndexCall& call) {
  launch("index_add", index_add_kernel<T>, elements_grid(call.outer * call.inner),
         Picks{call.outer, call.size, call.inner, call.picks, call.index}, static_cast<const T*>(call.source),
         static_cast<T*>(call.target));
}

template <class T>
void add_scaled_of(const AddScaledCall& call) {
  const std::int64_t count = count_of(call.shape);
  launch("add_scaled", add_scaled_kernel<T>, elements_grid(count), static_cast<T*>(call.target),
         static_cast<const T*>(call.source), static_cast<T>(call.alpha), count,
         strided("add_scaled", call.shape, call.target_strides, call.source_strides));
}

}  // namespace

void copy(const CopyCall& call) {
  const std::int64_t count = count_of(call.shape);
  const Strided layout = strided("copy", call.shape, call.target_strides, call.source_strides);
  if (call.dtype == call.source_dtype && layout.rank == 1 && layout.strides[0][0] == 1 &&
      layout.strides[1][0] == 1) {
    const std::size_t size = static_cast<std::size_t>(count) * size_bytes(call.dtype);
    check(cudaMemcpyAsync(call.target, call.source, size, cudaMemcpyDeviceToDevice, stream()), "copy");
    return;
  }
  dispatch(call.dtype, [&](auto to) {
    dispatch(call.source_dtype, [&](auto from) {
      launch("copy", copy_kernel<decltype(to), decltype(from)>, elements_grid(count),
             static_cast<decltype(to)*>(call.target), static_cast<const decltype(from)*>(call.source), count,
             layout);
    });
  });
}

void fill(const FillCall& call) {
  const std::int64_t count = count_of(call.shape);
  dispatch(call.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch("fill", fill_kernel<T>, elements_grid(count), static_cast<T*>(call.target),
           static_cast<T>(call.value), count, strided("fill", call.shape, call.strides));
  });
}

CBNET_BY_DTYPE(add_scaled, AddScaledCall)
CBNET_BY_DTYPE(index_select, IndexCall)
CBNET_BY_DTYPE(index_add, IndexCall)

}  // namespace cbnet::cuda
