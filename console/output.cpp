#include "console/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <system_error>

#include "console/columns.h"
#include "tensor/cpu/blas.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"
#include "tensor/version.h"

namespace cbnet {

namespace {

std::string two_digits(std::int64_t number) { return concat(number < 10 ? "0" : "", number); }

}  // namespace

void check_writable(const std::string& option, const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (file.empty()) throw InputError(option, "a file name", "none");
  if (fs::is_directory(file, error)) throw InputError(file, "a file to write to", "a folder");
  const WriteTarget target = write_target(file);
  if (target.descriptor >= 0) {
    const int flags = ::fcntl(target.descriptor, F_GETFL);
    if (flags < 0) throw InputError(option, concat("an open descriptor at ", file), std::strerror(errno));
    if ((flags & O_ACCMODE) == O_RDONLY)
      throw InputError(option, concat("a descriptor to write to at ", file), "one to read from");
    return;
  }
  const bool is_device = fs::exists(target.file, error) && !fs::is_regular_file(target.file, error);
  if (is_device) return;
  // This finds the nearest folder that is there: those below it will be made.
  fs::path folder = fs::absolute(target.file, error).parent_path();
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder, error))
    throw InputError(file, concat("a folder at ", folder.string()), "a file");
  // Even a file that is there is replaced by a new one in its folder.
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    throw InputError(file, concat("a folder that can be written to at ", folder.string()),
                     std::strerror(errno));
}

std::optional<std::int64_t> written_bytes(const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  const WriteTarget target = write_target(file);
  if (target.descriptor >= 0 || !fs::is_regular_file(target.file, error)) return std::nullopt;
  return static_cast<std::int64_t>(fs::file_size(target.file));
}

void write_report(const std::string& file, const Json& report) {
  if (file.empty()) return;
  std::cout.flush();  // `file` may be where it goes, too
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

std::string fixed(std::optional<double> number, int digits) {
  if (!number) return "-";
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << *number;
  return out.str();
}

std::string percent(double fraction) {
  return std::isnan(fraction) ? "-" : concat(fixed(100.0 * fraction, 2), " %");
}

std::string duration_text(double seconds) {
  const auto total = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  const std::int64_t hours = total / 3600;
  const std::int64_t minutes = total / 60 % 60;
  const std::string tail = two_digits(total % 60);
  return hours > 0 ? concat(hours, ":", two_digits(minutes), ":", tail) : concat(minutes, ":", tail);
}

Table::Table(std::vector<std::string> header, std::size_t left_columns, std::size_t indent)
    : rows_{std::move(header)}, left_columns_(left_columns), indent_(indent) {}

void Table::add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], columns_of(row[c]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent_, ' ');
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string blanks(widths[c] - columns_of(row[c]), ' ');
      if (c > 0) line += "  ";
      line += c < left_columns_ ? row[c] + blanks : blanks + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string Table::markdown() const {
  std::string out;
  for (const auto& row : rows_) {
    for (const std::string& cell : row) out += concat("| ", cell, " ");
    out += "|\n";
    if (&row != &rows_.front()) continue;
    for (std::size_t c = 0; c < row.size(); ++c) out += c < left_columns_ ? "|---" : "|---:";
    out += "|\n";
  }
  return out;
}

}  // namespace cbnet
