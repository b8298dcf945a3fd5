#pragma once
// This is the body of gemm.h: the dense product (gemm_tile.inc.h) over the k that are no zeros
// (gemm_zeros.inc.h), and A^T B its own way (gemm_transposed.inc.h). Loops, from the outside in:
//
//   K-blocks of at most kGemmDepth k           lists of the k that rows of A keep
//     panels of at most kForwardVectors wide   packed, and the k that the panel keeps
//       tiles of kForwardOutputs rows          sums over the shorter of the two lists, added to C

#include "tensor/cpu/kernels/gemm_transposed.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Computes rows i, …, i + m - 1 of C, a run of rows a tile: at most kGemmTiles of them.
template <class T>
void gemm_rows(const GemmArgs<T>& g, int64_t i, int64_t m, T* workspace) {
  constexpr int64_t L = kLanes<T>;
  const auto [panel, sums, lists, panel_list, every] = gemm_space(workspace);
  int64_t counts[kGemmTiles];
  const int64_t a_row = g.transpose_a ? 1 : g.lda, a_step = g.transpose_a ? g.lda : 1;
  const Split depths(g.k, kGemmDepth), rows(m, kForwardOutputs);
  const Split panels((g.n + L - 1) / L, kForwardVectors);
  for (int64_t depth = 0, p = 0; depth < depths.blocks; p += depths[depth++]) {
    const int64_t k = depths[depth];
    const T* const a = g.a + i * a_row + p * a_step;
    bool a_finite = true;
    if (g.transpose_a) {
      a_finite = kept_of_columns(a, g.lda, m, k, rows, panel, sums, lists, counts);
    } else {
      for (int64_t run = 0, r = 0; run < rows.blocks; r += rows[run++])
        a_finite &= kept_of_rows(a + r * a_row, a_row, rows[run], k, lists + run * kGemmDepth, counts[run]);
    }
    for (int64_t block = 0, j = 0; block < panels.blocks; j += panels[block++] * L) {
      const int64_t columns = g.n - j < panels[block] * L ? g.n - j : panels[block] * L;
      pack_panel(g, p, k, j, columns, panels[block], panel);
      KeptK of_panel{panel_list, 0};
      const bool b_finite = kept_of_panel(panel, k, panels[block], panel_list, of_panel.count);
      if (!a_finite) of_panel = {every, k};
      GemmTile<T> tile{a,        a_row,
                       a_step,   panel,
                       of_panel, g.c + i * g.ldc + j,
                       g.ldc,    columns,
                       g.alpha,  p == 0 ? g.beta : T(1)};
      for (int64_t run = 0; run < rows.blocks; ++run) {
        if (b_finite && counts[run] < of_panel.count) {
          tile.kept = {lists + run * kGemmDepth, counts[run]};
        } else {
          tile.kept = of_panel;
        }
        run_tile(rows[run], panels[block], tile);
        tile.a += rows[run] * a_row;
        tile.c += rows[run] * g.ldc;
      }
    }
  }
}

// Forced scalar runs this plain loop nest.
template <class T>
void gemm_plain(const GemmArgs<T>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    T* const row = g.c + i * g.ldc;
    for (int64_t j = 0; j < g.n; ++j) row[j] = g.beta == T(0) ? T(0) : g.beta * row[j];
    for (int64_t p = 0; p < g.k; ++p) {
      const T scaled = g.alpha * (g.transpose_a ? g.a[p * g.lda + i] : g.a[i * g.lda + p]);
      for (int64_t j = 0; j < g.n; ++j)
        row[j] += scaled * (g.transpose_b ? g.b[j * g.ldb + p] : g.b[p * g.ldb + j]);
    }
  }
}

template <class T>
void gemm(const GemmArgs<T>& g, T* workspace) {
  if constexpr (kLanes<T> == 1) return gemm_plain(g);
  constexpr int64_t kMax = kGemmTiles * kForwardOutputs;
  if (g.transpose_a && !g.transpose_b) {
    const Split parts(g.n, kMax);
    for (int64_t part = 0, j = 0; part < parts.blocks; j += parts[part++])
      gemm_columns(g, j, parts[part], workspace);
    return;
  }
  const Split parts(g.m, kMax);
  for (int64_t part = 0, i = 0; part < parts.blocks; i += parts[part++])
    gemm_rows(g, i, parts[part], workspace);
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
