#pragma once

#include <map>
#include <string>
#include <vector>

// Trainings that differ in their seed alone show how far test accuracy depends on chance.

namespace cbnet::bench {

/// This is one model of one run, on the whole test set.
struct Judged {
  std::string dataset;
  std::string model;
  double accuracy = 0.0;    // 0 … 1
  double early_rate = 1.0;  // fraction that left at the first exit
  std::string run = {};
};

/// Makes a table in Markdown, a line per dataset and model in order of first appearance: mean and range.
std::string accuracy_markdown(const std::vector<Judged>& judged);

/// Makes a table in Markdown of how far each model is from the model `against` of the same run, in points of
/// test accuracy: the mean over runs and its 95 % interval. Throws std::invalid_argument where no other model
/// stands beside `against` in two runs.
std::string differences_markdown(const std::vector<Judged>& judged, const std::string& against);

/// Runs `cbnet_bench accuracy`, with the words after the command. Returns the exit code; errors are thrown.
int run_accuracy(const std::vector<std::string>& words);

}  // namespace cbnet::bench
