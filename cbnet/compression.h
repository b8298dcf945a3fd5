#pragma once

#include <functional>
#include <string>

#include "cbnet/run_folder.h"
#include "data/dataset.h"
#include "runtime/graph.h"

namespace cbnet {

struct CompressionOptions {
  runtime::Precision precision = runtime::Precision::fp32;
  /// This fraction of the blocks of weights of the large linear layers is left out; 0 leaves all in.
  double sparsity = 0.0;
  std::uint64_t seed = 1;  // of the order of images in fine-tuning, and of the choice of calibration images
  std::function<void(const std::string&)> say;
};

/// A compiled model says this of itself: `Graph::provenance`, as JSON text.
struct CompiledInfo {
  std::string model, dataset;
  std::vector<std::string> classes;  // as ModelInfo has them
  runtime::Precision precision = runtime::Precision::fp32;
  double sparsity = 0.0;
  std::int64_t validation_images = 0;
  /// It is set for an imported network, of which nobody knows which images it was trained on: the accuracies
  /// are then those on a part of the training images.
  bool may_have_trained = false;
  /// These are on validation images. Of an autoencoder: of the run's classifier on what it makes.
  double accuracy = 0.0, fp32_accuracy = 0.0;
  std::vector<std::int64_t> macs_by_exit;  // of the network as it was trained
  std::int64_t parameter_count = 0;
  std::string made_from;  // files_checksum() then; empty in plans of older versions
};
/// This is of the model files that a model of a run consists of: whether a plan beside them is still of them.
std::string files_checksum(const RunFolder& folder, const std::string& model);
std::string to_json(const CompiledInfo& info);
/// Reads it. Throws InputError, naming `source`.
CompiledInfo compiled_info_from_json(const std::string& text, const std::string& source);

/// Makes a model of a run for the inference engine, folded, its linear layers pruned and in the precision
/// that is asked for.
///   sparsity: magnitude pruning by blocks (16 outputs x 1 input, for int8 x 4), then kFineTuningEpochs
///             epochs on the training images in which what was left out stays zero: an autoencoder learns
///             to make the images that the dense one makes, a classifier the labels.
///   int8    : per-channel symmetric weights; the range of what a layer reads is that of 1,000 training
///             images. Layers of fewer than kMinWeights weights stay fp32 unless there are no others. So do
///             convolutions that bytes do not make faster on this machine; between the others, and pools,
///             sums and joined channels, values lie as bytes.
/// Both are judged on the validation images that training held out, an imported network on a part of the
/// training images that does not calibrate it; the test set has no part in it.
/// Throws std::invalid_argument for impossible options (sparsity with bf16; nothing large enough to prune),
/// and InputError where the run is not one of this dataset.
runtime::Graph compress(const RunFolder& folder, const std::string& model, const data::Dataset& dataset,
                        const CompressionOptions& options);

inline constexpr std::int64_t kFineTuningEpochs = 4;
inline constexpr std::int64_t kMinWeights = 10'000;

}  // namespace cbnet
