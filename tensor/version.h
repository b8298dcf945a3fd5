#pragma once

namespace cbnet {

/// This semantic version comes from the project() line of the root CMakeLists.txt.
inline constexpr const char* kVersion = CBNET_VERSION;

}  // namespace cbnet
