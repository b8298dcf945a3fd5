#pragma once

#include <string>

#include "models/networks.h"

// These are the networks of the paper, as published (IV-B and Table I; BranchyNet's sizes are those of its
// reference implementation, whose max-pooling rounds up). docs/models.md lists every layer.

namespace cbnet {

/// Makes LeNet, the baseline: three 5x5 convolutions and two linear layers.
/// 1,140,070 MACs and 67,824 parameters for 28x28 pixels and 10 classes.
NetworkSpec lenet_spec(const ImageTask& task = {});

/// Makes BranchyNet-LeNet: LeNet with one side exit after the first convolution. 220,150 MACs to leave there,
/// 1,247,720 for an image that goes on.
NetworkSpec branchynet_spec(const ImageTask& task = {});

/// The converting autoencoder's last layer does this with its sums, one a pixel.
enum class OutputActivation { softmax, sigmoid };
const char* to_string(OutputActivation activation);

/// Makes the converting autoencoder of Table I for "mnist", "fmnist" or "kmnist": four linear layers, as
/// many pixels in as out. For another dataset, which the table does not have, its hidden layers are those for
/// "fmnist".
NetworkSpec autoencoder_spec(const std::string& dataset, OutputActivation output,
                             const Shape& input = {1, 28, 28});

/// An activity penalty may cover the outputs of these trunk layers: the three hidden layers of an
/// autoencoder, the encoder's output last.
std::vector<std::int64_t> autoencoder_hidden_layers(const NetworkSpec& autoencoder);

/// Makes the lightweight classifier: BranchyNet cut at its side exit. 220,150 MACs, 7,000 parameters.
NetworkSpec classifier_spec(const ImageTask& task = {});

}  // namespace cbnet
