#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset_id.h"
#include "data/locate.h"
#include "tensor/tensor.h"

namespace cbnet::data {

struct Split {
  Tensor images;  ///< u8 (N,C,H,W)
  Tensor labels;  ///< u8 (N), each below the number of classes

  std::int64_t size() const { return labels.size(0); }
  /// (C,H,W).
  Shape image_shape() const { return {images.size(1), images.size(2), images.size(3)}; }
};

struct Dataset {
  /// What models remember: to_string(id); "kmnist-first7011" when KMNIST's training set is the subset of
  /// 7,011 images.
  std::string name;
  Split train, test;
  /// Those that were read, training images first.
  std::vector<std::string> files;
  /// Their names, by label.
  std::vector<std::string> classes;
};

/// Finds, downloads if need be, and reads. InputError when it is nowhere (all places are listed), and for
/// any file that is not what it should be: shape, counts of images and labels, labels without a class.
/// Local files are parsed without a checksum; downloaded ones are checked.
Dataset load_dataset(DatasetId id, const Location& location);

/// The test set alone, found, downloaded (with the rest) and checked in the same way: what trained a model
/// need not be where it is measured.
Dataset load_test_set(DatasetId id, const Location& location);

/// One split from two files, each IDX, IDX in gzip, or .npz (by content), checked as above.
Split read_split(const std::string& images_file, const std::string& labels_file, std::int64_t classes = 256);

}  // namespace cbnet::data
