#include "data/loaders/image_folder.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/data/files.h"
#include "tests/data/jpeg_bytes.h"

using cbnet::DType;
using cbnet::Shape;
using cbnet::Tensor;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {

void put_picture(const std::string& path, int value, std::int64_t channels = 3, std::int64_t width = 6) {
  write_png(path, Tensor::full({channels, 4, width}, value, DType::u8));
}

Dataset load(const std::string& path, const PictureOptions& options = {}) {
  REQUIRE(image_folder_loader().recognises(path));
  return image_folder_loader().load(path, options);
}

}  // namespace

TEST_CASE("image_folder: pictures that do not fit, each by its file and with what helps") {
  const TempFolder folder;
  CHECK_FALSE(image_folder_loader().recognises(folder.path()));
  put_picture(folder / "a/1.png", 1);
  put_picture(folder / "b/1.png", 2, 3, 7);
  CHECK_INPUT_ERROR(load(folder.path()), "/b/1.png: expected a picture of 6x4 pixels, as " +
                                             (folder / "a/1.png") +
                                             "; found 7x4; hint: --resize 6x4 stretches all to one size");
  CHECK(load(folder.path(), {.height = 5, .width = 8}).train.images.shape() == Shape{2, 3, 5, 8});
  put(folder / "b/1.png", cbnet::read_file(folder / "a/1.png").substr(0, 40));
  CHECK_INPUT_ERROR(load(folder.path()), "/b/1.png: expected a valid PNG image");
  put(folder / "b/1.jpg", jpeg(smooth_picture(3, 4, 6)).substr(0, 300));
  std::filesystem::remove(folder / "b/1.png");
  CHECK_INPUT_ERROR(load(folder.path()), "/b/1.jpg: expected a valid JPEG image");
  std::filesystem::remove(folder / "b/1.jpg");
  CHECK_INPUT_ERROR(load(folder.path()), "/b: expected pictures of the class; found none");
  put(folder / "b/1.webp", "x");
  CHECK_INPUT_ERROR(load(folder.path()), "/b/1.webp: expected a PNG, JPEG, PGM or PPM picture");
}

TEST_CASE("image_folder: grey and colour together") {
  const TempFolder folder;
  put_picture(folder / "a/1.png", 200);
  put_picture(folder / "b/1.png", 7, 1);
  const Dataset colour = load(folder.path());
  CHECK(colour.train.images.size(1) == 3);
  CHECK(colour.train.images.at({1, 2, 0, 0}) == 7);
  CHECK(load(folder.path(), {.channels = 1}).train.images.at({0, 0, 0, 0}) == 200);
  put_picture(folder / "a/0.png", 9, 1);
  CHECK_INPUT_ERROR(load(folder.path()), "/a/1.png: expected a grey picture, as " + (folder / "a/0.png") +
                                             "; found one in colour; hint: --channels 3 makes all colour");
  CHECK(load(folder.path(), {.channels = 3}).train.images.size(1) == 3);
}

TEST_CASE("image_folder: classes by name, pictures of every kind, other files passed over") {
  const TempFolder folder;
  put_picture(folder / "rose/b.png", 11, 1);
  std::string plain = "P2 6 4 255";
  for (int i = 0; i < 24; ++i) plain += " 5";
  put(folder / "rose/a.PGM", plain);
  put(folder / "lily/x.jpg", jpeg(Tensor::full({1, 4, 6}, 90, DType::u8)));
  put(folder / "lily/notes.txt", "x");
  put(folder / ".git/x.png", "x");
  put(folder / "README", "x");
  const Dataset set = load(folder.path());
  CHECK(set.classes == std::vector<std::string>{"lily", "rose"});
  CHECK(set.train.labels.to_vector<int>() == std::vector<int>{0, 1, 1});
  CHECK(set.train.images.shape() == Shape{3, 1, 4, 6});
  CHECK(set.train.images.at({1, 0, 3, 5}) == 5);
  CHECK(set.train.images.at({2, 0, 3, 5}) == 11);
  CHECK_FALSE(set.test.images.defined());
}

TEST_CASE("image_folder: train and test") {
  const TempFolder folder;
  put_picture(folder / "train/a/1.png", 1);
  put_picture(folder / "train/b/1.png", 2);
  put_picture(folder / "test/b/1.png", 3);
  const Dataset set = load(folder.path());
  CHECK(set.test.labels.to_vector<int>() == std::vector<int>{1});
  CHECK(set.files == std::vector<std::string>{folder / "train", folder / "test"});
  put_picture(folder / "test/c/1.png", 3);
  CHECK_INPUT_ERROR(load(folder.path()), "/test/c: expected a class that train has; found another");
}
