// sum: y = the sum of x over `axes`.
// Shapes : x (any) -> y without the axes; with `keepdim`, of size 1 there.     Dtypes: f32, f64.
// Saves  : x's shape.      Grad  : dx = dy, stretched over the axes.
// Edge   : a sum of nothing is 0; no axes leave x as it is; NaN and opposite infinities give NaN.
// Kernels: baseline loops with sums in f64, cut into pieces of fixed size that are spread over the threads
//          and added in order, so that any thread count gives the same bits. A strided x is copied first.
#include "autograd/ops/sum.h"

#include <algorithm>
#include <numeric>

#include "tensor/parallel.h"

namespace cbnet {
namespace ops {
namespace {

constexpr std::int64_t kPieceElements = 1 << 14;
constexpr std::int64_t kMaxWidth = 256;

/// Neighbouring axes of a row-major tensor that are all summed or all kept, as one.
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

/// How a contiguous x is walked. Every unit is `columns` neighbouring outputs; it adds up runs of `length` x
/// `columns` elements: length 1 where the innermost axis is kept, columns 1 where it is summed.
struct Walk {
  std::vector<Group> units;
  std::vector<Group> runs;
  std::int64_t columns = 1;
  std::int64_t length = 1;

  Walk(const Shape& shape, const std::vector<bool>& summed) {
    std::int64_t stride = 1;
    std::vector<Group>* last = nullptr;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (shape[axis] == 1) continue;
      std::vector<Group>& groups = summed[axis] ? runs : units;
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

/// Adds steps [first_step, last_step) of the outputs at x[0 … width) to total[0 … width); a step is one of
/// the `cuts` cuts of a run.
template <class T>
void add_piece(const Walk& walk, const T* x, std::int64_t width, std::int64_t first_step,
               std::int64_t last_step, std::int64_t cuts, double* total) {
  for (std::int64_t step = first_step; step < last_step; ++step) {
    const T* run = x + offset_of(step / cuts, walk.runs);
    if (walk.columns == 1) {
      const std::int64_t begin = step % cuts * kPieceElements;
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
  // Wide outputs are cut into blocks, long runs into cuts, and the steps of one output into pieces.
  const std::int64_t blocks = (walk.columns + kMaxWidth - 1) / kMaxWidth;
  const std::int64_t block_width = std::min(walk.columns, kMaxWidth);
  const std::int64_t units = product(walk.units) * blocks;
  const std::int64_t cuts = (walk.length + kPieceElements - 1) / kPieceElements;
  const std::int64_t steps = product(walk.runs) * cuts;
  const std::int64_t step_elements = std::min(walk.length, kPieceElements) * block_width;
  const std::int64_t piece_steps = std::max<std::int64_t>(kPieceElements / step_elements, 1);
  const std::int64_t pieces = (steps + piece_steps - 1) / piece_steps;

  const auto width_of = [&](std::int64_t unit) {
    return std::min(walk.columns - unit % blocks * kMaxWidth, kMaxWidth);
  };
  const auto run_piece = [&](std::int64_t unit, std::int64_t piece, double* total) {
    const T* first = x + offset_of(unit / blocks, walk.units) + unit % blocks * kMaxWidth;
    const std::int64_t begin = piece * piece_steps;
    add_piece(walk, first, width_of(unit), begin, std::min(begin + piece_steps, steps), cuts, total);
  };
  const auto finish = [&](std::int64_t unit, const double* total) {
    T* out = y + unit / blocks * walk.columns + unit % blocks * kMaxWidth;
    for (std::int64_t i = 0; i < width_of(unit); ++i) out[i] = static_cast<T>(total[i] * factor);
  };

  if (pieces == 1) {
    parallel_for(units, 2 * kPieceElements / (steps * step_elements) + 1,
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

std::vector<bool> mark_axes(const std::vector<std::int64_t>& axes, const Shape& shape, const char* where) {
  std::vector<bool> marked(shape.size(), false);
  for (const std::int64_t axis : axes) {
    const auto a =
        static_cast<std::size_t>(normalize_axis(axis, static_cast<std::int64_t>(shape.size()), where));
    require(!marked[a], where, "axes must differ; got ", axes, " for ", shape);
    marked[a] = true;
  }
  return marked;
}

}  // namespace

AxisSplit split_at_axis(const Shape& shape, std::int64_t axis, const char* where) {
  const std::int64_t at = normalize_axis(axis, static_cast<std::int64_t>(shape.size()), where);
  return {numel(Shape(shape.begin(), shape.begin() + at)), shape[static_cast<std::size_t>(at)],
          numel(Shape(shape.begin() + at + 1, shape.end()))};
}

Shape reduced_shape(const Shape& shape, const std::vector<std::int64_t>& axes, bool keepdim,
                    const char* where) {
  const std::vector<bool> reduced = mark_axes(axes, shape, where);
  Shape out;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (!reduced[axis]) {
      out.push_back(shape[axis]);
    } else if (keepdim) {
      out.push_back(1);
    }
  }
  return out;
}

Tensor sum_axes(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdim, double factor) {
  const Shape shape = reduced_shape(x.shape(), axes, keepdim, Sum::kName);
  if (x.numel() == 0) return Tensor::full(shape, 0.0 * factor, x.dtype());
  const Tensor dense = x.contiguous();
  Tensor y = Tensor::empty(shape, x.dtype());
  const Walk walk(x.shape(), mark_axes(axes, x.shape(), Sum::kName));
  dispatch_floating(x.dtype(), Sum::kName, [&](auto zero) {
    using T = decltype(zero);
    sum_walk<T>(walk, dense.data<T>(), factor, y.data<T>());
  });
  return y;
}

Tensor stretch_back(const Tensor& doutput, const std::vector<std::int64_t>& axes, const Shape& shape) {
  // Reduced axes come back with size 1, which is always a view.
  Tensor dy = doutput;
  const std::vector<bool> reduced = mark_axes(axes, shape, Sum::kName);
  if (dy.rank() != static_cast<std::int64_t>(shape.size())) {
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (reduced[axis]) dy = dy.unsqueeze(static_cast<std::int64_t>(axis));
    }
  }
  return dy.expand(shape);
}

Shape Sum::infer(const Args& args, std::span<const Shape> in) {
  return reduced_shape(in[0], args.axes, args.keepdim, kName);
}

Tensor Sum::forward(const Args& args, Inputs in, Saved& saved) {
  // One element stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, in[0].dtype()).expand(in[0].shape())});
  return sum_axes(in[0], args.axes, args.keepdim);
}

Gradients Sum::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  return {stretch_back(doutput, args.axes, saved.tensors[0].shape())};
}

}  // namespace ops

Variable sum(const Variable& x) {
  std::vector<std::int64_t> axes(x.shape().size());
  std::iota(axes.begin(), axes.end(), std::int64_t{0});
  return sum(x, axes);
}

}  // namespace cbnet
