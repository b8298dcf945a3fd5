#pragma once

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace cbnet::testing {

/// Appends "table<tab>row<tab>numbers…" to the file that CBNET_CONFORMANCE names, from which
/// scripts/conformance makes docs/conformance.md. Without it, nothing.
inline void record(const std::string& table, const std::string& row, const std::vector<double>& numbers) {
  const char* path = std::getenv("CBNET_CONFORMANCE");
  if (path == nullptr) return;
  std::ofstream file(path, std::ios::app);
  file << table << '\t' << row;
  for (const double number : numbers) file << '\t' << number;
  file << '\n';
}

}  // namespace cbnet::testing
