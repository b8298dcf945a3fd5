#pragma once

#include <string>
#include <vector>

// One function per parser, which runs what it loaded. Each takes any bytes; what it makes of bad ones is
// cbnet::InputError or std::invalid_argument, which end here, and nothing else ever happens. fuzzer.cpp gives
// them to libFuzzer, test_replay.cpp runs the stored inputs through them in every build.

namespace cbnet::testing {

struct FuzzTarget {
  const char* name;  // tests/fuzz/corpus/<name> has its inputs
  void (*run)(const std::string& bytes);
};

/// Throws std::out_of_range for another name.
const FuzzTarget& fuzz_target(const std::string& name);

/// idx, gzip, npz, safetensors, checkpoint, image, json, recipe, network, plan, memory, power; and onnx where
/// it is built in.
const std::vector<FuzzTarget>& fuzz_targets();

}  // namespace cbnet::testing
