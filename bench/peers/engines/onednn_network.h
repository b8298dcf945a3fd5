#pragma once

#include <memory>
#include <string>

#include "bench/peers/engine.h"

namespace cbnet::peers {

/// Runs a network of any layers by oneDNN: in f32, or with its layers in bytes, outputs of ReLUs as u8.
std::unique_ptr<Engine> make_onednn_network(bool int8);

/// Says why it cannot, or nothing.
std::string onednn_cannot(const PeerModel& model, bool int8);

}  // namespace cbnet::peers
