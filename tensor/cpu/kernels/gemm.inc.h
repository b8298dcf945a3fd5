#pragma once
// The body of gemm.h, after conv2d_lanes.inc.h, whose transposition and block sizes it shares: a tile of C is
// kForwardOutputs rows by kForwardVectors vectors, in registers.
//
// B is copied a panel at a time, kGemmDepth rows by the width of a tile, so that a tile reads it front to
// back; what hangs over the right edge is zero. A is read in place: an element of it is a broadcast.
//
// Pixels are mostly zeros, and so are their products: a tile leaves out the terms for which its rows of op(A)
// are all zeros, or those for which its columns of op(B) are, whichever are more. That changes no bit, as
// long as what the zeros would have met is finite.
//
// A^T B, the gradient of weights, is made as (B^T A)^T: B holds the layer's inputs, whose zeros stand
// together, so that a tile of few columns of B leaves out many, and a unit that no image of the batch passed
// a gradient to is a column of A, left out whole.

#include "tensor/cpu/kernels/blocks.inc.h"
#include "tensor/cpu/kernels/gemm.h"
#include "tensor/cpu/kernels/lanes.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// The terms p of a tile's sums that are added up, in their order.
struct GemmTerms {
  const uint16_t* p;
  int64_t count;
};

template <class T>
struct GemmTile {
  const T* a;
  int64_t a_row, a_step;  // to the next row of op(A), to its next column
  const T* b;             // the panel
  GemmTerms terms;
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
  for (int64_t i = 0; i < t.terms.count; ++i) {
    const int64_t p = t.terms.p[i];
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
using GemmTileFn = void (*)(const GemmTile<T>&);

template <class T, int Rows = kForwardOutputs, int Vectors = kForwardVectors>
GemmTileFn<T> gemm_tile_fn(int64_t rows, int64_t vectors) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return gemm_tile_fn<T, Rows - 1, Vectors>(rows, vectors);
  }
  if constexpr (Vectors > 1) {
    if (vectors < Vectors) return gemm_tile_fn<T, Rows, Vectors - 1>(rows, vectors);
  }
  return gemm_tile<T, Rows, Vectors>;
}

// Rows p, …, p + k - 1 and columns j, …, j + columns - 1 of op(B), `vectors` vectors a row.
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

// What is in sums of magnitudes: whether it is finite, and then where it is not zero.
template <class T>
bool find_terms(const T* sums, int64_t k, uint16_t* terms, int64_t& count) {
  count = 0;
  for (int64_t p = 0; p < k; ++p) {
    terms[count] = static_cast<uint16_t>(p);
    count += !(sums[p] <= T(0));  // NaN counts
  }
  const T all = sum_of(sums, k);
  return all - all == T(0);
}

// Of `rows` rows of op(A): the columns that are not all zeros. False where an element is not finite.
template <class T>
bool terms_of_rows(const T* a, int64_t a_row, int64_t rows, int64_t k, uint16_t* terms, int64_t& count) {
  constexpr int64_t L = kLanes<T>;
  T sums[kGemmDepth];
  set_zero(sums, k);
  for (int64_t r = 0; r < rows; ++r, a += a_row) {
    int64_t p = 0;
    for (; p + L <= k; p += L) store(sums + p, load(sums + p) + magnitude<T>(load(a + p)));
    for (; p < k; ++p) sums[p] += a[p] < T(0) ? -a[p] : a[p];
  }
  return find_terms(sums, k, terms, count);
}

// Of a panel: the rows that are not all zeros. False where an element is not finite.
template <class T>
bool terms_of_panel(const T* panel, int64_t k, int64_t vectors, uint16_t* terms, int64_t& count) {
  constexpr int64_t L = kLanes<T>;
  T sums[kGemmDepth];
  for (int64_t p = 0; p < k; ++p) {
    Simd<T> sum = Simd<T>{};
    for (int64_t v = 0; v < vectors; ++v, panel += L) sum += magnitude<T>(load(panel));
    sums[p] = sum_lanes<T>(sum);
  }
  return find_terms(sums, k, terms, count);
}

