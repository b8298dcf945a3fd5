#pragma once

#include "tensor/cuda/elements.cuh"

// The right factor of this product need not exist as a matrix: a "problem" says what stands where.
//
//            columns ->      A block computes a tile of kRows x kColumns of the result and goes through the
//          +---------+       depth in steps of kDepth: it loads a strip of the left factor (kRows x kDepth)
//   depth  |  right  |       and one of the right (kDepth x kColumns) into shared memory, and each of its
//     |    +---------+       16 x 16 threads adds up the products of every 16th row and column.
//     v      kDepth
//  +------+---------+
//  | left | result  |  rows  A problem has:
//  +------+---------+          rows, columns, depth; Tap, Column: a place along the depth, a column
//   kDepth                     tap(k), column(n); left(row, tap, k), right(column, tap): elements, 0 outside
//                              store(row, n, column, part, sum)
//
// grid.z counts groups times parts: a part goes through a range of the depth alone, and its sums are added
// later.

namespace cbnet::cuda {

constexpr int kDepth = 16;

template <class T, class Problem, int kRows, int kColumns>
struct TileMemory {
  T left[kDepth][kRows + 1];
  T right[kDepth][kColumns + 1];
  typename Problem::Tap taps[2][kDepth];
  typename Problem::Column columns[kColumns];
};

template <class T, class Problem, int kRows, int kColumns>
__global__ void __launch_bounds__(256, sizeof(T) == 8 ? 1 : 2)
    tile_product_kernel(Problem problem, int parts) {
  constexpr int kRowsEach = kRows / 16, kColumnsEach = kColumns / 16;
  auto& tile = *shared_memory<TileMemory<T, Problem, kRows, kColumns>>();
  const int thread = static_cast<int>(threadIdx.x), thread_row = thread / 16, thread_column = thread % 16;
  const int first_row = static_cast<int>(blockIdx.y) * kRows;
  const std::int64_t first_column = std::int64_t{blockIdx.x} * kColumns;
  const int part = static_cast<int>(blockIdx.z) % parts;
  problem.enter_group(static_cast<int>(blockIdx.z) / parts);
  const std::int64_t range = (problem.depth + parts - 1) / parts;
  const std::int64_t begin = part * range,
                     end = begin + range < problem.depth ? begin + range : problem.depth;

  for (int c = thread; c < kColumns; c += 256) tile.columns[c] = problem.column(first_column + c);
  if (thread < kDepth) tile.taps[0][thread] = problem.tap(begin + thread);
  __syncthreads();
  T sums[kRowsEach][kColumnsEach] = {};
  int turn = 0;
  for (std::int64_t k = begin; k < end; k += kDepth, turn ^= 1) {
    const int steps = static_cast<int>(end - k < kDepth ? end - k : kDepth);
    for (int i = thread; i < kRows * kDepth; i += 256) {
      const int row = i / kDepth, step = i % kDepth;
      const bool inside = step < steps && first_row + row < problem.rows;
      tile.left[step][row] = inside ? problem.left(first_row + row, tile.taps[turn][step], k + step) : T(0);
    }
    for (int i = thread; i < kDepth * kColumns; i += 256) {
      const int step = Problem::kRightAlongDepth ? i % kDepth : i / kColumns;
      const int column = Problem::kRightAlongDepth ? i / kDepth : i % kColumns;
      const bool inside = step < steps && first_column + column < problem.columns;
      tile.right[step][column] = inside ? problem.right(tile.columns[column], tile.taps[turn][step]) : T(0);
    }
    if (thread < kDepth) tile.taps[turn ^ 1][thread] = problem.tap(k + kDepth + thread);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kDepth; ++step) {
#pragma unroll
      for (int r = 0; r < kRowsEach; ++r) {
        const T left = tile.left[step][thread_row + 16 * r];
#pragma unroll
        for (int c = 0; c < kColumnsEach; ++c) sums[r][c] += left * tile.right[step][thread_column + 16 * c];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < kRowsEach; ++r) {
#pragma unroll
    for (int c = 0; c < kColumnsEach; ++c) {
      const int row = first_row + thread_row + 16 * r, column = thread_column + 16 * c;
      if (row >= problem.rows || first_column + column >= problem.columns) continue;
      problem.store(row, first_column + column, tile.columns[column], part, sums[r][c]);
    }
  }
}

template <class T, int kRows, int kColumns, class Problem>
void tile_product_of_size(const char* op, const Problem& problem, int groups, int parts) {
  const auto tiles = [](std::int64_t count, int size) {
    return static_cast<unsigned>((count + size - 1) / size);
  };
  launch(op, tile_product_kernel<T, Problem, kRows, kColumns>,
         {dim3(tiles(problem.columns, kColumns), tiles(problem.rows, kRows),
               static_cast<unsigned>(groups * parts)),
          dim3(256), sizeof(TileMemory<T, Problem, kRows, kColumns>)},
         problem, parts);
}

/// Computes a product, by tiles that suit the number of rows.
template <class T, class Problem>
void tile_product(const char* op, const Problem& problem, int groups, int parts = 1) {
  if (problem.rows <= 16) {
    tile_product_of_size<T, 16, 128>(op, problem, groups, parts);
  } else if (problem.rows <= 32) {
    tile_product_of_size<T, 32, 64>(op, problem, groups, parts);
  } else {
    tile_product_of_size<T, 64, 64>(op, problem, groups, parts);
  }
}

}  // namespace cbnet::cuda
