#pragma once

#include "data/loader.h"

namespace cbnet::data {

/// Reads a folder with MNIST's four files, or the two of one split, under the names that find_dataset knows:
/// IDX, plain or gzip, or KMNIST's .npz. Classes are called by their numbers.
Loader idx_folder_loader();

}  // namespace cbnet::data
