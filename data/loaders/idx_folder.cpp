#include "data/loaders/idx_folder.h"

namespace cbnet::data {
namespace {

bool recognises(const std::filesystem::path& path) {
  const FoundFiles files = files_in(path.string());
  return !files.train_images.empty() || !files.test_images.empty();
}

Dataset load(const std::filesystem::path& path, const PictureOptions& /*options*/) {
  const FoundFiles files = files_in(path.string());
  Dataset out;
  out.files = files.all();
  if (!files.train_images.empty()) out.train = read_split(files.train_images, files.train_labels);
  if (!files.test_images.empty()) out.test = read_split(files.test_images, files.test_labels);
  return out;
}

}  // namespace

Loader idx_folder_loader() {
  return {"idx", "a folder with IDX files under MNIST's names (train-images-idx3-ubyte, …)", recognises,
          load};
}

}  // namespace cbnet::data
