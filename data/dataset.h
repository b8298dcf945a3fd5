#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset_id.h"
#include "data/image.h"
#include "data/locate.h"
#include "tensor/tensor.h"

namespace cbnet::data {

struct Split {
  Tensor images;  ///< u8 (N,C,H,W)
  Tensor labels;  ///< u8 (N), each below the number of classes

  std::int64_t size() const { return labels.size(0); }
  /// Returns (C,H,W).
  Shape image_shape() const { return {images.size(1), images.size(2), images.size(3)}; }
};

struct Dataset {
  /// Models remember this. Of a dataset with a name of its own to_string(id); "kmnist-first7011" when
  /// KMNIST's training set is the subset of 7,011 images, "cifar10-first2000" where CIFAR-10 is not whole. Of
  /// a path its last part.
  std::string name;
  Split train, test;
  /// These were read, training images first.
  std::vector<std::string> files;
  /// The classes have these names, by label.
  std::vector<std::string> classes;
  /// The test set was cut off from the training images, which came without one.
  bool cut_off = false;
};

/// Says what to load, and how it is to be.
struct Source {
  std::optional<DatasetId> id;  ///< a dataset by name, searched at `location`; else what lies at `path`
  std::string path;
  Location location;
  PictureOptions pictures;
  /// This fraction of every class becomes the test set where training images come without one; the seed
  /// decides which images they are.
  double test_fraction = 1.0 / 6.0;
  std::uint64_t split_seed = 1;
};

/// Finds, downloads if need be, and reads; of a dataset with a name, Splits::test reads the test set alone:
/// what trained a model need not be where it is measured. InputError when it is nowhere (all places are
/// listed), and for any file that is not what it should be: shape, counts of images and labels, labels
/// without a class. Local files are parsed without a checksum; downloaded ones are checked.
Dataset load_dataset(const Source& source, Splits requested = Splits::both);
Dataset load_dataset(DatasetId id, const Location& location);

/// These normalise the pixels of each channel, which are in [0, 1]. The deviation of a channel of one value
/// is 1.
struct Statistics {
  std::vector<double> mean, deviation;
};
/// Takes images u8 (N,C,H,W), at least one.
Statistics measure(const Tensor& images);

/// Reads one split from two files, each IDX, IDX in gzip, or .npz (by content), checked as above.
Split read_split(const std::string& images_file, const std::string& labels_file, std::int64_t classes = 256);

}  // namespace cbnet::data
