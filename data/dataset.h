#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset_id.h"
#include "data/locate.h"
#include "tensor/tensor.h"

namespace cbnet::data {

struct Split {
  Tensor images;  ///< u8 (N,28,28)
  Tensor labels;  ///< u8 (N), each 0 to 9

  std::int64_t size() const { return labels.size(0); }
};

struct Dataset {
  DatasetId id = DatasetId::mnist;
  /// to_string(id); "kmnist-first7011" when KMNIST's training set is the subset of 7,011 images.
  std::string name;
  Split train, test;
  /// Train images, train labels, test images, test labels.
  std::vector<std::string> files;
  std::vector<std::string> classes;
};

/// Finds, downloads if need be, and reads. InputError when it is nowhere (all places are listed), and for
/// any file that is not what it should be: shape, counts of images and labels, labels 0 to 9.
/// Local files are parsed without a checksum; downloaded ones are checked.
Dataset load_dataset(DatasetId id, const Location& location);

struct TestSet {
  Split split;
  std::string images_file, labels_file;
};

/// The test set alone, found, downloaded (with the rest) and checked in the same way: what trained a model
/// need not be where it is measured.
TestSet load_test_set(DatasetId id, const Location& location);

/// One split from two files, each IDX, IDX in gzip, or .npz (by content), checked as above.
Split read_split(const std::string& images_file, const std::string& labels_file);

}  // namespace cbnet::data
