#pragma once
// This part of gemm.inc.h finds which k a product may leave out. Pixels are mostly zeros, and so are their
// products: a tile leaves out the k for which its rows of op(A) are all zeros, or those for which its columns
// of op(B) are, whichever are more. That changes no bit, as long as what the zeros would have met is finite.
//
//   k            0 1 2 3 4 5
//   row 0 of A   0 a 0 0 a 0      list: 1 4 5, count: 3
//   row 1 of A   0 a 0 0 0 a

#include "tensor/cpu/kernels/gemm_tile.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

template <class T>
[[gnu::always_inline]] inline Simd<T> magnitude(Simd<T> v) {
  return v < T(0) ? -v : v;
}

template <class T>
T sum_of(const T* values, int64_t count) {
  constexpr int64_t L = kLanes<T>;
  Simd<T> sum = Simd<T>{};
  T rest = T(0);
  int64_t i = 0;
  for (; i + L <= count; i += L) sum += load(values + i);
  for (; i < count; ++i) rest += values[i];
  return rest + sum_lanes<T>(sum);
}

// Lists the p whose sums of magnitudes are not zero; false where a sum is not finite.
template <class T>
bool find_kept(const T* sums, int64_t k, uint16_t* kept, int64_t& count) {
  count = 0;
  for (int64_t p = 0; p < k; ++p) {
    kept[count] = static_cast<uint16_t>(p);
    count += !(sums[p] <= T(0));  // NaN counts
  }
  const T all = sum_of(sums, k);
  return all - all == T(0);
}

// Lists the columns of `rows` rows of op(A) that are not all zeros. False where an element is not finite.
template <class T>
bool kept_of_rows(const T* a, int64_t a_row, int64_t rows, int64_t k, uint16_t* kept, int64_t& count) {
  constexpr int64_t L = kLanes<T>;
  T sums[kGemmDepth];
  set_zero(sums, k);
  for (int64_t r = 0; r < rows; ++r, a += a_row) {
    int64_t p = 0;
    for (; p + L <= k; p += L) store(sums + p, load(sums + p) + magnitude<T>(load(a + p)));
    for (; p < k; ++p) sums[p] += a[p] < T(0) ? -a[p] : a[p];
  }
  return find_kept(sums, k, kept, count);
}

// Lists the rows of a panel that are not all zeros. False where an element is not finite.
template <class T>
bool kept_of_panel(const T* panel, int64_t k, int64_t vectors, uint16_t* kept, int64_t& count) {
  constexpr int64_t L = kLanes<T>;
  T sums[kGemmDepth];
  for (int64_t p = 0; p < k; ++p) {
    Simd<T> sum = Simd<T>{};
    for (int64_t v = 0; v < vectors; ++v, panel += L) sum += magnitude<T>(load(panel));
    sums[p] = sum_lanes<T>(sum);
  }
  return find_kept(sums, k, kept, count);
}

// Lists, for each run of the columns of a matrix as stored, k rows, the rows that are not all zeros there,
// lists of them kGemmDepth apart. `lanes` has room for a panel, `sums` for one too. False where an element is
// not finite.
template <class T>
bool kept_of_columns(const T* a, int64_t lda, int64_t columns, int64_t k, const Split& runs, T* lanes,
                     T* sums, uint16_t* lists, int64_t* counts) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t p = 0; p < k; p += L) {
    to_lanes(a + p * lda, k - p < L ? k - p : L, lda, columns, lanes, L);
    const T* column = lanes;
    for (int64_t run = 0; run < runs.blocks; ++run) {
      Simd<T> sum = Simd<T>{};
      for (int64_t j = 0; j < runs[run]; ++j, column += L) sum += magnitude<T>(load(column));
      store(sums + run * kGemmDepth + p, sum);
    }
  }
  bool finite = true;
  for (int64_t run = 0; run < runs.blocks; ++run)
    finite &= find_kept(sums + run * kGemmDepth, k, lists + run * kGemmDepth, counts[run]);
  return finite;
}

// The workspace is cut so; the lists are of 16-bit numbers:
//
//   | panel         | sums          | lists: kGemmTiles * kGemmDepth | list: kGemmDepth | every: 0, 1, 2, … |
//     kGemmPanel      kGemmPanel
template <class T>
struct GemmSpace {
  T *panel, *sums;
  uint16_t *lists, *list, *every;
};

template <class T>
GemmSpace<T> gemm_space(T* workspace) {
  T* const panel = align(workspace);
  auto* const lists = reinterpret_cast<uint16_t*>(panel + 2 * kGemmPanel);
  uint16_t* const list = lists + kGemmTiles * kGemmDepth;
  uint16_t* const every = list + kGemmDepth;
  for (int64_t p = 0; p < kGemmDepth; ++p) every[p] = static_cast<uint16_t>(p);
  return {panel, panel + kGemmPanel, lists, list, every};
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
