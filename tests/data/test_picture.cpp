#include "data/picture.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "data/idx.h"
#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Tensor;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {
Tensor picture(const std::vector<std::uint8_t>& pixels, std::int64_t height, std::int64_t width) {
  return Tensor::from<std::uint8_t>(pixels, {height, width});
}
}  // namespace

TEST_CASE("picture: wrong use") {
  CHECK_INVALID(is_uniform(Tensor()), "[is_uniform] image must be u8 (H,W); got an undefined tensor");
  CHECK_INVALID(inverted(Tensor::zeros({2, 2})), "[inverted] image must be u8 (H,W); got f32 (2,2)");
  CHECK_INVALID(is_brighter_at_border(Tensor::zeros({1, 4, 4}, DType::u8)), "got u8 (1,4,4)");
  CHECK_INVALID(is_brighter_at_border(Tensor::zeros({2, 4}, DType::u8)), "must have an inside");
}

TEST_CASE("picture: uniform is less than 16 between the darkest and the lightest pixel") {
  CHECK(is_uniform(Tensor::zeros({28, 28}, DType::u8)));
  CHECK(is_uniform(picture({200, 215, 207}, 1, 3)));
  CHECK_FALSE(is_uniform(picture({200, 216, 207}, 1, 3)));
}

TEST_CASE("picture: the border is compared with the inside by its mean") {
  CHECK(is_brighter_at_border(picture({9, 9, 9, 9, 8, 9, 9, 9, 9}, 3, 3)));
  CHECK_FALSE(is_brighter_at_border(picture({9, 9, 9, 9, 9, 9, 9, 9, 9}, 3, 3)));
  // 10 at the border, of 12 pixels, and 2 inside, of 2 pixels: means 0.83 and 1.
  CHECK_FALSE(is_brighter_at_border(picture({10, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0}, 3, 4)));
  CHECK(is_brighter_at_border(picture({11, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0}, 3, 4)));
}

TEST_CASE("picture: a view is taken as it looks, and inverting twice gives the picture back") {
  const Tensor wide = picture({1, 2, 3, 4, 5, 6}, 2, 3);
  CHECK(inverted(wide.transpose(0, 1)).to_vector<int>() == std::vector<int>{254, 251, 253, 250, 252, 249});
  CHECK(inverted(inverted(wide)).to_vector<int>() == wide.to_vector<int>());
}

TEST_CASE("picture: of the excerpt's images none is suspect, and every one that is inverted") {
  const Tensor images = read_idx(excerpt_folder() + "/train-images-idx3-ubyte.gz");
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    CAPTURE(i);
    const Tensor image = images.select(0, i);
    CHECK_FALSE(is_uniform(image));
    CHECK_FALSE(is_brighter_at_border(image));
    CHECK(is_brighter_at_border(inverted(image)));
  }
}
