#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/report.h"
#include "bench/runs.h"
#include "data/dataset.h"

namespace cbnet::bench {

/// These are the test images in the order in which they are visited, which is shuffled: files may be sorted
/// by class.
struct TestSet {
  Tensor images;                      // u8 (N, C, H, W)
  Tensor labels;                      // u8 (N)
  std::vector<std::int64_t> numbers;  // in the dataset's file
  std::int64_t batch = 1;             // images a call, where there are so many
};
TestSet shuffled(const data::Split& test, std::uint64_t seed);

/// Returns views of `images`, `batch` at a time; the last may be smaller.
std::vector<Tensor> in_batches(const Tensor& images, std::int64_t batch);

/// Evaluates and checks every contender on the test set, and times them against one another.
/// The rows lack `run`.
std::vector<Row> measure(const std::vector<Contender>& contenders, const TestSet& test, energy::Meter& meter,
                         const ProtocolOptions& protocol, const std::function<void(const std::string&)>& log);

/// Runs `cbnet_bench table2`, with the words after the command. Returns the exit code; errors are thrown.
int run_table2(const std::vector<std::string>& words);

}  // namespace cbnet::bench
