// The body of dense.h, included by each isa/<isa>.cpp inside a namespace of its own after simd.inc.h,
// with CBNET_VECTOR_BYTES set (0: one element at a time) and the largest blocks of sums, groups by rows: for
// each kind of weights, and kDenseSparseRows by one group. The sums, a step's weights of the groups and one
// input must fit the vector registers. Nothing of std:: here: an inline symbol compiled with ISA flags could
// be linked into baseline code.

// In this order: each needs those before it.
#include "runtime/kernels/dense_math.inc.h"

#include "runtime/kernels/dense_finish.inc.h"

#include "runtime/kernels/dense_step.inc.h"

// `total` cut into the fewest blocks of at most `most`, as equal as can be. One long block and a stub would
// leave the stub waiting on latency.
struct Split {
  int64_t blocks, size, larger;
  Split(int64_t total, int64_t most)
      : blocks((total + most - 1) / most), size(blocks ? total / blocks : 0), larger(total - blocks * size) {}
  int64_t count(int64_t block) const { return size + (block < larger ? 1 : 0); }
  int64_t first(int64_t block) const { return block * size + (block < larger ? block : larger); }
};

#include "runtime/kernels/dense_inputs.inc.h"

// The steps to take: `count` of them, the first `first` of them as Step::First does.
struct Steps {
  const int32_t* columns;
  int64_t count, first;
};

// One block of sums: `Rows` rows from `row` on by the `Groups` groups from `group` on. Of a sparse layer the
// weights of just the steps to take are there, of others all.
template <class Step>
using BlockFn = void (*)(const DenseCall& call, int64_t row, int64_t group, const typename Step::Weight* w,
                         Steps steps);

template <class Step, int Groups, int Rows, bool Sparse>
[[gnu::noinline]] void block(const DenseCall& call, int64_t row, int64_t group,
                             const typename Step::Weight* w, Steps steps) {
  using Sum = typename Step::Sum;
  // A sum is ready four cycles after the one before it: few sums are kept several times over.
  constexpr int kSums = Groups * Rows * kVectors, kSets = kSums >= 8 ? 1 : (8 + kSums - 1) / kSums;
  constexpr int64_t kStepWeights = Groups * Step::kGroupWeights;
  const auto* const x = static_cast<const typename Step::Input*>(call.x) + row * call.x_pitch;
  const int64_t x_pitch = call.x_pitch;
  Sum sum[kSets][Rows][Groups][kVectors];
  CBNET_UNROLL for (int s = 0; s < kSets; ++s) {
    CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
      CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
        CBNET_UNROLL for (int v = 0; v < kVectors; ++v) sum[s][r][g][v] = Sum{};
      }
    }
  }
  const int32_t* const columns = steps.columns;
  const auto add = [&]<class As>(As, Sum(&to)[Rows][Groups][kVectors], int64_t step)
      __attribute__((always_inline)) {
    const int64_t column = columns[step];
    const typename Step::Weight* const weights = w + (Sparse ? step : column) * kStepWeights;
    typename Step::Wide wide[Groups][kVectors];
    CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
      CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
        wide[g][v] = Step::widen(weights + g * Step::kGroupWeights, v);
      }
    }
    if constexpr (Rows == 1 && !Sparse) {
      // The hardware cannot guess which lines come next.
      const typename Step::Weight* const ahead = w + columns[step + kStepsAhead] * kStepWeights;
      CBNET_UNROLL for (int g = 0; g < Groups; ++g) __builtin_prefetch(ahead + g * Step::kGroupWeights);
    }
    const int64_t at = column * Step::kInputs;
    CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
      const typename As::Spread spread = As::spread(x + r * x_pitch + at);
      CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
        CBNET_UNROLL for (int v = 0; v < kVectors; ++v) { As::add(to[r][g][v], wide[g][v], spread); }
      }
    }
  };
  const auto add_all = [&]<class As>(As as, int64_t step, int64_t end) __attribute__((always_inline)) {
    for (; step + kSets <= end; step += kSets) {
      CBNET_UNROLL for (int s = 0; s < kSets; ++s) add(as, sum[s], step + s);
    }
    for (; step < end; ++step) add(as, sum[0], step);
  };
  if constexpr (!__is_same(Step, typename Step::First)) add_all(typename Step::First{}, 0, steps.first);
  add_all(Step{}, steps.first, steps.count);

  alignas(64) typename Step::Scalar sums[Rows][Groups * kDenseGroup];
  CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
    CBNET_UNROLL for (int g = 0; g < Groups; ++g) {
      CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
        Sum total = sum[0][r][g][v];
        CBNET_UNROLL for (int s = 1; s < kSets; ++s) total += sum[s][r][g][v];
        store(&sums[r][g * kDenseGroup + v * kLanes], total);
      }
    }
  }
  finish(call, &sums[0][0], Rows, Groups, row, group);
}

