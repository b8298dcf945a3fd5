#include "energy/host.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "energy/text.h"

namespace cbnet::energy {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return std::string(trim(text));
}

// Returns the value of the last "key : value" line; the Pi's own keys come after those of every core.
std::string cpuinfo_value(std::string_view cpuinfo, std::string_view key) {
  std::string value;
  while (!cpuinfo.empty()) {
    const std::string_view line = cpuinfo.substr(0, cpuinfo.find('\n'));
    cpuinfo.remove_prefix(std::min(line.size() + 1, cpuinfo.size()));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && trim(line.substr(0, colon)) == key) {
      value = trim(line.substr(colon + 1));
    }
  }
  return value;
}

// Returns the board type inside a new-style revision code (bit 23 set): bits 4 to 11.
// Source: "Raspberry Pi revision codes", raspberrypi.com documentation.
std::string pi_model_of_revision(const std::string& revision) {
  constexpr std::array<std::pair<unsigned, const char*>, 12> kTypes{{{0x04, "Raspberry Pi 2 Model B"},
                                                                     {0x08, "Raspberry Pi 3 Model B"},
                                                                     {0x09, "Raspberry Pi Zero"},
                                                                     {0x0c, "Raspberry Pi Zero W"},
                                                                     {0x0d, "Raspberry Pi 3 Model B+"},
                                                                     {0x0e, "Raspberry Pi 3 Model A+"},
                                                                     {0x11, "Raspberry Pi 4 Model B"},
                                                                     {0x12, "Raspberry Pi Zero 2 W"},
                                                                     {0x13, "Raspberry Pi 400"},
                                                                     {0x14, "Raspberry Pi Compute Module 4"},
                                                                     {0x17, "Raspberry Pi 5"},
                                                                     {0x19, "Raspberry Pi 500"}}};
  unsigned code = 0;
  const char* const end = revision.data() + revision.size();
  const auto [stop, error] = std::from_chars(revision.data(), end, code, 16);
  if (error != std::errc{} || stop != end) return {};
  if ((code >> 23 & 1U) != 0) {
    for (const auto& [type, name] : kTypes) {
      if ((code >> 4 & 0xffU) == type) return name;
    }
  }
  return "Raspberry Pi (revision " + revision + ")";
}

// Docker hides /sys/firmware, and with it the device tree, so the paper's own set-up (a container on
// a Pi 4) is recognised by /proc/cpuinfo.
std::string pi_model(const std::filesystem::path& root, const std::string& cpuinfo) {
  for (std::string model : {read_text(root / "proc/device-tree/model"), cpuinfo_value(cpuinfo, "Model")}) {
    if (model.starts_with("Raspberry Pi")) return model;
  }
  const std::string hardware = cpuinfo_value(cpuinfo, "Hardware");
  // Other ARM boards have a Revision line too, with another meaning.
  if (!hardware.starts_with("BCM27") && !hardware.starts_with("BCM28")) return {};
  return pi_model_of_revision(cpuinfo_value(cpuinfo, "Revision"));
}

int count_cpus(const std::filesystem::path& root) {
  std::ifstream stat(root / "proc/stat");
  int count = 0;
  for (std::string line; std::getline(stat, line);) {
    if (line.size() > 3 && line.starts_with("cpu") && line[3] >= '0' && line[3] <= '9') ++count;
  }
  if (count == 0) count = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(count, 1);
}

PowerModel pi_power_model(const Host& host, const PowerConstants& constants) {
  return {with_constants(PiModel{}, constants),
          host.platform == Platform::raspberry_pi_4
              ? "modelled (Raspberry Pi 4, Eq. 2)"
              : "modelled (the paper's Raspberry Pi 4, not this machine)"};
}

PowerModel gci_power_model(const Host& host, const PowerConstants& constants) {
  const GciModel model = with_constants(GciModel{}, constants);
  if (host.platform != Platform::google_compute_engine) {
    return {model, "modelled (the paper's server, not this machine)"};
  }
  std::string note;
  if (model.n != host.cpu_count) {
    const std::string count = std::to_string(host.cpu_count);
    note.append("Eq. 1 takes n=").append(format_number(model.n)).append(" vCPUs, this instance has ");
    note.append(count).append("; hint: give the constants n=").append(count).append(" and N of its server");
  }
  return {model, "modelled (Google Compute Engine, Eq. 1)", note};
}

}  // namespace

std::string Host::describe() const {
  std::string text = model.empty() ? "unrecognised machine" : model;
  if (!cpu.empty()) text += ", " + cpu;
  return text + ", " + std::to_string(cpu_count) + (cpu_count == 1 ? " CPU" : " CPUs");
}

Host recognise_host(const std::filesystem::path& root) {
  const std::string cpuinfo = read_text(root / "proc/cpuinfo");
  Host host;
  host.cpu = cpuinfo_value(cpuinfo, "model name");
  host.cpu_count = count_cpus(root);
  host.model = pi_model(root, cpuinfo);
  if (!host.model.empty()) {
    // The Pi 400 and the Compute Module 4 share the chip, not the board that the paper modelled.
    const bool is_pi_4 = host.model == "Raspberry Pi 4" || host.model.starts_with("Raspberry Pi 4 ");
    host.platform = is_pi_4 ? Platform::raspberry_pi_4 : Platform::other_raspberry_pi;
    return host;
  }
  // The product decides: Chromebooks have the vendor "Google" too, and some instances have the short
  // product name. Same rule as Google's own metadata library.
  host.model = read_text(root / "sys/class/dmi/id/product_name");
  if (host.model == "Google Compute Engine" || host.model == "Google") {
    host.model = "Google Compute Engine";
    host.platform = Platform::google_compute_engine;
  }
  return host;
}

std::optional<PowerModel> choose_model(const Host& host, std::string_view which, std::string_view constants) {
  const PowerConstants parsed = parse_constants(constants);
  const bool is_pi =
      host.platform == Platform::raspberry_pi_4 || host.platform == Platform::other_raspberry_pi;
  if (which == "pi4" || (which == "auto" && is_pi)) return pi_power_model(host, parsed);
  if (which == "gci" || which == "auto") return gci_power_model(host, parsed);
  if (which != "none") {
    throw std::invalid_argument(fault("the power model auto, pi4, gci or none",
                                      '"' + std::string(which) + '"',
                                      "auto takes the one that fits this machine"));
  }
  if (!parsed.empty()) {
    throw std::invalid_argument(fault("no power constants with the power model none",
                                      '"' + std::string(constants) + '"', "choose auto, pi4 or gci"));
  }
  return std::nullopt;
}

}  // namespace cbnet::energy
