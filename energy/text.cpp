#include "energy/text.h"

#include <array>
#include <charconv>

namespace cbnet::energy {

std::string fault(std::string_view expected, std::string_view got, std::string_view hint) {
  std::string text = "[energy] expected ";
  text.append(expected).append("; got ").append(got).append("; hint: ").append(hint);
  return text;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank(" \t\r\n\v\f\0", 7);
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::string format_number(double value) {
  std::array<char, 64> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), written.ptr};
}

std::string format_fixed(double value, int decimals) {
  // The largest double has 309 digits before the point.
  std::array<char, 512> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals);
  if (written.ec != std::errc{}) return format_number(value);
  return {buffer.data(), written.ptr};
}

void append_remark(std::string& remarks, std::string_view remark) {
  if (remark.empty()) return;
  if (!remarks.empty()) remarks += "; ";
  remarks += remark;
}

}  // namespace cbnet::energy
