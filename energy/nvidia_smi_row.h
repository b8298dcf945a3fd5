#pragma once

#include <optional>
#include <string>
#include <string_view>

// A row is one line of `nvidia-smi --query-gpu=... --format=csv,noheader,nounits`.
namespace cbnet::energy {

// parse_row reads these columns; the caller appends the power field, "power.draw" as a rule.
inline constexpr std::string_view kNvidiaSmiColumns = "index,uuid,name,driver_version";

// A reading outside (0 W, 10 kW) is a fault of the sensor or of the unit.
inline constexpr double kMaxPlausiblePowerW = 10'000;

enum class RowStatus {
  ok,           // power_w is there
  missing,      // the GPU says that it has no reading: [N/A], [Not Supported], ERR!, ...
  implausible,  // a number outside (0 W, 10 kW), or NaN
  wrong_unit,   // a number with a unit other than W
  malformed     // truncated or no row at all; nothing but `text` is set
};

struct NvidiaSmiRow {
  RowStatus status = RowStatus::malformed;
  int index = -1;
  std::string uuid;
  std::string name;
  std::string driver;
  std::optional<double> power_w;  // only when ok: a failed reading is never 0 W
  std::string text;               // what stood in the power column; the whole line when malformed
};

// Reads "0, GPU-5f2e…, NVIDIA H100 80GB HBM3, 550.54.15, 78.66", with or without " W". Pure; takes
// any bytes and reports what they are instead of throwing.
NvidiaSmiRow parse_row(std::string_view line);

}  // namespace cbnet::energy
