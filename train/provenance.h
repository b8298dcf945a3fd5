#pragma once

#include <string>

#include "models/checkpoint.h"

namespace cbnet {

// A fingerprint is JSON text with the settings that decide a network's bits: recipe, seed, data, and the
// fingerprint of what it was built on.

/// Describes two fingerprints at the first setting that they do not share, as "recipe/epochs 12" and
/// "recipe/epochs 20".
struct Difference {
  std::string expected, found;
};
Difference first_difference(const std::string& expected, const std::string& found);

/// Writes what a model file says about its making: version, fingerprint, threads and ISA, as JSON text.
std::string make_provenance(const std::string& fingerprint);

/// Returns the fingerprint in a model's provenance; empty when it has none. `source` is the file, for errors.
/// InputError when the provenance is not JSON.
std::string fingerprint_of(const ModelInfo& info, const std::string& source);

/// Returns the fingerprint of the network that a model with this fingerprint was made from; or empty.
std::string parent_fingerprint(const std::string& fingerprint);

}  // namespace cbnet
