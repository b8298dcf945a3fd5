#include "bench/paper.h"

#include <vector>

namespace cbnet::bench {
namespace {

using Machines = std::array<double, kPaperMachines>;

// This is Table II line by line, with fractions for percentages; exit rates are in IV-D.
const std::vector<PaperRow>& table2() {
  static const std::vector<PaperRow> rows{
      {"mnist", "lenet", {12.735, 1.322, 0.266}, {}, 0.9911, {}},
      {"mnist", "branchynet", {2.3, 0.395, 0.118}, Machines{0.82, 0.70, 0.55}, 0.9911, 0.9488},
      {"mnist", "cbnet", {1.877, 0.267, 0.105}, Machines{0.85, 0.80, 0.80}, 0.9861, {}},
      {"fmnist", "lenet", {13.006, 1.271, 0.261}, {}, 0.8653, {}},
      {"fmnist", "branchynet", {7.248, 0.716, 0.225}, Machines{0.45, 0.43, 0.14}, 0.878, 0.7691},
      {"fmnist", "cbnet", {1.895, 0.261, 0.104}, Machines{0.86, 0.81, 0.80}, 0.8959, {}},
      {"kmnist", "lenet", {12.814, 1.350, 0.265}, {}, 0.914, {}},
      {"kmnist", "branchynet", {5.682, 0.9, 0.24}, Machines{0.56, 0.33, 0.10}, 0.9205, 0.6308},
      {"kmnist", "cbnet", {1.897, 0.26, 0.1}, Machines{0.85, 0.82, 0.81}, 0.925, {}},
  };
  return rows;
}

}  // namespace

std::optional<PaperRow> paper_row(const std::string& dataset, const std::string& model) {
  const std::string name = dataset == "kmnist-first7011" ? "kmnist" : dataset;
  for (const PaperRow& row : table2()) {
    if (row.dataset == name && row.model == model) return row;
  }
  return std::nullopt;
}

}  // namespace cbnet::bench
