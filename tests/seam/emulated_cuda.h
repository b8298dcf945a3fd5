#pragma once

#include <vector>

#include "tensor/backend.h"

namespace cbnet::seam {

/// What the emulated device computed since the last look.
std::vector<BackendFunction> take_calls();

}  // namespace cbnet::seam
