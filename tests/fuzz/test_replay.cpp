// The stored inputs of every fuzz target: seeds, and what once broke a parser.

#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/io.h"
#include "tests/data/files.h"
#include "tests/fuzz/targets.h"

namespace fs = std::filesystem;
using cbnet::test::kMiB;

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

TEST_CASE("no stored input takes more than 64 MiB, nor does a header of the longest kind") {
  if (!cbnet::test::has_memory_limit()) return;
  for (const cbnet::testing::FuzzTarget& target : cbnet::testing::fuzz_targets()) {
    CAPTURE(std::string(target.name));
    for (const auto& entry :
         fs::directory_iterator(fs::path(CBNET_SOURCE_DIR) / "tests/fuzz/corpus" / target.name)) {
      CAPTURE(entry.path().filename().string());
      const std::string bytes = cbnet::read_file(entry.path());
      CHECK(cbnet::test::outcome_within(64 * kMiB, [&] { target.run(bytes); }) == "no exception");
    }
  }
  for (const char* piece : {"[],", "{},", "0,", "\"\",", "[["}) {
    CAPTURE(std::string(piece));
    std::string header = "{\"a\":[";
    while (header.size() + 8 < 4 * kMiB) header += piece;
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i) & 255);
    bytes += header;
    const auto run = [&](const char* name, const std::string& input) {
      return cbnet::test::outcome_within(64 * kMiB, [&] { cbnet::testing::fuzz_target(name).run(input); });
    };
    CHECK(run("safetensors", bytes) == "no exception");
    CHECK(run("checkpoint", bytes) == "no exception");
    CHECK(run("network", header) == "no exception");
    CHECK(run("recipe", header) == "no exception");
  }
}
