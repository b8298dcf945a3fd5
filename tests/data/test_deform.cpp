#include "data/deform.h"

#include <cmath>
#include <numeric>

#include "tensor/parallel.h"
#include "tests/data/files.h"

using cbnet::Tensor;
using namespace cbnet::data;

namespace {

/// Two channels of 12x12: the row of each pixel plus 100, and its column plus 100.
Tensor ramps(std::int64_t count) {
  Tensor out = Tensor::empty({count, 2, 12, 12});
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data<float>()[i] = static_cast<float>(100 + (i / 144 % 2 == 0 ? i / 12 % 12 : i % 12));
  return out;
}

Tensor deformed(std::int64_t count, const Augmentation& augmentation, std::int64_t first = 0) {
  Tensor out = ramps(count);
  std::vector<std::int64_t> streams(static_cast<std::size_t>(count));
  std::iota(streams.begin(), streams.end(), first);
  deform(out, streams, augmentation, 3);
  return out;
}

/// Where pixel (i, k) of an image comes from, read off its two ramps; nothing near a border.
struct Place {
  double row = 0.0, column = 0.0;
};
Place place(const Tensor& images, std::int64_t n, std::int64_t i, std::int64_t k) {
  const float* at = images.data<float>() + n * 288 + i * 12 + k;
  return {at[0] - 100.0, at[144] - 100.0};
}

}  // namespace

TEST_CASE("an affine deformation maps straight lines to straight lines and keeps the centre") {
  const Tensor out = deformed(50, {.rotation = 10, .scale = 0.2, .shear = 10});
  double turned = 0.0;
  for (std::int64_t n = 0; n < 50; ++n) {
    const Place a = place(out, n, 5, 5), b = place(out, n, 6, 6), c = place(out, n, 7, 7),
                d = place(out, n, 5, 6);
    CHECK(a.row + b.row == doctest::Approx(11.0).epsilon(1e-4));
    CHECK(a.column + b.column == doctest::Approx(11.0).epsilon(1e-4));
    CHECK(std::abs(c.row - 2 * b.row + a.row) < 1e-3);
    CHECK(std::abs(c.column - 2 * b.column + a.column) < 1e-3);
    turned += std::abs(d.row - a.row) > 0.01 ? 1 : 0;
  }
  CHECK(turned > 40);
}

TEST_CASE("scale alone stretches each axis by a factor of its own, within the bound") {
  const Tensor out = deformed(200, {.scale = 0.2});
  double least = 2, most = 0, unequal = 0;
  for (std::int64_t n = 0; n < 200; ++n) {
    const Place a = place(out, n, 5, 5), b = place(out, n, 6, 6);
    const double down = 1 / (b.row - a.row), right = 1 / (b.column - a.column);
    least = std::min({least, down, right});
    most = std::max({most, down, right});
    unequal += std::abs(down - right) > 0.01 ? 1 : 0;
  }
  CHECK(least >= 0.7999);
  CHECK(least < 0.81);
  CHECK(most <= 1.2001);
  CHECK(most > 1.19);
  CHECK(unequal > 150);
}

TEST_CASE("elastic displacements stay within their bound, are smooth and differ across the image") {
  const Tensor out = deformed(100, {.elastic = 2});
  double most = 0.0, apart = 0.0;
  for (std::int64_t n = 0; n < 100; ++n) {
    for (std::int64_t i = 3; i < 9; ++i) {
      for (std::int64_t k = 3; k < 8; ++k) {
        const Place here = place(out, n, i, k), right = place(out, n, i, k + 1);
        most = std::max({most, std::abs(here.row - static_cast<double>(i)),
                         std::abs(here.column - static_cast<double>(k))});
        CHECK(std::abs(right.row - here.row) < 1.5);
      }
    }
    apart += std::abs((place(out, n, 3, 3).row - 3) - (place(out, n, 8, 8).row - 8)) > 0.2 ? 1 : 0;
  }
  CHECK(most <= 2.0);
  CHECK(most > 0.8);
  CHECK(apart > 70);
}

TEST_CASE("what comes in from outside is 0") {
  const Tensor out = deformed(50, {.shear = 45});
  std::int64_t zeros = 0;
  for (const float pixel : out.to_vector<float>()) {
    CHECK(pixel < 112.0F);
    zeros += pixel == 0.0F ? 1 : 0;
  }
  CHECK(zeros > 500);
}

TEST_CASE("an image's deformation depends on its stream alone, not on its batch or the threads") {
  const Augmentation all{.rotation = 10, .scale = 0.1, .shear = 10, .elastic = 1};
  const Tensor whole = deformed(100, all);
  CHECK(deformed(30, all, 40).to_vector<float>() == whole.slice(0, 40, 70).to_vector<float>());
  const int threads = cbnet::num_threads();
  cbnet::set_num_threads(3);
  CHECK(deformed(100, all).to_vector<float>() == whole.to_vector<float>());
  cbnet::set_num_threads(threads);
}

TEST_CASE("augment shifts and flips before it deforms; bounds are checked") {
  Tensor pixels = ramps(20);
  std::vector<std::int64_t> indices(20);
  std::iota(indices.begin(), indices.end(), 0);
  augment(pixels, indices, {.flip = true, .scale = 0.1}, 1, 0);
  double mirrored = 0;
  for (std::int64_t n = 0; n < 20; ++n)
    mirrored += place(pixels, n, 5, 5).column > place(pixels, n, 5, 6).column ? 1 : 0;
  CHECK(mirrored > 3);
  CHECK(mirrored < 17);
  CHECK_INVALID(augment(pixels, indices, {.scale = 1}, 1, 0), "scale must be 0 to below 1; got 1");
  CHECK_INVALID(augment(pixels, indices, {.shear = -1}, 1, 0), "shear must be 0 to 60 degrees; got -1");
  CHECK_INVALID(augment(pixels, indices, {.elastic = 257}, 1, 0), "elastic must be 0 to 256 pixels; got 257");
}
