// The stored inputs of every fuzz target: seeds, and what once broke a parser.

#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/io.h"
#include "tests/fuzz/targets.h"

namespace fs = std::filesystem;

TEST_CASE("stored inputs are read or refused") {
  for (const cbnet::testing::FuzzTarget& target : cbnet::testing::fuzz_targets()) {
    CAPTURE(std::string(target.name));
    int inputs = 0;
    for (const auto& entry :
         fs::directory_iterator(fs::path(CBNET_SOURCE_DIR) / "tests/fuzz/corpus" / target.name)) {
      CAPTURE(entry.path().filename().string());
      const std::string bytes = cbnet::read_file(entry.path());
      CHECK_NOTHROW(target.run(bytes));
      // Cut short and with a bit changed, too.
      for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 64) {
        CHECK_NOTHROW(target.run(bytes.substr(0, size)));
        std::string changed = bytes;
        changed[size] = static_cast<char>(changed[size] ^ 0x40);
        CHECK_NOTHROW(target.run(changed));
      }
      ++inputs;
    }
    CHECK(inputs >= 2);
  }
}
