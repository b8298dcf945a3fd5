// Writes docs/ops.md.

#include <cstdio>
#include <exception>

#include "tensor/io.h"
#include "tests/conformance/ops_document.h"

int main() try {
  cbnet::write_file_atomic(cbnet::testing::ops_document_path(), cbnet::testing::ops_document());
  std::printf("%s\n", cbnet::testing::ops_document_path().c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "make_ops_document: %s\n", error.what());
  return 1;
}
