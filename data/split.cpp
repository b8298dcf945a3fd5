#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "tensor/rng.h"

namespace cbnet::data {
namespace {

// Keeps these random numbers apart from those that batches and augmentation draw from the same seed.
constexpr std::uint64_t kSplitStream = 0x73706c6974;  // "split"

struct Quota {
  std::int64_t label = 0;
  std::int64_t count = 0;
  std::int64_t remainder = 0;  // of total * size / N
};

}  // namespace

SplitIndices stratified_split(const Tensor& labels, std::int64_t validation_count, std::uint64_t seed) {
  require(
      labels.defined() && labels.rank() == 1 && (labels.dtype() == DType::u8 || labels.dtype() == DType::i64),
      "stratified_split", "labels must be u8 or i64 (N); got ",
      labels.defined() ? describe(labels) : std::string("an undefined tensor"));
  const std::int64_t n = labels.numel();
  require(validation_count >= 0 && validation_count < n, "stratified_split",
          "validation count must be from 0 to N - 1; got ", validation_count, " of ", n);

  std::map<std::int64_t, std::vector<std::int64_t>> members;
  const std::vector<std::int64_t> values = labels.to_vector<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i) members[values[static_cast<std::size_t>(i)]].push_back(i);

  std::vector<Quota> quotas;
  std::int64_t given = 0;
  for (const auto& [label, indices] : members) {
    const std::int64_t product = validation_count * static_cast<std::int64_t>(indices.size());
    quotas.push_back({label, product / n, product % n});
    given += product / n;
  }
  std::stable_sort(quotas.begin(), quotas.end(),
                   [](const Quota& a, const Quota& b) { return a.remainder > b.remainder; });
  for (std::size_t i = 0; given < validation_count; ++i, ++given) ++quotas[i].count;

  SplitIndices out;
  for (const Quota& quota : quotas) {
    std::vector<std::int64_t>& indices = members[quota.label];
    Rng rng(seed, kSplitStream + static_cast<std::uint64_t>(quota.label));
    rng.shuffle(std::span<std::int64_t>(indices));
    const auto cut = indices.begin() + quota.count;
    out.validation.insert(out.validation.end(), indices.begin(), cut);
    out.train.insert(out.train.end(), cut, indices.end());
  }
  std::sort(out.validation.begin(), out.validation.end());
  std::sort(out.train.begin(), out.train.end());
  return out;
}

SplitIndices stratified_split_fraction(const Tensor& labels, double fraction, std::uint64_t seed) {
  require(fraction >= 0.0 && fraction < 1.0, "stratified_split", "fraction must be in [0,1); got ", fraction);
  const std::int64_t n = labels.defined() ? labels.numel() : 0;
  return stratified_split(labels, std::llround(fraction * static_cast<double>(n)), seed);
}

Tensor gather(const Tensor& rows, const std::vector<std::int64_t>& indices) {
  Shape shape = rows.shape();
  shape[0] = static_cast<std::int64_t>(indices.size());
  Tensor out = Tensor::empty(shape, rows.dtype());
  for (std::size_t i = 0; i < indices.size(); ++i)
    out.select(0, static_cast<std::int64_t>(i)).copy_from(rows.select(0, indices[i]));
  return out;
}

}  // namespace cbnet::data
