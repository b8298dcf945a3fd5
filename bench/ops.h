#pragma once

#include <string>
#include <vector>

#include "bench/op_cases.h"

namespace cbnet::bench {

/// One op has medians over blocks, with half their range.
struct OpTiming {
  double forward_ns = 0.0, forward_spread_ns = 0.0;
  double backward_ns = 0.0, backward_spread_ns = 0.0;  // the whole backward pass of y
  std::int64_t bytes = 0;                              // inputs read and output written by a forward
};

/// Times `blocks` blocks of at least `block_s` seconds each, forward with and without its backward by turns.
OpTiming time_op(const OpCase& op, int blocks, double block_s);

/// Runs `cbnet_bench ops`, with the words after the command. Returns the exit code; errors are thrown.
int run_ops(const std::vector<std::string>& words);

}  // namespace cbnet::bench
