#include "bench/paper.h"

#include "bench/claims.h"

namespace cbnet::bench {

std::optional<PaperRow> paper_row(const std::string& dataset, const std::string& model) {
  PaperRow out{dataset == "kmnist-first7011" ? "kmnist" : dataset, model, {}, {}, 0.0, {}};
  const std::optional<double> accuracy = claimed("accuracy", out.dataset, model);
  if (!accuracy) return std::nullopt;
  out.accuracy = *accuracy / 100.0;
  if (const auto rate = claimed("exit_rate", out.dataset, model)) out.exit_rate = *rate / 100.0;
  std::array<double, kPaperMachines> savings{};
  bool saves = true;
  for (std::size_t m = 0; m < kPaperMachines; ++m) {
    const char* machine = kPaperMachineNames[m].key;
    out.latency_ms[m] = claimed("latency", out.dataset, model, machine).value();
    const std::optional<double> saving = claimed("energy_saving", out.dataset, model, machine);
    saves = saves && saving;
    savings[m] = saving.value_or(0.0) / 100.0;
  }
  if (saves) out.energy_savings = savings;
  return out;
}

}  // namespace cbnet::bench
