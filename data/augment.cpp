#include "data/augment.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "data/deform.h"
#include "tensor/backend.h"

namespace cbnet::data {
namespace {

constexpr std::uint64_t kAugmentStream = 0x6175676d656e74;  // "augment", apart from the split and the order

void check(const Tensor& pixels, std::int64_t samples, const Augmentation& augmentation) {
  require(pixels.defined() && pixels.rank() == 4 && pixels.dtype() == DType::f32 && pixels.is_contiguous(),
          "augment", "pixels must be contiguous f32 (B,C,H,W); got ",
          pixels.defined() ? describe(pixels) : std::string("an undefined tensor"));
  require(samples == pixels.size(0), "augment", "one index per sample is needed; got ", samples, " for ",
          describe(pixels));
  for (const auto& [name, by] : {std::pair{"shift", augmentation.shift}, {"crop", augmentation.crop}}) {
    require(by == 0 || (by > 0 && by < std::min(pixels.size(2), pixels.size(3))), "augment", name,
            " must be at least 0 and smaller than the image; got ", by);
  }
  require(augmentation.rotation >= 0 && augmentation.rotation <= 180, "augment",
          "rotation must be 0 to 180 degrees; got ", augmentation.rotation);
  require(augmentation.scale >= 0 && augmentation.scale < 1, "augment", "scale must be 0 to below 1; got ",
          augmentation.scale);
  require(augmentation.shear >= 0 && augmentation.shear <= 60, "augment",
          "shear must be 0 to 60 degrees; got ", augmentation.shear);
  require(augmentation.elastic >= 0 && augmentation.elastic <= 256, "augment",
          "elastic must be 0 to 256 pixels; got ", augmentation.elastic);
}

}  // namespace

void augment(Tensor& pixels, std::span<const std::int64_t> indices, const Augmentation& augmentation,
             std::uint64_t seed, std::int64_t epoch) {
  check(pixels, static_cast<std::int64_t>(indices.size()), augmentation);
  if (!augmentation.any()) return;
  std::vector<std::int64_t> streams;
  for (const std::int64_t index : indices) streams.push_back(epoch << 32 | index);
  const Tensor on_device = Tensor::from(streams, {pixels.size(0)}, pixels.device());
  Tensor out = Tensor::empty(pixels.shape(), pixels);
  backend_of(pixels.device())
      .augment({.dtype = pixels.dtype(),
                .n = pixels.size(0),
                .channels = pixels.size(1),
                .h = pixels.size(2),
                .w = pixels.size(3),
                .shift = augmentation.shift,
                .crop = augmentation.crop,
                .flip = augmentation.flip,
                .rotation = augmentation.deforms() ? 0.0 : augmentation.rotation,
                .seed = seed ^ kAugmentStream,
                .streams = static_cast<const std::int64_t*>(on_device.address()),
                .x = pixels.address(),
                .y = out.address()});
  pixels = out;
  if (!augmentation.deforms()) return;
  Tensor on_host = pixels.to(Device::cpu);
  deform(on_host, streams, augmentation, seed);
  pixels = on_host.to(pixels.device());
}

}  // namespace cbnet::data
