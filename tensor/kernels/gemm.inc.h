// The body of gemm.h, after conv2d_lanes.inc.h, whose transposition and block sizes it shares: a tile of C is
// kForwardOutputs rows by kForwardVectors vectors, in registers.
//
// B is copied a panel at a time, kGemmDepth rows by the width of a tile, so that a tile reads it front to
// back; what hangs over the right edge is zero. A is read in place: an element of it is a broadcast.

template <class T>
struct GemmTile {
  const T* a;
  int64_t a_row, a_step;  // to the next row of op(A), to its next column
  const T* b;             // the panel
  int64_t k;
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
  const T* a = t.a;
  const T* b = t.b;
  const int64_t a_row = t.a_row, a_step = t.a_step;
  for (int64_t p = 0; p < t.k; ++p, a += a_step, b += Vectors * L) {
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
void gemm(const GemmArgs<T>& g, T* workspace) {
  constexpr int64_t L = kLanes<T>;
  T* const panel = align(workspace);
  const int64_t a_row = g.transpose_a ? 1 : g.lda, a_step = g.transpose_a ? g.lda : 1;
  const Split depths(g.k, kGemmDepth), rows(g.m, kForwardOutputs);
  const Split panels((g.n + L - 1) / L, kForwardVectors);
  for (int64_t depth = 0, p = 0; depth < depths.blocks; p += depths[depth++]) {
    for (int64_t block = 0, j = 0; block < panels.blocks; j += panels[block++] * L) {
      const int64_t columns = g.n - j < panels[block] * L ? g.n - j : panels[block] * L;
      pack_panel(g, p, depths[depth], j, columns, panels[block], panel);
      GemmTile<T> tile{g.a + p * a_step, a_row, a_step,  panel,   depths[depth],
                       g.c + j,          g.ldc, columns, g.alpha, p == 0 ? g.beta : T(1)};
      for (int64_t run = 0; run < rows.blocks; ++run) {
        gemm_tile_fn<T>(rows[run], panels[block])(tile);
        tile.a += rows[run] * a_row;
        tile.c += rows[run] * g.ldc;
      }
    }
  }
}
