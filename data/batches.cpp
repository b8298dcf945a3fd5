#include "data/batches.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "tensor/parallel.h"
#include "tensor/rng.h"

namespace cbnet::data {
namespace {

constexpr std::int64_t kGrainPixels = std::int64_t{1} << 15;

void require_images(const Tensor& images, const char* where) {
  require(images.defined() && images.rank() == 4 && images.dtype() == DType::u8, where,
          "images must be u8 (N,C,H,W); got ",
          images.defined() ? describe(images) : std::string("an undefined tensor"));
}

// Divides as the usual recipes do, so that 255 is exactly 1; the compiler vectorizes it.
void convert(const std::uint8_t* from, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) / 255.0F;
}

std::vector<std::int64_t> all_indices(std::int64_t n) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(n));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return indices;
}

}  // namespace

std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  require(count >= 0 && epoch >= 0, "epoch_order", "count and epoch must not be negative; got ", count,
          " and ", epoch);
  std::vector<std::int64_t> order = all_indices(count);
  Rng rng(seed, static_cast<std::uint64_t>(epoch));
  rng.shuffle(std::span<std::int64_t>(order));
  return order;
}

Tensor to_float(const Tensor& images) {
  require_images(images, "to_float");
  const Tensor dense = images.contiguous();
  Tensor out = Tensor::empty(images.shape());
  const auto* from = dense.data<std::uint8_t>();
  auto* to = out.data<float>();
  parallel_for(out.numel(), kGrainPixels,
               [&](std::int64_t begin, std::int64_t end) { convert(from + begin, to + begin, end - begin); });
  return out;
}

Tensor to_float(const Tensor& images, const std::vector<std::int64_t>& indices) {
  require_images(images, "to_float");
  for (const std::int64_t index : indices) {
    require(index >= 0 && index < images.size(0), "to_float", "indices must be below N; got ", index, " for ",
            describe(images));
  }
  const Tensor dense = images.contiguous();
  const auto count = static_cast<std::int64_t>(indices.size());
  Tensor out = Tensor::empty({count, images.size(1), images.size(2), images.size(3)});
  const std::int64_t area = images.size(1) * images.size(2) * images.size(3);
  const auto* from = dense.data<std::uint8_t>();
  auto* to = out.data<float>();
  parallel_for(count, kGrainPixels / std::max<std::int64_t>(area, 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   convert(from + indices[static_cast<std::size_t>(i)] * area, to + i * area, area);
                 }
               });
  return out;
}

Batches::Batches(Tensor images, Tensor labels, std::vector<std::int64_t> indices, const BatchOptions& options)
    : images_(std::move(images)),
      labels_(std::move(labels)),
      indices_(std::move(indices)),
      options_(options) {
  require_images(images_, "batches");
  require(labels_.defined() && labels_.rank() == 1 && labels_.numel() == images_.size(0) &&
              (labels_.dtype() == DType::u8 || labels_.dtype() == DType::i64),
          "batches", "labels must be u8 or i64, one per image; got ",
          labels_.defined() ? describe(labels_) : std::string("an undefined tensor"), " for ",
          describe(images_));
  require(options_.batch_size > 0, "batches", "batch size must be positive; got ", options_.batch_size);
  for (const std::int64_t index : indices_) {
    require(index >= 0 && index < images_.size(0), "batches", "indices must be below N; got ", index, " for ",
            describe(images_));
  }
  images_ = images_.contiguous();
  labels_ = labels_.to(DType::i64).contiguous();
  set_epoch(0);
}

Batches::Batches(const Tensor& images, const Tensor& labels, const BatchOptions& options)
    : Batches(images, labels, all_indices(images.defined() && images.rank() == 4 ? images.size(0) : 0),
              options) {}

std::int64_t Batches::num_samples() const { return static_cast<std::int64_t>(indices_.size()); }

std::int64_t Batches::size() const {
  return (num_samples() + (options_.drop_last ? 0 : options_.batch_size - 1)) / options_.batch_size;
}

void Batches::set_epoch(std::int64_t epoch) {
  require(epoch >= 0, "batches", "epoch must not be negative; got ", epoch);
  order_ = options_.shuffle ? epoch_order(num_samples(), options_.seed, epoch) : all_indices(num_samples());
  epoch_ = epoch;
}

Batch Batches::labels_of(std::int64_t i) const {
  require(i >= 0 && i < size(), "batches", "batch must be below ", size(), "; got ", i);
  const std::int64_t begin = i * options_.batch_size;
  const std::int64_t end = std::min(begin + options_.batch_size, num_samples());
  Batch out;
  out.labels = Tensor::empty({end - begin}, DType::i64);
  auto* labels = out.labels.data<std::int64_t>();
  const auto* all_labels = std::as_const(labels_).data<std::int64_t>();
  for (std::int64_t k = begin; k < end; ++k) {
    const std::int64_t index = indices_[static_cast<std::size_t>(order_[static_cast<std::size_t>(k)])];
    out.indices.push_back(index);
    labels[k - begin] = all_labels[index];
  }
  return out;
}

Batch Batches::batch(std::int64_t i) const {
  Batch out = labels_of(i);
  out.pixels = to_float(images_, out.indices);
  augment(out.pixels, out.indices, options_.augmentation, options_.seed, epoch_);
  return out;
}

}  // namespace cbnet::data
