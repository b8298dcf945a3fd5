#include "data/augment.h"

#include <doctest/doctest.h>

#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tensor/parallel.h"
#include "tests/data/files.h"

using cbnet::Tensor;
using namespace cbnet::data;

namespace {

/// Pixel value 1 + position, so that every move can be told.
Tensor numbered(std::int64_t count, std::int64_t side) {
  Tensor out = Tensor::empty({count, 1, side, side});
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data<float>()[i] = static_cast<float>(1 + i % (side * side));
  return out;
}

std::vector<std::int64_t> indices(std::int64_t count, std::int64_t first = 0) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), first);
  return out;
}

std::vector<float> moved(std::int64_t side, std::int64_t dy, std::int64_t dx, bool flip) {
  std::vector<float> out;
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const std::int64_t from_y = y - dy;
      const std::int64_t from_x = x - dx;
      const bool inside = from_y >= 0 && from_y < side && from_x >= 0 && from_x < side;
      out.push_back(inside ? static_cast<float>(1 + from_y * side + (flip ? side - 1 - from_x : from_x))
                           : 0.0F);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("augment: wrong use") {
  Tensor pixels = numbered(2, 5);
  CHECK_INVALID(augment(pixels, indices(3), {.shift = 1}, 1, 0),
                "[augment] one index per sample is needed; got 3 for f32 (2,1,5,5)");
  CHECK_INVALID(augment(pixels, indices(2), {.shift = 5}, 1, 0),
                "shift must be at least 0 and smaller than the image; got 5");
  CHECK_INVALID(augment(pixels, indices(2), {.shift = -1}, 1, 0), "got -1");
  Tensor flat = Tensor::zeros({2, 25});
  CHECK_INVALID(augment(flat, indices(2), {.shift = 1}, 1, 0),
                "pixels must be contiguous f32 (B,C,H,W); got f32 (2,25)");
}

TEST_CASE("augment: nothing by default") {
  Tensor pixels = numbered(3, 5);
  augment(pixels, indices(3), {}, 1, 0);
  CHECK(pixels.to_vector<float>() == numbered(3, 5).to_vector<float>());
}

TEST_CASE("augment: every shift and flip occurs, about equally often, and nothing else") {
  constexpr std::int64_t kCount = 1800;  // 18 kinds
  Tensor pixels = numbered(kCount, 5);
  augment(pixels, indices(kCount), {.shift = 1, .flip = true}, 3, 0);
  std::map<std::vector<float>, int> seen;
  for (std::int64_t b = 0; b < kCount; ++b) ++seen[pixels.select(0, b).to_vector<float>()];
  CHECK(seen.size() == 18);
  for (std::int64_t dy = -1; dy <= 1; ++dy) {
    for (std::int64_t dx = -1; dx <= 1; ++dx) {
      for (const bool flip : {false, true}) {
        const int times = seen[moved(5, dy, dx, flip)];
        CHECK(times > 50);
        CHECK(times < 170);
      }
    }
  }
}

TEST_CASE("augment: a sample's fate depends on seed, epoch and index, not on its batch or the threads") {
  const auto run = [](std::int64_t count, std::int64_t first, std::uint64_t seed, std::int64_t epoch) {
    Tensor pixels = numbered(count, 8);
    augment(pixels, indices(count, first), {.shift = 3, .flip = true}, seed, epoch);
    return pixels;
  };
  const Tensor all = run(100, 0, 5, 2);
  CHECK(run(30, 40, 5, 2).to_vector<float>() == all.slice(0, 40, 70).to_vector<float>());
  CHECK(run(100, 0, 5, 3).to_vector<float>() != all.to_vector<float>());
  CHECK(run(100, 0, 6, 2).to_vector<float>() != all.to_vector<float>());
  const int threads = cbnet::num_threads();
  for (const int n : {1, 3}) {
    cbnet::set_num_threads(n);
    CHECK(run(100, 0, 5, 2).to_vector<float>() == all.to_vector<float>());
  }
  cbnet::set_num_threads(threads);
}

TEST_CASE("augment: crop and rotation, wrong use") {
  Tensor pixels = numbered(2, 5);
  CHECK_INVALID(augment(pixels, indices(2), {.crop = 5}, 1, 0),
                "crop must be at least 0 and smaller than the image");
  CHECK_INVALID(augment(pixels, indices(2), {.rotation = -1}, 1, 0),
                "rotation must be 0 to 180 degrees; got -1");
  CHECK_INVALID(augment(pixels, indices(2), {.rotation = 181}, 1, 0), "got 181");
}

TEST_CASE("augment: a crop mirrors what is beyond the border, in every channel alike") {
  // Two channels of 3x5, the second 100 more than the first.
  const std::int64_t count = 300, area = 15;
  Tensor pixels = Tensor::empty({count, 2, 3, 5});
  auto* values = pixels.data<float>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i)
    values[i] = static_cast<float>(1 + i % area + (i / area % 2) * 100);
  augment(pixels, indices(count), {.crop = 1}, 4, 0);
  const auto mirrored = [](std::int64_t at, std::int64_t size) {
    return at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
  };
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (std::int64_t b = 0; b < count; ++b) {
    for (std::int64_t dy = -1; dy <= 1; ++dy) {
      for (std::int64_t dx = -1; dx <= 1; ++dx) {
        bool same = true;
        for (std::int64_t i = 0; i < 2 * area; ++i) {
          const std::int64_t y = mirrored(i / 5 % 3 + dy, 3), x = mirrored(i % 5 + dx, 5);
          same = same &&
                 pixels.data<float>()[b * 2 * area + i] == static_cast<float>(1 + y * 5 + x + i / area * 100);
        }
        if (same) seen.insert({dy, dx});
      }
    }
  }
  CHECK(seen.size() == 9);
}

TEST_CASE("augment: a rotation turns about the centre, keeps the middle and most of the light") {
  Tensor pixels = Tensor::zeros({50, 1, 9, 9});
  for (std::int64_t b = 0; b < 50; ++b)
    pixels.select(0, b).select(0, 0).slice(0, 3, 6).slice(1, 3, 6).fill(1.0);
  augment(pixels, indices(50), {.rotation = 45}, 6, 0);
  std::set<float> corners;
  for (std::int64_t b = 0; b < 50; ++b) {
    const Tensor image = pixels.select(0, b).select(0, 0);
    CHECK(image.at({4, 4}) == doctest::Approx(1.0));
    const auto all = image.to_vector<float>();
    CHECK(std::accumulate(all.begin(), all.end(), 0.0) == doctest::Approx(9.0).epsilon(0.15));
    corners.insert(all[3 * 9 + 3]);
  }
  CHECK(corners.size() > 40);  // turned by another angle each
}
