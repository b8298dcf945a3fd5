// `sum` in tensor/reference/reduce.cpp defines what this file computes. A contiguous x is walked so, in f64:
//
//   innermost axis summed   an output adds up runs of `length` elements   x [run] [run] … -> y[i]
//   innermost axis kept     neighbouring outputs add up rows              x [row] [row] … -> y[i], y[i + 1] …
//
// The runs (or rows) of an output are cut into slices of at most kPieceElements, and as many neighbouring
// slices as come to that make a piece. Pieces are spread over the threads and added in order, so that any
// thread count gives the same bits.
#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

constexpr std::int64_t kPieceElements = 1 << 14;
constexpr std::int64_t kMaxWidth = 256;

/// A group is neighbouring axes of a row-major tensor that are all summed or all kept, as one.
struct Group {
  std::int64_t size;
  std::int64_t stride;
};

std::int64_t product(const std::vector<Group>& groups) {
  std::int64_t count = 1;
  for (const Group& group : groups) count *= group.size;
  return count;
}

std::int64_t offset_of(std::int64_t index, const std::vector<Group>& groups) {
  std::int64_t offset = 0;
  for (std::size_t g = groups.size(); g-- > 1;) {
    offset += index % groups[g].size * groups[g].stride;
    index /= groups[g].size;
  }
  return groups.empty() ? 0 : offset + index * groups[0].stride;
}

/// Units are outputs, or `columns` neighbouring ones; each adds up the runs, of `length` x `columns`
/// elements.
struct Walk {
  std::vector<Group> units;
  std::vector<Group> runs;
  std::int64_t columns = 1;
  std::int64_t length = 1;

  /// An axis is summed where y has stride 0.
  Walk(Sizes shape, Sizes y_strides) {
    std::int64_t stride = 1;
    std::vector<Group>* last = nullptr;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (shape[axis] == 1) continue;
      std::vector<Group>& groups = y_strides[axis] == 0 ? runs : units;
      if (last == &groups) {
        groups.front().size *= shape[axis];
      } else {
        groups.insert(groups.begin(), {shape[axis], stride});
      }
      last = &groups;
      stride *= shape[axis];
    }
    // The innermost group is walked by the inner loops.
    if (!runs.empty() && runs.back().stride == 1) {
      length = runs.back().size;
      runs.pop_back();
    } else if (!units.empty()) {
      columns = units.back().size;
      units.pop_back();
    }
  }
};

/// Adds slices [first, last) of the outputs at x[0 … width) to total[0 … width); a run has `cuts` slices.
template <class T>
void add_piece(const Walk& walk, const T* x, std::int64_t width, std::int64_t first, std::int64_t last,
               std::int64_t cuts, double* total) {
  for (std::int64_t slice = first; slice < last; ++slice) {
    const T* run = x + offset_of(slice / cuts, walk.runs);
    if (walk.columns == 1) {
      const std::int64_t begin = slice % cuts * kPieceElements;
      const std::int64_t count = std::min(walk.length - begin, kPieceElements);
      total[0] += lane_sum(count, [at = run + begin](std::int64_t i) { return at[i]; });
    } else {
      for (std::int64_t i = 0; i < width; ++i) total[i] += static_cast<double>(run[i]);
    }
  }
}

/// x is contiguous and not empty; y has one element per output.
template <class T>
void sum_walk(const Walk& walk, const T* x, double factor, T* y) {
  const std::int64_t blocks = (walk.columns + kMaxWidth - 1) / kMaxWidth;
  const std::int64_t block_width = std::min(walk.columns, kMaxWidth);
  const std::int64_t units = product(walk.units) * blocks;
  const std::int64_t cuts = (walk.length + kPieceElements - 1) / kPieceElements;
  const std::int64_t slices = product(walk.runs) * cuts;
  const std::int64_t slice_elements = std::min(walk.length, kPieceElements) * block_width;
  const std::int64_t piece_slices = std::max<std::int64_t>(kPieceElements / slice_elements, 1);
  const std::int64_t pieces = (slices + piece_slices - 1) / piece_slices;

  const auto width_of = [&](std::int64_t unit) {
    return std::min(walk.columns - unit % blocks * kMaxWidth, kMaxWidth);
  };
  const auto run_piece = [&](std::int64_t unit, std::int64_t piece, double* total) {
    const T* first = x + offset_of(unit / blocks, walk.units) + unit % blocks * kMaxWidth;
    const std::int64_t begin = piece * piece_slices;
    add_piece(walk, first, width_of(unit), begin, std::min(begin + piece_slices, slices), cuts, total);
  };
  const auto finish = [&](std::int64_t unit, const double* total) {
    T* out = y + unit / blocks * walk.columns + unit % blocks * kMaxWidth;
    for (std::int64_t i = 0; i < width_of(unit); ++i) out[i] = static_cast<T>(total[i] * factor);
  };

  if (pieces == 1) {
    parallel_for(units, 2 * kPieceElements / (slices * slice_elements) + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t unit = begin; unit < end; ++unit) {
                     double total[kMaxWidth];
                     std::fill_n(total, block_width, 0.0);
                     run_piece(unit, 0, total);
                     finish(unit, total);
                   }
                 });
    return;
  }
  std::vector<double> partial(static_cast<std::size_t>(units * pieces * block_width), 0.0);
  parallel_for(units * pieces, 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      run_piece(i / pieces, i % pieces, partial.data() + i * block_width);
    }
  });
  for (std::int64_t unit = 0; unit < units; ++unit) {
    double* total = partial.data() + unit * pieces * block_width;
    for (std::int64_t i = block_width; i < pieces * block_width; ++i) total[i % block_width] += total[i];
    finish(unit, total);
  }
}

template <class T>
void sum_of(const SumCall& call) {
  std::int64_t count = 1, outputs = 1;
  for (std::size_t axis = 0; axis < call.shape.size(); ++axis) {
    count *= call.shape[axis];
    outputs *= call.y_strides[axis] == 0 ? 1 : call.shape[axis];
  }
  if (count == 0) {
    std::fill_n(as<T>(call.y), outputs, static_cast<T>(0.0 * call.factor));
  } else {
    sum_walk<T>(Walk(call.shape, call.y_strides), as<T>(call.x), call.factor, as<T>(call.y));
  }
}

}  // namespace

CBNET_BY_DTYPE(sum, SumCall)

}  // namespace cbnet::cpu
