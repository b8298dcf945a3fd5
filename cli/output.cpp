#include "cli/output.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "cbnet/version.h"
#include "tensor/blas.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/isa.h"
#include "tensor/parallel.h"

namespace cbnet::cli {

void write_report(const std::string& file, const Json& report) {
  if (file.empty()) return;
  // File names are bytes; those that are no UTF-8 must not cost the report.
  write_file_atomic(file, report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Json machine_json(const std::string& device) {
  return {{"version", kVersion},        {"device", device},         {"isa", to_string(active_isa())},
          {"blas", blas_description()}, {"threads", num_threads()}, {"wait_policy", wait_policy()}};
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::string fixed(double number, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << number;
  return out.str();
}

std::string percent(double share) { return std::isnan(share) ? "-" : concat(fixed(100.0 * share, 2), " %"); }

Table::Table(std::vector<std::string> header, std::size_t left_columns)
    : rows_{std::move(header)}, left_columns_(left_columns) {}

void Table::add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

void Table::print(std::ostream& out) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - row[c].size(), ' ');
      line += c < left_columns_ ? concat("  ", row[c], space) : concat("  ", space, row[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

}  // namespace cbnet::cli
