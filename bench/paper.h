#pragma once

#include <array>
#include <optional>
#include <string>

// The paper reports this, to stand beside what is measured here. Source: Table II (section IV-C); the exit
// rates are in the text of IV-D.

namespace cbnet::bench {

/// These are the machines of Table II, in its order: a Raspberry Pi 4, a Google Cloud instance (2 vCPUs), and
/// such an instance with an Nvidia Tesla K80.
inline constexpr std::size_t kPaperMachines = 3;
struct PaperMachine {
  const char* key;    // in JSON
  const char* title;  // in tables
};
inline constexpr std::array<PaperMachine, kPaperMachines> kPaperMachineNames{
    {{"raspberry_pi_4", "Pi 4"}, {"gci", "GCI"}, {"gci_k80", "GCI+K80"}}};

struct PaperRow {
  std::string dataset;  // "mnist", "fmnist", "kmnist"
  std::string model;    // "lenet", "branchynet", "cbnet"
  std::array<double, kPaperMachines> latency_ms{};
  /// This is the fraction saved with respect to LeNet, 0 … 1; LeNet itself has none.
  std::optional<std::array<double, kPaperMachines>> energy_savings;
  double accuracy = 0.0;            // 0 … 1
  std::optional<double> exit_rate;  // fraction of the test images that leave BranchyNet early, 0 … 1
};

/// Returns the paper's row for a model on a dataset ("kmnist-first7011" gets KMNIST's), or nothing: the paper
/// does not report the autoencoder and the classifier alone.
std::optional<PaperRow> paper_row(const std::string& dataset, const std::string& model);

}  // namespace cbnet::bench
