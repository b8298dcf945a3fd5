#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cbnet::bench {

/// Lines of cells in columns as wide as their widest cell; the first column to the left, the others to the
/// right. Every line ends in '\n', without trailing blanks.
std::string align(const std::vector<std::vector<std::string>>& lines);

/// "12.35": `decimals` digits after the point; "-" when there is no value.
std::string fixed(std::optional<double> value, int decimals);
/// "1,140,070"
std::string grouped(std::int64_t value);

}  // namespace cbnet::bench
