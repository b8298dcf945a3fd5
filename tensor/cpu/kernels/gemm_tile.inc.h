#pragma once
// This part of gemm.inc.h is the dense product. A tile of C is kForwardOutputs rows by kForwardVectors
// vectors, in registers, summed over the k of `kept`:
//
//                   panel of B, one tile wide
//                  +-----------+
//                  | b b b … b |  k = 0
//                  | b b b … b |  k = 1
//   A              +-----------+
//   | a . . |      | c c c … c |  row 0
//   | a . . |      | c c c … c |  row 1
//   k = 0 …        +-----------+
//
// B is copied a panel at a time, kGemmDepth rows by the width of a tile, so that a tile reads it front to
// back; what hangs over the right edge is zero. A is read in place: an element of it is a broadcast.

#include "tensor/cpu/kernels/blocks.inc.h"
#include "tensor/cpu/kernels/gemm.h"
#include "tensor/cpu/kernels/lanes.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// The products of these k are added up, in their order.
struct KeptK {
  const uint16_t* k;
  int64_t count;
};

template <class T>
struct GemmTile {
  const T* a;
  int64_t a_row, a_step;  // to the next row of op(A), to its next column
  const T* b;             // the panel
  KeptK kept;
  T* c;
  int64_t ldc, columns;  // of C in this tile
  T alpha, beta;
};

template <class T, int Rows, int Vectors>
[[gnu::noinline]] void gemm_tile(const GemmTile<T>& t) {
  constexpr int64_t L = kLanes<T>;
  Simd<T> acc[Rows][Vectors];
  CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) acc[r][v] = Simd<T>{};
  }
  const int64_t a_row = t.a_row, a_step = t.a_step;
  for (int64_t i = 0; i < t.kept.count; ++i) {
    const int64_t p = t.kept.k[i];
    const T* const a = t.a + p * a_step;
    const T* const b = t.b + p * (Vectors * L);
    Simd<T> row[Vectors];
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) row[v] = load(b + v * L);
    CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
      const Simd<T> factor = a[r * a_row] - Simd<T>{};
      CBNET_UNROLL for (int v = 0; v < Vectors; ++v) acc[r][v] += factor * row[v];
    }
  }
  const Simd<T> alpha = t.alpha - Simd<T>{}, beta = t.beta - Simd<T>{};
  if (t.columns == Vectors * L) {
    CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
      CBNET_UNROLL for (int v = 0; v < Vectors; ++v) {
        T* c = t.c + r * t.ldc + v * L;
        store(c, t.beta == T(0) ? alpha * acc[r][v] : alpha * acc[r][v] + beta * load(c));
      }
    }
    return;
  }
  T tile[Rows][Vectors * L];
  CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) store(tile[r] + v * L, alpha * acc[r][v]);
  }
  for (int r = 0; r < Rows; ++r) {
    T* c = t.c + r * t.ldc;
    for (int64_t j = 0; j < t.columns; ++j) c[j] = t.beta == T(0) ? tile[r][j] : tile[r][j] + t.beta * c[j];
  }
}

template <class T>
struct GemmTileBlock {
  template <int Rows, int Vectors>
  static constexpr auto at = gemm_tile<T, Rows, Vectors>;
};
template <class T>
void run_tile(int64_t rows, int64_t vectors, const GemmTile<T>& tile) {
  pick<GemmTileBlock<T>, kForwardOutputs, kForwardVectors>(rows, vectors)(tile);
}

// Packs rows p, …, p + k - 1 and columns j, …, j + columns - 1 of op(B), `vectors` vectors a row.
template <class T>
void pack_panel(const GemmArgs<T>& g, int64_t p, int64_t k, int64_t j, int64_t columns, int64_t vectors,
                T* panel) {
  constexpr int64_t L = kLanes<T>;
  if (g.transpose_b) {
    // Rows of B as stored are columns of the panel.
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t here = columns - v * L < L ? columns - v * L : L;
      to_lanes(g.b + (j + v * L) * g.ldb + p, here, g.ldb, k, panel + v * L, vectors * L);
    }
    return;
  }
  const T* b = g.b + p * g.ldb + j;
  for (int64_t row = 0; row < k; ++row, b += g.ldb, panel += vectors * L) {
    int64_t done = 0;
    for (; done + L <= columns; done += L) store(panel + done, load(b + done));
    for (; done < vectors * L; ++done) panel[done] = done < columns ? b[done] : T(0);
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
