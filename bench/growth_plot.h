#pragma once

#include <filesystem>
#include <string>

#include "bench/growth.h"

namespace cbnet::bench {

/// Throws InputError unless the program gnuplot can be started.
void require_gnuplot();

/// Writes columns x, µs, lowest, highest and floor of each series, two blank lines between them; "?" for no
/// floor.
std::string growth_data(const std::vector<GrowthSeries>& series);

/// Makes the plot as gnuplot takes it: a panel for the batch at each thread count, for the width and for the
/// side.
std::string growth_script(const std::vector<GrowthSeries>& series, const std::filesystem::path& data);

/// Draws a record of growth into `svg`, by way of a .dat and a .gnuplot file beside it. Throws InputError for
/// JSON that is no such record and without gnuplot, std::runtime_error with what gnuplot says where it fails.
void plot_growth(const Json& report, const std::filesystem::path& svg);

}  // namespace cbnet::bench
