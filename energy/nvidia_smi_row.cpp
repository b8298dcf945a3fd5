#include "energy/nvidia_smi_row.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "energy/text.h"

namespace cbnet::energy {
namespace {

constexpr std::size_t kFields = 5;

// Tells whether the text is letters, and the bytes of "µ" in UTF-8: what a unit can be made of.
bool is_unit(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  });
}

bool says_missing(std::string_view text) {
  return text.empty() || text.front() == '[' || text == "N/A" || text.starts_with("ERR") ||
         text == "Not Supported" || text == "Unknown Error";
}

// Finds exactly five fields: a truncated row has fewer; one more is a decimal comma or two rows in one line,
// where the last field would pass for a power.
bool split(std::string_view line, std::array<std::string_view, kFields>& fields) {
  for (std::size_t i = 0; i + 1 < kFields; ++i) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return false;
    fields[i] = trim(line.substr(0, comma));
    line.remove_prefix(comma + 1);
  }
  fields[kFields - 1] = trim(line);
  return line.find(',') == std::string_view::npos;
}

void read_power(std::string_view text, NvidiaSmiRow& row) {
  row.text = text;
  if (says_missing(text)) {
    row.status = RowStatus::missing;
    return;
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = trim(text.substr(static_cast<std::size_t>(stop - text.data())));
  const bool is_word = !std::isfinite(value) && !unit.empty();  // "info" starts like "inf"
  if (error == std::errc::invalid_argument || is_word || !is_unit(unit)) {
    row.status = RowStatus::malformed;
  } else if (!unit.empty() && unit != "W") {
    row.status = RowStatus::wrong_unit;
  } else if (error != std::errc{} || !(value > 0 && value < kMaxPlausiblePowerW)) {
    row.status = RowStatus::implausible;
  } else {
    row.status = RowStatus::ok;
    row.power_w = value;
  }
}

}  // namespace

NvidiaSmiRow parse_row(std::string_view line) {
  NvidiaSmiRow malformed;
  malformed.text = trim(line);
  std::array<std::string_view, kFields> fields;
  if (!split(line, fields)) return malformed;
  NvidiaSmiRow row;
  const char* const end = fields[0].data() + fields[0].size();
  const auto [stop, error] = std::from_chars(fields[0].data(), end, row.index);
  if (error != std::errc{} || stop != end || row.index < 0) return malformed;
  if (!fields[1].starts_with("GPU-")) return malformed;
  row.uuid = fields[1];
  row.name = fields[2];
  row.driver = fields[3];
  read_power(fields[4], row);
  return row.status == RowStatus::malformed ? malformed : row;
}

}  // namespace cbnet::energy
