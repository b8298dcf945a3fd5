#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "models/json.h"

namespace cbnet {

/// Refuses, before anything long begins, a file that could not be written after it. `option` is the one that
/// names it. Throws InputError.
void check_writable(const std::string& option, const std::string& file);

/// Writes `report` to `file`, whole or not at all, behind what was printed before where that is the standard
/// output; nothing when `file` is "".
void write_report(const std::string& file, const Json& report);

/// Returns the size of an output that was written; none of a descriptor, a pipe or a device.
std::optional<std::int64_t> written_bytes(const std::string& file);

/// Tells what a result depends on besides its inputs: version, device, ISA, BLAS, threads, wait policy.
Json machine_json(const std::string& device);

/// Makes "1,140,070" of 1140070.
std::string grouped(std::int64_t number);
/// Writes `digits` digits after the point; "-" when there is no number.
std::string fixed(std::optional<double> number, int digits);
/// Makes "89.12 %" of 0.8912; "-" for NaN.
std::string percent(double fraction);
/// Makes "1:15" of 75 and "1:01:40" of 3700.
std::string duration_text(double seconds);

/// Aligns columns, each as wide as their widest cell in characters: the first `left_columns` to the
/// left, the others to the right. Every line begins with `indent` blanks and ends in '\n', without trailing
/// blanks.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::size_t left_columns = 1, std::size_t indent = 2);
  void add(std::vector<std::string> row);
  /// Counts the lines so far, the header included.
  std::size_t size() const { return rows_.size(); }
  std::string text() const;
  void print(std::ostream& out) const { out << text(); }
  /// Returns the lines as a table of Markdown.
  std::string markdown() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_columns_, indent_;
};

}  // namespace cbnet
