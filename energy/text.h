#pragma once

#include <optional>
#include <string>
#include <string_view>

// Numbers in this room's texts never depend on the locale.
namespace cbnet::energy {

// Makes the one form of this room's errors: "[energy] expected A; got B; hint: C".
std::string fault(std::string_view expected, std::string_view got, std::string_view hint);

// Drops white space and NUL bytes (device-tree strings end in one) at both ends.
std::string_view trim(std::string_view text);

// Reads the whole text as a number, or gives nothing.
std::optional<double> parse_number(std::string_view text);

// Returns the shortest text that reads back as the same double.
std::string format_number(double value);

// Formats as "%.<decimals>f" does, rounding from the exact binary value, half to even.
std::string format_fixed(double value, int decimals);

// Appends one more remark to a list joined by "; ". Empty remarks add nothing.
void append_remark(std::string& remarks, std::string_view remark);

}  // namespace cbnet::energy
