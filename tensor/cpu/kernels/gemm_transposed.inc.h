#pragma once
// This part of gemm.inc.h computes A^T B, the gradient of weights, as (B^T A)^T. B holds the layer's inputs,
// whose zeros stand together, so that a tile of few columns of B leaves out many k, and a unit that no image
// of the batch passed a gradient to is a column of A, left out whole:
//
//                  columns of A that are kept: the panel,     C, as stored (m, n)
//                  u0 u1 u2 …, `vectors` vectors wide
//   columns of B   +----------------------+                   row u0: sums[0][0] sums[1][0] …
//   j, j + 1, …    | sums: n rows         |   transposed -->  row u1: sums[0][1] sums[1][1] …
//                  +----------------------+                   …

#include "tensor/cpu/kernels/gemm_zeros.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Packs columns column[0], …, column[count - 1] of k rows of A, `vectors` vectors a row; the rest is zero.
template <class T>
void pack_columns(const T* a, int64_t lda, int64_t k, const uint16_t* column, int64_t count, int64_t vectors,
                  T* panel) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t v = 0; v < vectors; ++v, column += L, count -= L) {
    const T* from = a;
    T* to = panel + v * L;
    const bool together = count >= L && column[L - 1] - column[0] == L - 1;
    const int64_t here = count < L ? count : L;
    for (int64_t p = 0; p < k; ++p, from += lda, to += vectors * L) {
      if (together) {
        store(to, load(from + column[0]));
      } else {
        if (here < L) store(to, Simd<T>{});
        for (int64_t l = 0; l < here; ++l) to[l] = from[column[l]];
      }
    }
  }
}

// Sets C[row[i]][j] = sums[j][i] + beta C[row[i]][j], for so many rows and columns of C.
template <class T>
void put_transposed(const T* sums, int64_t pitch, const uint16_t* row, int64_t rows, int64_t columns, T beta,
                    T* c, int64_t ldc) {
  constexpr int64_t L = kLanes<T>;
  alignas(64) T lanes[L * L];
  for (int64_t i = 0; i < rows; i += L) {
    const int64_t here = rows - i < L ? rows - i : L;
    for (int64_t j = 0; j < columns; j += L) {
      const int64_t wide = columns - j < L ? columns - j : L;
      to_lanes(sums + j * pitch + i, wide, pitch, L, lanes, L);
      for (int64_t r = 0; r < here; ++r) {
        T* const to = c + row[i + r] * ldc + j;
        const T* const from = lanes + r * L;
        if (wide == L) {
          store(to, beta == T(0) ? load(from) : load(from) + (beta - Simd<T>{}) * load(to));
        } else {
          for (int64_t e = 0; e < wide; ++e) to[e] = beta == T(0) ? from[e] : from[e] + beta * to[e];
        }
      }
    }
  }
}

// Computes columns j, …, j + n - 1 of C = A^T B: at most kGemmTiles runs of them.
template <class T>
void gemm_columns(const GemmArgs<T>& g, int64_t j, int64_t n, T* workspace) {
  constexpr int64_t L = kLanes<T>, kWide = kForwardVectors * L;
  static_assert(kGemmTiles * kForwardOutputs <= kGemmDepth && kWide * kGemmDepth <= kGemmPanel);
  const auto [panel, sums, lists, units, every] = gemm_space(workspace);
  int64_t counts[kGemmTiles];
  const Split depths(g.k, kGemmDepth), runs(n, kForwardOutputs), chunks(g.m, kGemmDepth);
  for (int64_t depth = 0, p = 0; depth < depths.blocks; p += depths[depth++]) {
    const int64_t k = depths[depth];
    const T* const b = g.b + p * g.ldb + j;
    const bool b_finite = kept_of_columns(b, g.ldb, n, k, runs, panel, sums, lists, counts);
    for (int64_t chunk = 0, i = 0; chunk < chunks.blocks; i += chunks[chunk++]) {
      const T* const a = g.a + p * g.lda + i;
      T* const c = g.c + i * g.ldc + j;
      const T beta = p == 0 ? g.beta : T(1);
      int64_t live = 0;
      const bool a_finite = kept_of_rows(a, g.lda, k, chunks[chunk], units, live);
      if (!b_finite) live = chunks[chunk];
      const uint16_t* unit = b_finite ? units : every;
      const uint16_t* const unit_end = unit + live;
      if (beta != T(1)) {
        for (int64_t r = 0, next = 0; r < chunks[chunk]; ++r) {
          if (next < live && unit[next] == r) {
            ++next;
            continue;
          }
          for (int64_t e = 0; e < n; ++e) c[r * g.ldc + e] = beta == T(0) ? T(0) : beta * c[r * g.ldc + e];
        }
      }
      const Split panels((live + L - 1) / L, kForwardVectors);
      for (int64_t block = 0; block < panels.blocks; ++block) {
        const int64_t vectors = panels[block];
        const int64_t here = unit_end - unit < vectors * L ? unit_end - unit : vectors * L;
        pack_columns(a, g.lda, k, unit, here, vectors, panel);
        GemmTile<T> tile{b, 1, g.ldb, panel, {}, sums, vectors * L, vectors * L, g.alpha, T(0)};
        for (int64_t run = 0; run < runs.blocks; ++run) {
          tile.kept = a_finite ? KeptK{lists + run * kGemmDepth, counts[run]} : KeptK{every, k};
          run_tile(runs[run], vectors, tile);
          tile.a += runs[run];
          tile.c += runs[run] * tile.ldc;
        }
        put_transposed(sums, vectors * L, unit, here, n, beta, c, g.ldc);
        unit += here;
      }
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
