#pragma once

#include <string>
#include <vector>

#include "data/dataset_id.h"

namespace cbnet::data {

/// Files are looked for in this order: the explicit files, data_dir, $CBNET_DATA, cache_dir, system_dirs,
/// and then the official hosts, whose files go to <cache_dir>/<dataset>/. In each folder the files may lie
/// in a folder named after the dataset or directly in it, and in either in a folder named raw.
///
/// A folder that the user named is never passed over for another place: data_dir has the dataset whole, or it
/// is nowhere. $CBNET_DATA may be a place of other datasets; what comes behind it is searched only where it
/// holds no file of this one.
struct Location {
  /// Images and labels of a split come together; a split that is not named is searched for.
  std::string train_images, train_labels, test_images, test_labels;
  std::string data_dir;
  std::string cache_dir = "data-cache";
  std::vector<std::string> system_dirs{"/usr/local/share/datasets", "/usr/share/datasets"};
  bool use_environment = true;
  bool allow_download = true;
  /// Shows curl's progress bar on stderr.
  bool progress = false;
  /// They stand in for the official hosts; each ends in '/'.
  std::vector<std::string> base_urls;
};

/// Training goes with the test set; measuring needs the test set alone.
enum class Splits { both, test };

/// These are the four files, "" where missing, and one line for each place that was searched in vain.
struct FoundFiles {
  std::string train_images, train_labels, test_images, test_labels;
  std::vector<std::string> searched;
  /// The search may end at a folder that the user named and that lacks files: which it is, which names were
  /// looked for, and what lies there.
  std::string refused, expected, present;

  bool complete(Splits requested = Splits::both) const;
  /// Returns train images, train labels, test images and test labels, each file once, and all batches of
  /// CIFAR-10.
  std::vector<std::string> all() const;
};

/// Looks at names only and downloads nothing. Known names: those of MNIST, with or without .gz, with a dot or
/// an underscore for any hyphen (train-images.idx3-ubyte), in upper or lower case, "test" for "t10k", and
/// within a folder of the same name, as some sites pack them; KMNIST's .npz; and train-first7011-*, the pair
/// that holds the first 7,011 images of KMNIST's training set, taken only where the whole set is missing. The
/// first folder that has every file of the requested splits counts; one named after another dataset is passed
/// over. Throws std::invalid_argument when only one file of a split is named, InputError when a named file,
/// data_dir or $CBNET_DATA does not exist. Of CIFAR-10, whose files hold images and labels together, both are
/// the same file: the first batch, or the archive.
FoundFiles find_dataset(DatasetId id, const Location& location, Splits requested = Splits::both);

/// Finds the files of MNIST's and KMNIST's names that lie in a folder itself, of one split or both; none
/// where it is no folder.
FoundFiles files_in(const std::string& folder);

/// Lists them as "a, b, c and 7 more": what lies in a folder.
std::string list_content(const std::string& folder);

}  // namespace cbnet::data
