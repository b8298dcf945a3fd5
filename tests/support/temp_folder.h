#pragma once

#include "tensor/io.h"

namespace cbnet::testing {

using TempFolder = TemporaryFolder;

}  // namespace cbnet::testing
