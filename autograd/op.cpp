#include "autograd/op.h"

namespace cbnet {

void Saved::note_versions() noexcept {
  for (std::size_t i = 0; i < tensors.size(); ++i) versions[i] = tensors[i].version();
}

void Saved::require_unchanged(const char* op, const std::vector<Variable>& inputs) const {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& kept = tensors[i];
    if (kept.version() == versions[i]) continue;
    const auto what = [&] {
      for (std::size_t input = 0; input < inputs.size(); ++input) {
        if (inputs[input].value().shares_storage(kept)) return concat("its input ", input);
      }
      return concat("its output or another tensor, ", i, " of those it keeps");
    };
    require(false, op, "backward() needs what the forward saw, but ", what, ", ", kept,
            ", was written to since; hint: call backward() before the optimizer's step or whatever writes, run "
            "the forward again after it, or write to a clone(); a data() pointer of a tensor that is not const "
            "counts as a write");
  }
}

}  // namespace cbnet
