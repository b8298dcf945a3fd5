#include "data/picture.h"

#include <doctest/doctest.h>

#include <cmath>
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
  return Tensor::from<std::uint8_t>(pixels, {1, height, width});
}
}  // namespace

TEST_CASE("picture: wrong use") {
  CHECK_INVALID(is_uniform(Tensor()), "[is_uniform] image must be u8 (C,H,W); got an undefined tensor");
  CHECK_INVALID(inverted(Tensor::zeros({2, 2})), "[inverted] image must be u8 (C,H,W); got f32 (2,2)");
  CHECK_INVALID(is_brighter_at_border(Tensor::zeros({4, 4}, DType::u8)), "got u8 (4,4)");
  CHECK_INVALID(is_brighter_at_border(Tensor::zeros({1, 2, 4}, DType::u8)), "must have an inside");
}

TEST_CASE("picture: uniform is less than 16 between the darkest and the lightest pixel") {
  CHECK(is_uniform(Tensor::zeros({1, 28, 28}, DType::u8)));
  CHECK(is_uniform(picture({200, 215, 207}, 1, 3)));
  CHECK_FALSE(is_uniform(picture({200, 216, 207}, 1, 3)));
  // A plain red picture is of one colour.
  CHECK(is_uniform(Tensor::from<std::uint8_t>({200, 201, 0, 1, 9, 9}, {3, 1, 2})));
  CHECK_FALSE(is_uniform(Tensor::from<std::uint8_t>({200, 201, 0, 16, 9, 9}, {3, 1, 2})));
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
  CHECK(inverted(wide.transpose(1, 2)).to_vector<int>() == std::vector<int>{254, 251, 253, 250, 252, 249});
  CHECK(inverted(inverted(wide)).to_vector<int>() == wide.to_vector<int>());
}

TEST_CASE("picture: of the excerpt's images none is suspect, and every one that is inverted") {
  const Tensor images = read_idx(excerpt_folder() + "/train-images-idx3-ubyte.gz");
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    CAPTURE(i);
    const Tensor image = images.slice(0, i, i + 1);
    CHECK_FALSE(is_uniform(image));
    CHECK_FALSE(is_brighter_at_border(image));
    CHECK(is_brighter_at_border(inverted(image)));
  }
}

TEST_CASE("picture: sizes have the width first") {
  CHECK(size_text(28, 30) == "30x28");
  CHECK(picture_text({7, 3, 24, 40}) == "40x24 colour");
  CHECK(picture_text({1, 28, 28}) == "28x28 grey");
  CHECK(picture_text({2, 5, 5}) == "5x5 with 2 channels");
}

TEST_CASE("picture: colour becomes luma, grey is repeated") {
  CHECK_INVALID(with_channels(Tensor::zeros({2, 4, 4}, DType::u8), 1),
                "1 or 3 channels; got u8 (2,4,4) for 1");
  CHECK_INVALID(with_channels(Tensor::zeros({1, 4, 4}, DType::u8), 2), "for 2");
  const Tensor colours =
      Tensor::from<std::uint8_t>({255, 0, 0, 128, 0, 255, 0, 128, 0, 0, 255, 128}, {3, 1, 4});
  CHECK(with_channels(colours, 1).to_vector<int>() == std::vector<int>{76, 150, 29, 128});
  CHECK(with_channels(colours, 3).to_vector<int>() == colours.to_vector<int>());
  const Tensor two = Tensor::from<std::uint8_t>({1, 2, 3, 4}, {2, 1, 1, 2});
  CHECK(with_channels(two, 3).to_vector<int>() == std::vector<int>{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4});
}

TEST_CASE("picture: resizing by hand") {
  CHECK_INVALID(resized(Tensor::zeros({1, 2, 2}), 1, 1), "[resized] pictures must be u8 (…,H,W)");
  CHECK_INVALID(resized(picture({1}, 1, 1), 0, 1), "got u8 (1,1,1) and 1x0");
  const Tensor wide = picture({0, 100, 200, 40}, 1, 4);
  CHECK(resized(wide, 1, 4).to_vector<int>() == wide.to_vector<int>());
  // Twice as wide: a quarter and three quarters of the way between neighbours, the border as it is.
  CHECK(resized(picture({0, 100}, 1, 2), 1, 4).to_vector<int>() == std::vector<int>{0, 25, 75, 100});
  // Half as wide: a triangle of weights 1/4, 3/4, 3/4, 1/4, cut off and scaled up at the border.
  CHECK(resized(wide, 1, 2).to_vector<int>() ==
        std::vector<int>{static_cast<int>(std::lround((0.75 * 0 + 0.75 * 100 + 0.25 * 200) / 1.75)),
                         static_cast<int>(std::lround((0.25 * 100 + 0.75 * 200 + 0.75 * 40) / 1.75))});
  CHECK(resized(wide.transpose(1, 2), 2, 1).to_vector<int>() == resized(wide, 1, 2).to_vector<int>());
  // A plain picture stays plain at any size, in every channel.
  Tensor plain = Tensor::full({2, 3, 9, 5}, 7, DType::u8);
  plain.select(0, 1).fill(250);
  const Tensor other = resized(plain, 4, 13);
  CHECK(other.shape() == cbnet::Shape{2, 3, 4, 13});
  CHECK(other.select(0, 0).to_vector<int>() == std::vector<int>(156, 7));
  CHECK(other.select(0, 1).to_vector<int>() == std::vector<int>(156, 250));
}