template <class Step, bool Sparse, int Groups, int Rows>
BlockFn<Step> block_fn(int64_t groups, int64_t rows) {
  if constexpr (Groups > 1) {
    if (groups < Groups) return block_fn<Step, Sparse, Groups - 1, Rows>(groups, rows);
  }
  if constexpr (Rows > 1) {
    if (rows < Rows) return block_fn<Step, Sparse, Groups, Rows - 1>(groups, rows);
  }
  return block<Step, Groups, Rows, Sparse>;
}

// A chunk of rows stays in L2 while every panel passes over it, and a panel while every block of rows does.
template <class Step, bool Sparse>
void run(const DenseCall& call) {
  constexpr int64_t kChunkBytes = 256 * 1024;
  constexpr int kGroups = Sparse ? 1 : Step::kBlock.groups;
  constexpr int kRows = Sparse ? kDenseSparseRows : Step::kBlock.rows;
  const int64_t groups = (call.out + kDenseGroup - 1) / kDenseGroup;
  const Split panels(groups, kGroups);
  const int64_t row_bytes = call.steps * Step::kInputs * static_cast<int64_t>(sizeof(typename Step::Input));
  const int64_t fitting = kChunkBytes / row_bytes / kRows * kRows;
  const int64_t chunk = fitting > kRows ? fitting : kRows;
  const auto* const weights = static_cast<const typename Step::Weight*>(call.weights);
  for (int64_t first = 0; first < call.rows; first += chunk) {
    const Split rows(call.rows - first < chunk ? call.rows - first : chunk, kRows);
    if constexpr (!Sparse) {
      for (int64_t b = 0; b < rows.blocks; ++b)
        list_steps<Step>(call, first + rows.first(b), rows.count(b), call.lists + b * dense_list(call.steps));
    }
    for (int64_t i = 0; i < panels.blocks; ++i) {
      const int64_t panel = call.backwards ? panels.blocks - 1 - i : i;
      const int64_t group = panels.first(panel), count = panels.count(panel);
      const int64_t start = Sparse ? call.starts[group] : group * call.steps;
      const auto* const w = weights + start * Step::kGroupWeights;
      for (int64_t b = 0; b < rows.blocks; ++b) {
        const int32_t* const list = Sparse ? nullptr : call.lists + b * dense_list(call.steps);
        const Steps steps = Sparse ? Steps{call.columns + start, call.starts[group + 1] - start, 0}
                                   : Steps{list + 2, list[0], list[1]};
        block_fn<Step, Sparse, kGroups, kRows>(count, rows.count(b))(call, first + rows.first(b), group, w,
                                                                     steps);
      }
    }
  }
}

#include "runtime/kernels/dense_narrow.inc.h"

#include "runtime/kernels/dense_rows.inc.h"

constexpr DenseTable kTable = {
    .groups = {kDenseF32.groups, kDenseBf16.groups, kDenseS8.groups},
    .rows = {kDenseF32.rows, kDenseBf16.rows, kDenseS8.rows},
    .run = {run<StepF32, false>, run<StepBf16, false>, run<StepS8, false>},
    .run_sparse = {run<StepF32, true>, nullptr, run<StepS8, true>},
    .narrow = kDenseNarrow.outputs,
    .run_narrow = run_narrow,
    .prepare = {prepare<float>, prepare<float>, prepare<StepS8::Input>},
    .softmax_rows = softmax_rows,
};
