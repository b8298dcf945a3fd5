#pragma once
// This is the body of linear.h, which says what defines it and draws a panel. The largest blocks of sums,
// groups by rows, are those of blocks.inc.h: for each kind of weights, and kLinearSparseRows by one group.
// Loops, from the outside in:
//
//   chunks of rows           that stay in L2; lists of the K-blocks that each block of rows takes
//     panels of groups       once over the weights, in either direction
//       blocks of rows       sums in registers, over the list's K-blocks

#include "tensor/cpu/kernels/linear_inputs.inc.h"
#include "tensor/cpu/kernels/linear_rows.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Computes one block of sums: `Rows` rows from `row` on by the `Groups` groups from `group` on. Of a sparse
// layer the weights of just the listed K-blocks are there, of others all.
template <class KBlock, int Groups, int Rows, bool Sparse>
[[gnu::noinline]] void linear_block(const LinearCall& call, int64_t row, int64_t group,
                                    const typename KBlock::Weight* w, KBlockList list) {
  using Sum = typename KBlock::Sum;
  // A sum is ready four cycles after the one before it: few sums are kept several times over.
  constexpr int kSums = Groups * Rows * kVectors, kSets = kSums >= 8 ? 1 : (8 + kSums - 1) / kSums;
  constexpr int64_t kBlockWeights = Groups * KBlock::kGroupWeights;
  const auto* const x = static_cast<const typename KBlock::Input*>(call.x) + row * call.x_pitch;
  const int64_t x_pitch = call.x_pitch;
  Sum sum[kSets][Rows][Groups][kVectors];
  CBNET_UNROLL for (int s = 0; s < kSets; ++s) {
    CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
      CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
        CBNET_UNROLL for (int v = 0; v < kVectors; ++v) sum[s][r][g][v] = Sum{};
      }
    }
  }
  const int32_t* const columns = list.columns;
  const auto add = [&]<class As>(As, Sum(&to)[Rows][Groups][kVectors], int64_t k)
      __attribute__((always_inline)) {
    const int64_t column = columns[k];
    const typename KBlock::Weight* const weights = w + (Sparse ? k : column) * kBlockWeights;
    typename KBlock::Wide wide[Groups][kVectors];
    CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
      CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
        wide[g][v] = KBlock::widen(weights + g * KBlock::kGroupWeights, v);
      }
    }
    if constexpr (Rows == 1 && !Sparse) {
      // The hardware cannot guess which lines come next.
      const typename KBlock::Weight* const ahead = w + columns[k + kBlocksAhead] * kBlockWeights;
      CBNET_UNROLL for (int g = 0; g < Groups; ++g) __builtin_prefetch(ahead + g * KBlock::kGroupWeights);
    }
    const int64_t at = column * KBlock::kInputs;
    CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
      const typename As::Spread spread = As::spread(x + r * x_pitch + at);
      CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
        CBNET_UNROLL for (int v = 0; v < kVectors; ++v) { As::add(to[r][g][v], wide[g][v], spread); }
      }
    }
  };
  const auto add_all = [&]<class As>(As as, int64_t k, int64_t end) __attribute__((always_inline)) {
    for (; k + kSets <= end; k += kSets) {
      CBNET_UNROLL for (int s = 0; s < kSets; ++s) add(as, sum[s], k + s);
    }
    for (; k < end; ++k) add(as, sum[0], k);
  };
  if constexpr (!__is_same(KBlock, typename KBlock::Low)) add_all(typename KBlock::Low{}, 0, list.low);
  add_all(KBlock{}, list.low, list.count);

  alignas(64) typename KBlock::Scalar sums[Rows][Groups * kLinearGroup];
  CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
    CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
      CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
        Sum total = sum[0][r][g][v];
        CBNET_UNROLL for (int s = 1; s < kSets; ++s) total += sum[s][r][g][v];
        store(&sums[r][g * kLinearGroup + v * kLanesF32], total);
      }
    }
  }
  linear_finish(call, &sums[0][0], Rows, Groups, row, group);
}

template <class KBlock, bool Sparse>
struct LinearBlocks {
  template <int Groups, int Rows>
  static constexpr auto at = linear_block<KBlock, Groups, Rows, Sparse>;
};

// A chunk of rows stays in L2 while every panel passes over it, and a panel while every block of rows does.
template <class KBlock, bool Sparse>
void linear_run(const LinearCall& call) {
  constexpr int64_t kChunkBytes = 256 * 1024;
  constexpr int kGroups = Sparse ? 1 : KBlock::kBlock.groups;
  constexpr int kRows = Sparse ? kLinearSparseRows : KBlock::kBlock.rows;
  const int64_t groups = (call.out + kLinearGroup - 1) / kLinearGroup;
  const Split panels(groups, kGroups);
  const int64_t row_bytes =
      call.k_blocks * KBlock::kInputs * static_cast<int64_t>(sizeof(typename KBlock::Input));
  const int64_t fitting = kChunkBytes / row_bytes / kRows * kRows;
  const int64_t chunk = fitting > kRows ? fitting : kRows;
  const auto* const weights = static_cast<const typename KBlock::Weight*>(call.weights);
  for (int64_t first = 0; first < call.rows; first += chunk) {
    const Split rows(call.rows - first < chunk ? call.rows - first : chunk, kRows);
    for (int64_t b = 0; !Sparse && b < rows.blocks; ++b)
      call.lists[b] = list_k_blocks<KBlock>(call, first + rows.first(b), rows[b],
                                            call.list_columns + b * list_columns(call.k_blocks));
    for (int64_t i = 0; i < panels.blocks; ++i) {
      const int64_t panel = call.backwards ? panels.blocks - 1 - i : i;
      const int64_t group = panels.first(panel), count = panels[panel];
      const int64_t start = Sparse ? call.starts[group] : group * call.k_blocks;
      const auto* const w = weights + start * KBlock::kGroupWeights;
      for (int64_t b = 0; b < rows.blocks; ++b) {
        const KBlockList list =
            Sparse ? KBlockList{call.columns + start, call.starts[group + 1] - start, 0} : call.lists[b];
        pick<LinearBlocks<KBlock, Sparse>, kGroups, kRows>(count, rows[b])(call, first + rows.first(b), group,
                                                                           w, list);
      }
    }
  }
}

constexpr LinearTable kLinearTable = {
    .groups = {kLinearF32.groups, kLinearBf16.groups, kLinearS8.groups},
    .rows = {kLinearF32.rows, kLinearBf16.rows, kLinearS8.rows},
    .run = {linear_run<KBlockF32, false>, linear_run<KBlockBf16, false>, linear_run<KBlockS8, false>},
    .run_sparse = {linear_run<KBlockF32, true>, nullptr, linear_run<KBlockS8, true>},
    .narrow = kLinearNarrow.outputs,
    .run_narrow = linear_run_narrow,
    .prepare = {linear_prepare<float>, linear_prepare<float>, linear_prepare<KBlockS8::Input>},
    .softmax_rows = softmax_rows,
};

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
