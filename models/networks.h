#pragma once

#include <span>
#include <string>

#include "models/spec.h"

// models/networks.def lists the networks that have names. docs/models.md has their layers and costs.

namespace cbnet {

/// A network of the list is made for such images.
struct ImageTask {
  Shape input = {1, 28, 28};
  std::int64_t classes = 10;
};

/// Makes AlexNet for small images, with the sizes of BranchyNet's published B-AlexNet (Teerapittayanon et al.
/// 2016): batch normalisation stands where that has local response normalisation. B-AlexNet adds its two side
/// exits.
NetworkSpec alexnet_spec(const ImageTask& task);
NetworkSpec b_alexnet_spec(const ImageTask& task);

/// Makes ResNet for small images (He et al. 2016, 4.2), and with two side exits as BranchyNet's B-ResNet has
/// them.
NetworkSpec resnet8_spec(const ImageTask& task);
NetworkSpec resnet20_spec(const ImageTask& task);
NetworkSpec resnet110_spec(const ImageTask& task);
NetworkSpec b_resnet20_spec(const ImageTask& task);
NetworkSpec b_resnet110_spec(const ImageTask& task);

/// Make networks of few multiply-adds, for a run time of microseconds in int8, and the convolutions that
/// teach them (docs/win.md).
NetworkSpec mlp_192_spec(const ImageTask& task);
NetworkSpec mlp_256_spec(const ImageTask& task);
NetworkSpec stem_48_spec(const ImageTask& task);
NetworkSpec small_cnn_spec(const ImageTask& task);

/// This is one line of networks.def.
struct NetworkEntry {
  const char* name;
  NetworkSpec (*make)(const ImageTask& task);
  const char* summary;
};

/// Returns all of networks.def, in its order.
std::span<const NetworkEntry> networks();

/// Returns the network called `name`. Throws std::invalid_argument, with the names there are, for another,
/// and where the images are too small for it.
NetworkSpec make_network(const std::string& name, const ImageTask& task);

}  // namespace cbnet
