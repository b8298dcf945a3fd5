#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct IndexSelect {
  static constexpr const char* kName = "index_select";
  struct Args {
    std::int64_t axis = 0;
    /// It is i64 (M), of any device; copied to that of x.
    Tensor index;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// y[..., j, ...] = x[..., index[j], ...] along `axis`, which may be negative. index: i64 (M), entries in
/// [0, size of x along axis), in any order and repeated at will.
/// Throws std::invalid_argument for an entry outside, another dtype or another rank.
inline Variable index_select(const Variable& x, std::int64_t axis, const Tensor& index) {
  return apply<ops::IndexSelect>({axis, index}, {x});
}

}  // namespace cbnet
