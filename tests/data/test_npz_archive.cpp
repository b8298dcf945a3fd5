#include "data/loaders/npz_archive.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "data/npz.h"
#include "tests/data/files.h"

using cbnet::Shape;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

Dataset load(const std::string& file, const Members& members) {
  std::filesystem::remove(file);
  for (const auto& [name, content] : members) add_to_zip(file, name + ".npy", content);
  REQUIRE(npz_archive_loader().recognises(file));
  return npz_archive_loader().load(file, {});
}

/// 0, 1, 2, …
std::string counting(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += static_cast<char>(i);
  return out;
}

}  // namespace

TEST_CASE("npz_archive: arrays that are not there or do not fit, and damage") {
  const TempFolder folder;
  const std::string file = folder / "a.npz", images = npy("|u1", "(2, 3, 4)", counting(24));
  put(folder / "b.npz", "no zip");
  CHECK_FALSE(npz_archive_loader().recognises(folder / "b.npz"));
  CHECK_INPUT_ERROR(load(file, {{"arr_0", images}}),
                    "expected arrays x_train and y_train, or train_images and train_labels; found arr_0");
  CHECK_INPUT_ERROR(load(file, {{"x_train", images}}), "expected a member named y_train.npy");
  CHECK_INPUT_ERROR(load(file, {{"x_train", images}, {"y_train", npy("|u1", "(3,)", "\1\2\3")}}),
                    "a.npz[y_train]: expected 2 labels, one for each image; found (3)");
  CHECK_INPUT_ERROR(load(file, {{"x_train", npy("|u1", "(2, 12)", counting(24))}, {"y_train", images}}),
                    "a.npz[x_train]: expected images of shape (N,H,W)");
  const std::string whole = cbnet::read_file(file);
  put(file, whole.substr(0, whole.size() / 2));
  CHECK_INPUT_ERROR(npz_archive_loader().load(file, {}), "a.npz: expected an .npz archive");
}

TEST_CASE("npz_archive: grey, and colour with the channels last or first") {
  const TempFolder folder;
  const std::string file = folder / "a.npz", labels = npy("<i8", "(2, 1)", bytes_of<std::int64_t>({1, 0}));
  const Dataset grey = load(file, {{"x_train", npy("|u1", "(2, 3, 4)", counting(24))},
                                   {"y_train", labels},
                                   {"x_test", npy("|u1", "(1, 3, 4)", counting(12))},
                                   {"y_test", npy("|u1", "(1,)", "\1")}});
  CHECK(grey.train.images.shape() == Shape{2, 1, 3, 4});
  CHECK(grey.train.labels.to_vector<int>() == std::vector<int>{1, 0});
  CHECK(grey.test.size() == 1);
  const Dataset last =
      load(file, {{"train_images", npy("|u1", "(2, 2, 2, 3)", counting(24))}, {"train_labels", labels}});
  CHECK(last.train.images.shape() == Shape{2, 3, 2, 2});
  CHECK(last.train.images.at({1, 2, 0, 1}) == 12 + 3 + 2);
  const Dataset first =
      load(file, {{"x_train", npy("|u1", "(2, 3, 2, 2)", counting(24))}, {"y_train", labels}});
  CHECK(first.train.images.at({1, 2, 0, 1}) == 12 + 8 + 1);
  CHECK(npz_members(file) == std::vector<std::string>{"x_train", "y_train"});
}
