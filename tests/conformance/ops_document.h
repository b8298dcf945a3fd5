#pragma once

#include <string>

namespace cbnet::testing {

/// What docs/ops.md says: for every line of ops.def and pointwise.def the contract from the op's source and
/// the tolerances of its tests. Throws std::runtime_error when a contract lacks one of its parts.
std::string ops_document();

std::string ops_document_path();

}  // namespace cbnet::testing
