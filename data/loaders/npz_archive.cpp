#include "data/loaders/npz_archive.h"

#include <algorithm>

#include "data/npz.h"

namespace cbnet::data {
namespace {

bool recognises(const std::filesystem::path& path) { return is_zip(path); }

/// Makes (N,C,H,W) of what programs call images.
Tensor as_planes(const Tensor& images, const std::string& source) {
  const auto is_channels = [&](std::int64_t axis) {
    return images.size(axis) == 1 || images.size(axis) == 3;
  };
  if (images.rank() == 3) return images.view({images.size(0), 1, images.size(1), images.size(2)});
  if (images.rank() == 4 && is_channels(3)) return images.transpose(2, 3).transpose(1, 2).contiguous();
  if (images.rank() == 4 && is_channels(1)) return images;
  throw InputError(source, "images of shape (N,H,W), (N,H,W,C) or (N,C,H,W) with 1 or 3 channels",
                   cbnet::to_string(images.shape()));
}

Split read(const std::string& file, const std::string& images, const std::string& labels) {
  Split out;
  out.images = as_planes(read_npz(file, images), concat(file, "[", images, "]"));
  out.labels = read_npz(file, labels);
  const std::int64_t n = out.images.size(0);
  if (out.labels.numel() != n || out.labels.size(0) != n)
    throw InputError(concat(file, "[", labels, "]"), concat(n, " labels, one for each image"),
                     cbnet::to_string(out.labels.shape()));
  out.labels = out.labels.view({n});
  return out;
}

Dataset load(const std::filesystem::path& path, const PictureOptions& /*options*/) {
  const std::string file = path.string();
  const std::vector<std::string> members = npz_members(file);
  const auto has = [&](const std::string& name) {
    return std::find(members.begin(), members.end(), name) != members.end();
  };
  Dataset out;
  out.files = {file};
  for (const char* split : {"train", "test"}) {
    for (const auto& [images, labels] : {std::pair{concat("x_", split), concat("y_", split)},
                                         std::pair{concat(split, "_images"), concat(split, "_labels")}}) {
      if (has(images)) (split[1] == 'r' ? out.train : out.test) = read(file, images, labels);
    }
  }
  if (out.train.images.defined() || out.test.images.defined()) return out;
  std::string found;
  for (const std::string& name : members) found += concat(found.empty() ? "" : ", ", name);
  throw InputError(file, "arrays x_train and y_train, or train_images and train_labels",
                   found.empty() ? "an empty archive" : found);
}

}  // namespace

Loader npz_archive_loader() {
  return {"npz", "an .npz archive with x_train and y_train, or train_images and train_labels", recognises,
          load};
}

}  // namespace cbnet::data
