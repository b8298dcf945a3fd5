#include "data/loaders/idx_folder.h"

#include <doctest/doctest.h>

#include "tests/data/files.h"

using cbnet::Shape;
using namespace cbnet::data;
using namespace cbnet::test;

TEST_CASE("idx_folder: both splits or one, damaged or whole") {
  const TempFolder folder;
  const Loader loader = idx_folder_loader();
  CHECK_FALSE(loader.recognises(folder.path()));
  CHECK_FALSE(loader.recognises(folder / "none"));
  put(folder / "train-images.idx3-ubyte", idx_images(20, 9));
  CHECK_FALSE(loader.recognises(folder.path()));
  put(folder / "train-labels.idx1-ubyte", idx_labels(20));
  REQUIRE(loader.recognises(folder.path()));
  const Dataset one = loader.load(folder.path(), {});
  CHECK(one.train.image_shape() == Shape{1, 9, 9});
  CHECK_FALSE(one.test.images.defined());
  put_dataset(folder.path());
  CHECK(loader.load(folder.path(), {}).test.size() == 10);
  put(folder / "t10k-images-idx3-ubyte", idx_images(10).substr(0, 900));
  CHECK_INPUT_ERROR(loader.load(folder.path(), {}), "t10k-images-idx3-ubyte");
}
