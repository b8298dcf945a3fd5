// `copy`, `fill`, `add_scaled`, `index_select` and `index_add` in tensor/reference/copy.cpp define what this
// file computes.
#include <cstring>

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

template <class To, class From>
void copy_strided(const CopyCall& call) {
  for_each_row<2>(call.shape, {call.target_strides, call.source_strides},
                  [&](Offsets offsets, Offsets strides, std::int64_t count) {
                    To* to = as<To>(call.target) + offsets[0];
                    const From* from = as<From>(call.source) + offsets[1];
                    if constexpr (std::is_same_v<To, From>) {
                      if (strides[0] == 1 && strides[1] == 1) {
                        std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(To));
                        return;
                      }
                    }
                    for (std::int64_t i = 0; i < count; ++i) {
                      to[i * strides[0]] = static_cast<To>(from[i * strides[1]]);
                    }
                  });
}

/// Copies dense arrays, and allocates nothing.
template <class T>
void copy_dense(const CopyCall& call) {
  if (call.target == call.source) return;
  std::int64_t count = 1;
  for (const std::int64_t size : call.shape) count *= size;
  parallel_for(count, kGrainElements,
               [to = as<T>(call.target), from = as<T>(call.source)](std::int64_t begin, std::int64_t end) {
                 std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin) * sizeof(T));
               });
}

}  // namespace

void copy(const CopyCall& call) {
  const bool dense = call.dtype == call.source_dtype && is_dense(call.shape, call.target_strides) &&
                     is_dense(call.shape, call.source_strides);
  dispatch(call.dtype, [&](auto to) {
    using To = decltype(to);
    if (dense) return copy_dense<To>(call);
    dispatch(call.source_dtype, [&](auto from) { copy_strided<To, decltype(from)>(call); });
  });
}

void fill(const FillCall& call) {
  dispatch(call.dtype, [&](auto zero) {
    using T = decltype(zero);
    for_each_row<1>(call.shape, {call.strides},
                    [first = as<T>(call.target), value = static_cast<T>(call.value)](
                        Offsets offsets, Offsets strides, std::int64_t count) {
                      T* row = first + offsets[0];
                      for (std::int64_t i = 0; i < count; ++i) row[i * strides[0]] = value;
                    });
  });
}

template <class T>
void add_scaled_of(const AddScaledCall& call) {
  for_each_row<2>(
      call.shape, {call.target_strides, call.source_strides},
      [target = as<T>(call.target), source = as<T>(call.source), factor = static_cast<T>(call.alpha)](
          Offsets offsets, Offsets strides, std::int64_t count) {
        T* t = target + offsets[0];
        const T* s = source + offsets[1];
        for (std::int64_t i = 0; i < count; ++i) t[i * strides[0]] += factor * s[i * strides[1]];
      });
}
CBNET_BY_DTYPE(add_scaled, AddScaledCall)

template <class T>
void index_select_of(const IndexCall& call) {
  const std::int64_t inner = call.inner, picks = call.picks;
  for_each_of(call.outer * picks, inner, [&](std::int64_t row) {
    const std::int64_t from = row / picks * call.size + call.index[row % picks];
    std::copy_n(as<T>(call.source) + from * inner, inner, as<T>(call.target) + row * inner);
  });
}
CBNET_BY_DTYPE(index_select, IndexCall)

template <class T>
void index_add_of(const IndexCall& call) {
  const std::int64_t inner = call.inner, picks = call.picks;
  // Threads own disjoint parts of the target, so that repeated indices add up in order.
  for_each_part(call.outer, inner, picks, [&](std::int64_t outer, std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = 0; j < picks; ++j) {
      const T* source = as<T>(call.source) + (outer * picks + j) * inner;
      T* target = as<T>(call.target) + (outer * call.size + call.index[j]) * inner;
      for (std::int64_t i = begin; i < end; ++i) target[i] += source[i];
    }
  });
}
CBNET_BY_DTYPE(index_add, IndexCall)

}  // namespace cbnet::cpu
