#pragma once

#include "data/loader.h"

// CIFAR-10's binary files (Krizhevsky 2009) are records of a byte with the label, 0 to 9, and 1,024 bytes
// each of red, green and blue, 32 rows of 32. data_batch_1.bin to data_batch_5.bin are to train on,
// test_batch.bin is to test.

namespace cbnet::data {

/// Reads the folder cifar-10-batches-bin, or one around it; or the official cifar-10-binary.tar.gz. A folder
/// may hold the beginnings of batches instead, under names such as data_batch_1-first2000.bin; files may be
/// in gzip.
Loader cifar10_loader();

/// Returns all pictures of one split, "train" or "test", from the archive, or from the files beside one of
/// the batches. InputError: a batch is missing, a record is cut off, or a label is above 9.
Split read_cifar10(const std::string& file, bool train);

/// Returns the files that read_cifar10 reads.
std::vector<std::string> cifar10_files(const std::string& file, bool train);

}  // namespace cbnet::data
