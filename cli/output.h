#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

namespace cbnet::cli {

using Json = nlohmann::ordered_json;

/// Writes `report` to `file`, whole or not at all; nothing when `file` is "".
void write_report(const std::string& file, const Json& report);

/// What a result depends on besides its inputs: version, device, ISA, BLAS, threads, wait policy.
Json machine_json(const std::string& device);

/// 1140070 -> "1,140,070".
std::string grouped(std::int64_t number);
std::string fixed(double number, int digits);
/// 0.8912 -> "89.12 %"; "-" for NaN.
std::string percent(double share);

/// Lines of aligned columns: the first `left_columns` to the left, the others to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::size_t left_columns = 1);
  void add(std::vector<std::string> row);
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_columns_;
};

}  // namespace cbnet::cli
