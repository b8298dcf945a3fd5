#include "data/split.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "tests/data/files.h"

using cbnet::Tensor;
using namespace cbnet::data;

namespace {

/// Class c has 100 + 10 c samples, in mixed order.
std::vector<std::uint8_t> uneven_labels() {
  std::vector<std::uint8_t> labels;
  for (int round = 0; round < 190; ++round) {
    for (int c = 0; c < 10; ++c) {
      if (round < 100 + 10 * c) labels.push_back(static_cast<std::uint8_t>(c));
    }
  }
  return labels;
}

Tensor tensor_of(const std::vector<std::uint8_t>& labels) {
  return Tensor::from(labels, {static_cast<std::int64_t>(labels.size())});
}

}  // namespace

TEST_CASE("split: wrong use") {
  const Tensor labels = tensor_of({0, 1, 2, 3});
  CHECK_INVALID(stratified_split(labels, 4, 1),
                "[stratified_split] validation count must be from 0 to N - 1; got 4 of 4");
  CHECK_INVALID(stratified_split(labels, -1, 1), "got -1 of 4");
  CHECK_INVALID(stratified_split_fraction(labels, 1.0, 1), "fraction must be in [0,1); got 1");
  CHECK_INVALID(stratified_split(labels.to(cbnet::DType::f32), 1, 1),
                "labels must be u8 or i64 (N); got f32 (4)");
  CHECK_INVALID(stratified_split(Tensor(), 1, 1), "got an undefined tensor");
}

TEST_CASE("split: disjoint, complete, ascending, and each class keeps its share") {
  const auto labels = uneven_labels();
  const auto n = static_cast<std::int64_t>(labels.size());  // 1450
  for (const std::int64_t count :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{145}, std::int64_t{333}, n - 1}) {
    CAPTURE(count);
    const SplitIndices split = stratified_split(tensor_of(labels), count, 7);
    CHECK(static_cast<std::int64_t>(split.validation.size()) == count);
    CHECK(std::is_sorted(split.train.begin(), split.train.end()));
    CHECK(std::is_sorted(split.validation.begin(), split.validation.end()));
    std::vector<std::int64_t> both = split.train;
    both.insert(both.end(), split.validation.begin(), split.validation.end());
    std::sort(both.begin(), both.end());
    std::vector<std::int64_t> all(labels.size());
    std::iota(all.begin(), all.end(), 0);
    CHECK(both == all);
    for (int c = 0; c < 10; ++c) {
      const double share = static_cast<double>(count) * (100 + 10 * c) / static_cast<double>(n);
      const auto held = std::count_if(split.validation.begin(), split.validation.end(), [&](std::int64_t i) {
        return labels[static_cast<std::size_t>(i)] == c;
      });
      CHECK(std::abs(static_cast<double>(held) - share) < 1.0);
    }
  }
}

TEST_CASE("split: the seed decides, and nothing else") {
  const Tensor labels = tensor_of(uneven_labels());
  const SplitIndices a = stratified_split(labels, 100, 7);
  CHECK(stratified_split(labels, 100, 7).validation == a.validation);
  CHECK(stratified_split(labels, 100, 8).validation != a.validation);
  CHECK(stratified_split(labels.to(cbnet::DType::i64), 100, 7).validation == a.validation);
  CHECK(stratified_split_fraction(labels, 100.0 / 1450, 7).validation == a.validation);
  // Not simply the first or the last ones.
  CHECK(a.validation.front() < 300);
  CHECK(a.validation.back() > 1000);
}

TEST_CASE("gather copies rows in the order asked for, and none where none are") {
  const cbnet::Tensor rows = cbnet::Tensor::from<std::int64_t>({1, 2, 3, 4, 5, 6}, {3, 2});
  CHECK(gather(rows, {2, 0}).to_vector<std::int64_t>() == std::vector<std::int64_t>{5, 6, 1, 2});
  CHECK(gather(rows, {}).shape() == cbnet::Shape{0, 2});
}
