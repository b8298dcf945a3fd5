#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "console/output.h"
#include "models/networks.h"
#include "tensor/rng.h"

// Small networks are searched for the Pareto front of validation accuracy against measured time: at random
// and by evolution, with the same number of trainings. The test split is not looked at.

namespace cbnet::bench {

/// This is one member of the family: a stem of 3x3 convolutions with pooling or none, then linear layers.
struct Candidate {
  std::int64_t stem = 0;     // channels; 0: the first linear layer reads pixels
  std::int64_t first = 192;  // units of the first linear layer
  std::int64_t code = 64;    // units of the second; 0: there is none
  bool exit = false;         // a side exit behind the first linear layer
  friend bool operator==(const Candidate&, const Candidate&) = default;
};
/// Names it "stem2-first192-code64-exit", which is its folder and its model, too.
std::string name_of(const Candidate& candidate);
NetworkSpec spec_of(const Candidate& candidate, const ImageTask& task);
Candidate random_candidate(Rng& rng);
/// Changes one of its sizes.
Candidate mutated(const Candidate& candidate, Rng& rng);

/// This is a network in one precision, as it was measured.
struct ParetoPoint {
  std::string name;    // with its precision
  std::string search;  // "random", "evolution", or "baseline"
  double accuracy = 0.0, latency_us = 0.0;
};
/// Returns the points that no other one beats in time and accuracy at once, fastest first.
std::vector<ParetoPoint> front_of(std::vector<ParetoPoint> points);

/// Draws all points and the front, time on a logarithmic axis.
std::string pareto_svg(const std::vector<ParetoPoint>& points, const std::string& title);
/// Makes a record "cbnet-pareto/1".
Json pareto_json(const std::vector<ParetoPoint>& points, const std::string& dataset, std::uint64_t seed);

/// Runs `cbnet_bench pareto`, with the words after the command. Returns the exit code; errors are thrown.
int run_pareto(const std::vector<std::string>& words);

}  // namespace cbnet::bench
