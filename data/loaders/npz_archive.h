#pragma once

#include "data/loader.h"

namespace cbnet::data {

/// Reads one .npz archive with arrays x_train and y_train, x_test and y_test, or train_images and
/// train_labels, … : images u8 (N,H,W), (N,H,W,C) or (N,C,H,W) of one or three channels, labels (N) or (N,1).
/// Classes are called by their numbers.
Loader npz_archive_loader();

}  // namespace cbnet::data
