#include "data/batches.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "tensor/parallel.h"
#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Shape;
using cbnet::Tensor;
using namespace cbnet::data;

namespace {

/// Image i is filled with i modulo 256; its label is i modulo 10.
Tensor images_of(std::int64_t n) {
  Tensor out = Tensor::empty({n, 1, 4, 3}, DType::u8);
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i / 12);
  return out;
}
Tensor labels_of(std::int64_t n) {
  Tensor out = Tensor::empty({n}, DType::u8);
  for (std::int64_t i = 0; i < n; ++i) out.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 10);
  return out;
}

std::vector<std::int64_t> order_of(const Batches& batches) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    const Batch batch = batches.batch(i);
    out.insert(out.end(), batch.indices.begin(), batch.indices.end());
  }
  return out;
}

}  // namespace

TEST_CASE("batches: wrong use") {
  const Tensor images = images_of(10);
  const Tensor labels = labels_of(10);
  CHECK_INVALID(Batches(images.to(DType::f32), labels, {}),
                "[batches] images must be u8 (N,C,H,W); got f32 (10,1,4,3)");
  CHECK_INVALID(Batches(Tensor(), labels, {}), "got an undefined tensor");
  CHECK_INVALID(Batches(images, labels_of(9), {}),
                "labels must be u8 or i64, one per image; got u8 (9) for u8 (10,1,4,3)");
  CHECK_INVALID(Batches(images, labels, {.batch_size = 0}), "batch size must be positive; got 0");
  CHECK_INVALID(Batches(images, labels, {3, 10}, BatchOptions{}), "indices must be below N; got 10");
  Batches batches(images, labels, {.batch_size = 4});
  CHECK_INVALID(batches.batch(3), "batch must be below 3; got 3");
  CHECK_INVALID(batches.set_epoch(-1), "epoch must not be negative; got -1");
  CHECK_INVALID(epoch_order(-1, 0, 0), "[epoch_order]");
  CHECK_INVALID(to_float(images, {-1}), "[to_float] indices must be below N; got -1");
}

TEST_CASE("batches: to_float divides by 255") {
  Tensor images = Tensor::empty({1, 1, 16, 16}, DType::u8);
  for (int i = 0; i < 256; ++i) images.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i);
  const Tensor pixels = to_float(images);
  CHECK(pixels.shape() == Shape{1, 1, 16, 16});
  for (int i = 0; i < 256; ++i) CHECK(pixels.data<float>()[i] == static_cast<float>(i) / 255.0F);
  CHECK(pixels.data<float>()[255] == 1.0F);
  // A view, and more than one thread's share.
  const Tensor many = images_of(9000);
  const Tensor every_third = to_float(many.slice(0, 1, 9000, 3));
  CHECK(every_third.shape() == Shape{3000, 1, 4, 3});
  CHECK(every_third.at({2999, 0, 3, 2}) == doctest::Approx((8998 % 256) / 255.0));
  const Tensor chosen = to_float(many, {8999, 0, 8999});
  CHECK(chosen.at({0, 0, 0, 0}) == chosen.at({2, 0, 3, 2}));
  CHECK(chosen.at({0, 0, 0, 0}) == doctest::Approx((8999 % 256) / 255.0));
  CHECK(chosen.at({1, 0, 0, 0}) == 0.0);
}

TEST_CASE("batches: an epoch has every sample once, with its own pixels and label") {
  Batches batches(images_of(23), labels_of(23), {.batch_size = 5, .seed = 1});
  CHECK(batches.size() == 5);
  CHECK(batches.num_samples() == 23);
  for (std::int64_t i = 0; i < 5; ++i) {
    const Batch batch = batches.batch(i);
    const std::int64_t count = i < 4 ? 5 : 3;
    CHECK(batch.pixels.shape() == Shape{count, 1, 4, 3});
    CHECK(batch.labels.dtype() == DType::i64);
    CHECK(batch.labels.shape() == Shape{count});
    for (std::int64_t b = 0; b < count; ++b) {
      const std::int64_t index = batch.indices[static_cast<std::size_t>(b)];
      CHECK(batch.labels.at({b}) == static_cast<double>(index % 10));
      CHECK(batch.pixels.at({b, 0, 3, 2}) == doctest::Approx(static_cast<double>(index) / 255));
    }
  }
  auto order = order_of(batches);
  std::sort(order.begin(), order.end());
  std::vector<std::int64_t> all(23);
  std::iota(all.begin(), all.end(), 0);
  CHECK(order == all);
}

TEST_CASE("batches: the order is a function of seed and epoch alone") {
  const Tensor images = images_of(100);
  const Tensor labels = labels_of(100);
  Batches run(images, labels, {.batch_size = 7, .seed = 3});
  std::vector<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    run.set_epoch(epoch);
    CHECK(run.epoch() == epoch);
    orders.push_back(order_of(run));
    CHECK(orders.back() == epoch_order(100, 3, epoch));
  }
  CHECK(orders[0] != orders[1]);
  CHECK(orders[1] != orders[2]);
  Batches resumed(images, labels, {.batch_size = 7, .seed = 3});
  resumed.set_epoch(2);
  CHECK(order_of(resumed) == orders[2]);
  Batches other(images, labels, {.batch_size = 7, .seed = 4});
  CHECK(order_of(other) != orders[0]);
}

TEST_CASE("batches: in order, over a part of the set, without a short last batch") {
  const Batches plain(images_of(10), labels_of(10), {.batch_size = 4, .shuffle = false, .drop_last = true});
  CHECK(plain.size() == 2);
  CHECK(order_of(plain) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
  const Batches part(images_of(10), labels_of(10), {9, 2, 5}, {.batch_size = 2, .shuffle = false});
  CHECK(order_of(part) == std::vector<std::int64_t>{9, 2, 5});
  CHECK(part.batch(0).labels.to_vector<int>() == std::vector<int>{9, 2});
  const Batches none(images_of(10), labels_of(10), std::vector<std::int64_t>{}, BatchOptions{});
  CHECK(none.size() == 0);
}

TEST_CASE("batches: augmentation on request, the same for any number of threads") {
  const Tensor images = images_of(64);
  const Tensor labels = labels_of(64);
  const BatchOptions moved{.batch_size = 64, .seed = 2, .augmentation = {.shift = 2}};
  const Batch plain = Batches(images, labels, {.batch_size = 64, .seed = 2}).batch(0);
  const Batch batch = Batches(images, labels, moved).batch(0);
  CHECK(batch.indices == plain.indices);
  CHECK(batch.pixels.to_vector<float>() != plain.pixels.to_vector<float>());
  Tensor by_hand = plain.pixels.clone();
  augment(by_hand, plain.indices, moved.augmentation, 2, 0);
  CHECK(batch.pixels.to_vector<float>() == by_hand.to_vector<float>());
  const int threads = cbnet::num_threads();
  cbnet::set_num_threads(3);
  CHECK(Batches(images, labels, moved).batch(0).pixels.to_vector<float>() == batch.pixels.to_vector<float>());
  cbnet::set_num_threads(threads);
}
