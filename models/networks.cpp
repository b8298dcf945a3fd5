#include "models/networks.h"

#include "models/zoo.h"
#include "tensor/error.h"

namespace cbnet {

std::span<const NetworkEntry> networks() {
  static constexpr NetworkEntry kNetworks[] = {
#define NETWORK(name, function, summary) {name, function, summary},
#include "models/networks.def"
#undef NETWORK
  };
  return kNetworks;
}

NetworkSpec make_network(const std::string& name, const ImageTask& task) {
  std::string names;
  for (const NetworkEntry& entry : networks()) {
    if (name == entry.name) {
      NetworkSpec out = entry.make(task);
      static_cast<void>(layer_costs(out));  // throws where the images are too small
      return out;
    }
    names += concat(names.empty() ? "" : ", ", entry.name);
  }
  require(false, "network", "expected ", names, "; got '", name, "'");
  return {};
}

}  // namespace cbnet
