// Augmented pictures on the device are the CPU's: drawn from the same counters, bit by bit where nothing is
// turned.
#include <doctest/doctest.h>

#include <cmath>

#include "data/augment.h"
#include "tensor/cuda/launch.h"

using namespace cbnet;
using emulation::Order;

namespace {

constexpr std::int64_t kImages = 40;

std::vector<float> on(Device device, const data::Augmentation& augmentation, std::int64_t channels,
                      std::int64_t epoch = 3) {
  Rng rng(7);
  Tensor pixels = Tensor::uniform({kImages, channels, 11, 13}, 0.0, 1.0, rng).to(device);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < kImages; ++i) indices.push_back(1000 - 3 * i);
  data::augment(pixels, indices, augmentation, 11, epoch);
  return pixels.to_vector<float>();
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double(a[i]) - double(b[i])));
  return worst;
}

}  // namespace

TEST_CASE("shifts, crops and mirrored pictures are the CPU's, bit by bit") {
  for (const data::Augmentation& augmentation : {data::Augmentation{.shift = 2},
                                                 {.flip = true},
                                                 {.crop = 4},
                                                 {.shift = 1, .flip = true, .crop = 2},
                                                 {}}) {
    for (const std::int64_t channels : {1, 3}) {
      CHECK(on(Device::cuda, augmentation, channels) == on(Device::cpu, augmentation, channels));
      CHECK(on(Device::reference, augmentation, channels) == on(Device::cpu, augmentation, channels));
    }
  }
  CHECK(on(Device::cuda, {.shift = 2}, 1, 3) != on(Device::cuda, {.shift = 2}, 1, 4));
}

TEST_CASE("turned pictures are the CPU's within a few roundings of a place in the picture") {
  // A GPU's sine and fused products move a place by some 1e-15 of a pixel; f32 rounds four weighted pixels.
  for (const data::Augmentation& augmentation :
       {data::Augmentation{.rotation = 30}, {.shift = 2, .flip = true, .crop = 1, .rotation = 180}}) {
    const std::vector<float> here = on(Device::cpu, augmentation, 3);
    CHECK(distance(on(Device::cuda, augmentation, 3), here) < 1e-6);
    CHECK(distance(on(Device::reference, augmentation, 3), here) < 1e-6);
    CHECK(distance(on(Device::cpu, {.rotation = 29}, 3), on(Device::cpu, {.rotation = 30}, 3)) > 1e-3);
  }
}

TEST_CASE("threads read what the first one has drawn, in whatever order they take their turns") {
  const data::Augmentation all{.shift = 2, .flip = true, .crop = 1, .rotation = 20};
  const std::vector<float> forwards = on(Device::cuda, all, 3);
  for (const Order order : {Order::backwards, Order::shuffled}) {
    emulation::set_order(order, 5);
    CHECK(on(Device::cuda, all, 3) == forwards);
    emulation::set_order(Order::forwards);
  }
}