// Of each run of the columns of a matrix as stored, k rows: the rows that are not all zeros there, lists of
// them kGemmDepth apart. `lanes` has room for a panel, `sums` for one too. False where an element is not
// finite.
template <class T>
bool terms_of_columns(const T* a, int64_t lda, int64_t columns, int64_t k, const Split& runs, T* lanes,
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
    finite &= find_terms(sums + run * kGemmDepth, k, lists + run * kGemmDepth, counts[run]);
  return finite;
}

// The workspace: two panels, and lists of kGemmDepth numbers: kGemmTiles of them, one more, and every number.
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

// Rows i, …, i + m - 1 of C, a run of rows a tile: at most kGemmTiles of them.
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
      a_finite = terms_of_columns(a, g.lda, m, k, rows, panel, sums, lists, counts);
    } else {
      for (int64_t run = 0, r = 0; run < rows.blocks; r += rows[run++])
        a_finite &= terms_of_rows(a + r * a_row, a_row, rows[run], k, lists + run * kGemmDepth, counts[run]);
    }
    for (int64_t block = 0, j = 0; block < panels.blocks; j += panels[block++] * L) {
      const int64_t columns = g.n - j < panels[block] * L ? g.n - j : panels[block] * L;
      pack_panel(g, p, k, j, columns, panels[block], panel);
      GemmTerms of_panel{panel_list, 0};
      const bool b_finite = terms_of_panel(panel, k, panels[block], panel_list, of_panel.count);
      if (!a_finite) of_panel = {every, k};
      GemmTile<T> tile{a,        a_row,
                       a_step,   panel,
                       of_panel, g.c + i * g.ldc + j,
                       g.ldc,    columns,
                       g.alpha,  p == 0 ? g.beta : T(1)};
      for (int64_t run = 0; run < rows.blocks; ++run) {
        if (b_finite && counts[run] < of_panel.count) {
          tile.terms = {lists + run * kGemmDepth, counts[run]};
        } else {
          tile.terms = of_panel;
        }
        gemm_tile_fn<T>(rows[run], panels[block])(tile);
        tile.a += rows[run] * a_row;
        tile.c += rows[run] * g.ldc;
      }
    }
  }
}

// Columns column[0], …, column[count - 1] of k rows of A, `vectors` vectors a row; the rest is zero.
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

// C[row[i]][j] = sums[j][i] + beta C[row[i]][j], of so many rows and columns of C.
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

// Columns j, …, j + n - 1 of C = A^T B: at most kGemmTiles runs of them.
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
    const bool b_finite = terms_of_columns(b, g.ldb, n, k, runs, panel, sums, lists, counts);
    for (int64_t chunk = 0, i = 0; chunk < chunks.blocks; i += chunks[chunk++]) {
      const T* const a = g.a + p * g.lda + i;
      T* const c = g.c + i * g.ldc + j;
      const T beta = p == 0 ? g.beta : T(1);
      int64_t live = 0;
      const bool a_finite = terms_of_rows(a, g.lda, k, chunks[chunk], units, live);
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
          tile.terms = a_finite ? GemmTerms{lists + run * kGemmDepth, counts[run]} : GemmTerms{every, k};
          gemm_tile_fn<T>(runs[run], vectors)(tile);
          tile.a += runs[run];
          tile.c += runs[run] * tile.ldc;
        }
        put_transposed(sums, vectors * L, unit, here, n, beta, c, g.ldc);
        unit += here;
      }
    }
  }
}

// The definition, and what forced scalar runs.
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
  constexpr int64_t kMost = kGemmTiles * kForwardOutputs;
  if (g.transpose_a && !g.transpose_b) {
    const Split parts(g.n, kMost);
    for (int64_t part = 0, j = 0; part < parts.blocks; j += parts[part++])
      gemm_columns(g, j, parts[part], workspace);
    return;
  }
  const Split parts(g.m, kMost);
  for (int64_t part = 0, i = 0; part < parts.blocks; i += parts[part++])
    gemm_rows(g, i, parts[part], workspace);
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
