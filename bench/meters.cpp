#include "bench/meters.h"

#include "tensor/error.h"

namespace cbnet::bench {

void add_meter_options(CommandLine& line) {
  line.add(
      "Energy", "meter", "NAME",
      "model (default), a power model; nvml, the GPU's energy counter; or nvidia-smi, its power samples");
  line.add("Energy", "gpu", "N|UUID",
           "the one GPU that nvml or nvidia-smi watches (default: the sum over all)");
  line.add("Energy", "power-model", "NAME",
           "auto (default), pi4, gci or none: what turns time and CPU utilisation into joules");
  line.add("Energy", "power-constants", "NAME=VALUE,…", "of that model: n, N, p_idle_w, p_peak_w, beta");
}

std::unique_ptr<energy::Meter> chosen_meter(const CommandLine& line, const energy::Host& host) {
  const std::string name = line.has("meter") ? line.text("meter") : "model";
  const auto refuse = [&](const char* option) {
    if (line.has(option)) line.fail(concat("--", option, " is not for --meter ", name));
  };
  if (name == "model") {
    refuse("gpu");
    return energy::make_model_meter(
        energy::choose_model(host, line.has("power-model") ? line.text("power-model") : "auto",
                             line.text("power-constants")),
        host);
  }
  refuse("power-model");
  refuse("power-constants");
  if (name == "nvml") {
    energy::NvmlOptions options;
    options.gpu = line.text("gpu");
    return energy::make_nvml_meter(options);
  }
  if (name == "nvidia-smi") {
    energy::NvidiaSmiOptions options;
    options.gpu = line.text("gpu");
    return energy::make_nvidia_smi_meter(options);
  }
  line.fail(concat("--meter must be model, nvml or nvidia-smi; got '", name, "'"));
}

}  // namespace cbnet::bench
