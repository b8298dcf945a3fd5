#include "cbnet/argmax.h"

#include <algorithm>
#include <cmath>

namespace cbnet {

std::vector<std::int64_t> argmax_rows(const Tensor& scores) {
  require(scores.rank() == 2 && scores.size(1) > 0, "argmax_rows", "expected (N, C); got ", describe(scores));
  const Tensor dense = scores.contiguous();
  std::vector<std::int64_t> out(static_cast<std::size_t>(dense.size(0)));
  dispatch_floating(dense.dtype(), "argmax_rows", [&](auto zero) {
    const auto* row = dense.data<decltype(zero)>();
    for (std::int64_t& column : out) {
      const auto* const end = row + dense.size(1);
      const auto* const largest = std::max_element(row, end);
      const bool answers =
          std::isfinite(*largest) && std::none_of(row, end, [](auto score) { return std::isnan(score); });
      column = answers ? largest - row : -1;
      row = end;
    }
  });
  return out;
}

std::int64_t count_correct(const Tensor& scores, const Tensor& labels) {
  const std::vector<std::int64_t> predicted = argmax_rows(scores);
  const std::vector<std::int64_t> wanted = labels.to_vector<std::int64_t>();
  require(predicted.size() == wanted.size(), "count_correct", "one label per row; got ", predicted.size(),
          " rows and ", wanted.size(), " labels");
  std::int64_t correct = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) correct += predicted[i] == wanted[i] ? 1 : 0;
  return correct;
}

}  // namespace cbnet
