#include "tests/conformance/ops_document.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

TEST_CASE("docs/ops.md says what the sources say") {
  std::ifstream in(cbnet::testing::ops_document_path());
  const std::string stored(std::istreambuf_iterator<char>(in), {});
  INFO("hint: build and run make_ops_document, then commit docs/ops.md");
  CHECK((stored == cbnet::testing::ops_document()));
}
