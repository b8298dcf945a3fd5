#include "data/jpeg_reader.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "data/image.h"
#include "tests/data/files.h"
#include "tests/data/jpeg_bytes.h"

using cbnet::Tensor;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {

int largest_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<int>(), y = b.to_vector<int>();
  REQUIRE(x.size() == y.size());
  int out = 0;
  for (std::size_t i = 0; i < x.size(); ++i) out = std::max(out, std::abs(x[i] - y[i]));
  return out;
}

}  // namespace

TEST_CASE("jpeg: damaged, truncated and of other kinds") {
  const Tensor picture = smooth_picture(3, 24, 40);
  for (const bool progressive : {false, true}) {
    const std::string whole = jpeg(picture, progressive);
    for (std::size_t length = 3; length + 2 < whole.size(); length += 7) {
      CAPTURE(length);
      CHECK_INPUT_ERROR(decode_jpeg(whole.substr(0, length), "a.jpg"), "a.jpg: expected ");
    }
  }
  CHECK_INPUT_ERROR(decode_jpeg("\xff\xd8\xff", "a.jpg"), "a.jpg: expected a valid JPEG image; found ");
  CHECK_INPUT_ERROR(decode_jpeg(jpeg(smooth_picture(4, 8, 8)), "a.jpg"),
                    "expected a JPEG image in grey or in three colours; found one of 4 components");
  CHECK_INPUT_ERROR(decode_jpeg(jpeg(Tensor::zeros({1, 2, 4097}, cbnet::DType::u8)), "a.jpg"),
                    "expected an image of 1x1 to 4096x4096 pixels; found 4097x2");
  std::string promise = jpeg(smooth_picture(1, 8, 8));
  const std::size_t frame = promise.find("\xff\xc0");
  for (const std::size_t i : {5, 7}) promise[frame + i] = '\x0f';
  CHECK_INPUT_ERROR(decode_jpeg(promise, "a.jpg"), "expected the pixels that its header promises, 3848x3848");
}

TEST_CASE("jpeg: grey and colour, baseline and progressive, within what the format loses") {
  for (const bool progressive : {false, true}) {
    for (const std::int64_t channels : {1, 3}) {
      const Tensor picture = smooth_picture(channels, 24, 40);
      const Tensor read = decode_jpeg(jpeg(picture, progressive), "a.jpg");
      CHECK(read.shape() == picture.shape());
      CHECK(largest_difference(read, picture) <= 6);
    }
  }
}

TEST_CASE("jpeg: read_image knows one by its content, and makes it grey or colour") {
  const TempFolder folder;
  const Tensor grey = smooth_picture(1, 9, 7), colour = smooth_picture(3, 9, 7);
  put(folder / "grey", jpeg(grey));
  put(folder / "colour.png", jpeg(colour));
  CHECK(read_image(folder / "grey", 0).size(0) == 1);
  CHECK(read_image(folder / "grey", 3).select(0, 2).to_vector<int>() ==
        read_image(folder / "grey").to_vector<int>());
  CHECK(read_image(folder / "colour.png", 0).size(0) == 3);
  CHECK(read_image(folder / "colour.png").size(0) == 1);
}
