#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cbnet/predictor.h"
#include "data/dataset.h"

namespace cbnet::cli {

/// eval --save-sheet draws, per class, the first few test images (by index, so that nothing is picked
/// by hand) that do not leave BranchyNet early, each beside what the autoencoder makes of it, with CBNet's
/// answer. Throws InputError when every image leaves early.
void save_hard_sheet(const std::filesystem::path& file, Predictor& branchynet, Predictor& cbnet,
                     const data::Split& test, const std::vector<std::string>& classes);

/// Draws converted images, f32 (N,C,H,W): one as it is, several as a sheet with a caption each.
void save_converted(const std::filesystem::path& file, const Tensor& converted,
                    const std::vector<std::string>& captions);

}  // namespace cbnet::cli
