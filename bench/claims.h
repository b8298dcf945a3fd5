#pragma once

#include <optional>
#include <string>
#include <vector>

// What the paper claims in numbers stands in bench/claims.json, each number with its place in the paper.

namespace cbnet::bench {

/// A claim is a number of the paper. Fields that its kind does not need are empty.
struct Claim {
  std::string id;
  std::string place;  // in the paper: "Table II", "IV-D", …
  /// It is "latency", "speedup", "lowest_speedup", "highest_speedup", "energy_saving", "lowest_saving",
  /// "highest_saving", "accuracy", "exit_rate", "hard_fraction", "autoencoder_share", "power" or
  /// "power_factor". The lowest and highest ones are over the datasets, and over the machines where none is
  /// named.
  std::string kind;
  std::string dataset;   // "mnist", "fmnist", "kmnist"
  std::string model;     // "lenet", "branchynet", "cbnet"
  std::string baseline;  // what it is compared with: "lenet", "branchynet", "adadeep", "subflow"
  std::string machine;   // "raspberry_pi_4", "gci", "gci_k80"
  double value = 0.0;
  std::string unit;  // "ms", "x" (times), "%", "W"
};

/// Lists every claim, in the order of the file.
const std::vector<Claim>& paper_claims();

/// Reads such a file's text. InputError, naming `source`, for anything else, an unknown kind among them.
std::vector<Claim> claims_from_json(const std::string& text, const std::string& source);

/// Finds the number of one kind of one model; none where the paper has none.
std::optional<double> claimed(const std::string& kind, const std::string& dataset, const std::string& model,
                              const std::string& machine = "");

}  // namespace cbnet::bench
