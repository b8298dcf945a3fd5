#pragma once

#include <filesystem>
#include <vector>

#include "data/dataset.h"

namespace cbnet::data {

/// A loader is one way in which pictures and their labels may lie at a path. data/loaders.def lists them;
/// each is a pair of files in data/loaders/.
struct Loader {
  const char* name;
  /// Says what must lie there, for messages.
  const char* understands;
  /// Judges by names and first bytes alone; throws nothing.
  bool (*recognises)(const std::filesystem::path&);
  /// Returns training and test pictures, or one of the two, with the names of the classes and the files that
  /// were read. `name` stays empty where the path says nothing better than its own name. InputError for what
  /// is damaged.
  Dataset (*load)(const std::filesystem::path&, const PictureOptions&);
};

/// Lists them in the order in which they look at a path.
const std::vector<Loader>& loaders();

/// Returns the one that knows what lies there. InputError, saying what lies there and what is understood,
/// when none does.
const Loader& loader_for(const std::filesystem::path& path);

}  // namespace cbnet::data
