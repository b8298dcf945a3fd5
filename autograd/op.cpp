#include "autograd/op.h"

namespace cbnet {

void Saved::keep(std::initializer_list<Tensor> kept, std::initializer_list<unsigned> readers) {
  tensors = kept;
  marks_.assign(tensors.size(), {0, ~0U});
  std::size_t i = 0;
  for (const unsigned inputs : readers) marks_[i++].readers = inputs;
}

void Saved::note_versions() noexcept {
  for (std::size_t i = 0; i < marks_.size(); ++i) marks_[i].version = tensors[i].version();
}

bool Saved::is_read(std::size_t tensor) const {
  for (std::size_t input = 0; input < needs_grad.size(); ++input) {
    if (needs_grad[input] && (marks_[tensor].readers >> input & 1U) != 0) return true;
  }
  return false;
}

void Saved::require_unchanged(const char* op, const std::vector<Variable>& inputs) const {
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    const Tensor& kept = tensors[i];
    if (kept.version() == marks_[i].version || !is_read(i)) continue;
    const auto what = [&] {
      for (std::size_t input = 0; input < inputs.size(); ++input) {
        if (inputs[input].value().shares_storage(kept)) return concat("its input ", input);
      }
      return std::string("its output");
    };
    require(
        false, op, "backward() needs what the forward saw, but ", what, ", ", kept,
        ", was written to since; hint: call backward() before the optimizer's step or whatever writes, run "
        "the forward again after it, or write to a clone(); a data() pointer of a tensor that is not const "
        "counts as a write");
  }
}

}  // namespace cbnet
