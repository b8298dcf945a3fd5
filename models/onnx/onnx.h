#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/checkpoint.h"

// Models out of and into ONNX, opset 13: an optional part of the build (CBNET_ONNX). In a build without it
// no_onnx.cpp stands here, and export_onnx and import_onnx throw std::invalid_argument, saying how to build
// it.

namespace cbnet {

/// "opset 13, checked by libonnx", or "not built in".
std::string onnx_description();

/// What a graph computes. Its input is `pixels`, f32 (N, input…) in [0, 1].
struct OnnxExport {
  /// An autoencoder, or null: `converted` f32 (N, input…) is an output, and what the classifier sees.
  const Model* converter = nullptr;
  /// Null for an autoencoder alone. Outputs: `label` i64 (N), `probabilities` and `logits` f32 (N, classes).
  const Model* classifier = nullptr;
  /// For a classifier with side exits, whose outputs are `label`, `probabilities`, `entropy` f32 (N), of the
  /// first exit, and `exit` i64 (N). False: N is 1 and each exit a real `If`, the rest not computed when it
  /// is taken. True: all exits are computed and one is selected per image.
  bool batched = false;
};

/// Writes the graph, atomically, after the ONNX checker and its shape inference accepted it. N is symbolic
/// except as said above. Throws std::invalid_argument for a network that opset 13 cannot say.
void export_onnx(const std::filesystem::path& path, const OnnxExport& graph);

struct OnnxImport {
  std::string dataset = "unknown";
  /// The graph's output to import; empty when it has only one.
  std::string output;
  /// Of one image, as the model file is to take it: a graph that takes as many numbers in another shape gets
  /// a layer in front that reshapes them. Empty: as the graph has it.
  Shape image = {};
  /// What the network was trained on: stored in the model, and no part of the graph.
  Normalisation normalisation = {};
};

/// The network of an ONNX file in evaluation mode, f32. Throws InputError naming the file, and the node for
/// an op, an attribute or a shape that cbnet has no layer for.
Model import_onnx(const std::filesystem::path& path, const OnnxImport& options);

/// The same from bytes; `source` names them in errors.
Model import_onnx_bytes(const std::string& bytes, const std::string& source, const OnnxImport& options);

}  // namespace cbnet
