#pragma once

#include "models/checkpoint.h"
#include "runtime/graph.h"

// Modules become here what the inference engine takes: a trained network, as it behaves in eval mode, as a
// graph of runtime/.

namespace cbnet {

/// Makes a graph of a classifier, with its side exits and their thresholds. A softmax at its end is left out:
/// the plan takes the softmax of logits itself. Throws std::invalid_argument unless there is one threshold
/// for each side exit.
runtime::Graph classifier_graph(const Network& network, const std::vector<double>& thresholds);

/// Makes a graph of an autoencoder: pixels in, pixels out, `rescale` as in ModelInfo.
runtime::Graph autoencoder_graph(const Network& network, double rescale);

/// Makes a graph of CBNet (III): the classifier behind the autoencoder, one network from pixels to logits.
/// The graph normalises the pixels that each of them reads by the Normalisation it was trained with.
runtime::Graph cbnet_graph(const Network& autoencoder, double rescale, const Network& classifier,
                           const Normalisation& of_autoencoder = {}, const Normalisation& of_classifier = {});

/// Makes the graph of a model file by its kind, its pixels normalised as it was trained.
runtime::Graph model_graph(const Model& model);
runtime::Graph cbnet_graph(const Model& autoencoder, const Model& classifier);

}  // namespace cbnet
