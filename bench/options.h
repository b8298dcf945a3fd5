#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

// Lists are written by repeating an option; file names may hold commas.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <cxxopts.hpp>

// What the commands of cbnet_bench share.

namespace cbnet::bench {

/// The command line makes no sense: exit code 2.
class UsageError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

struct CommonOptions {
  std::string data_dir;
  std::string json;
  bool quiet = false;
};

/// --threads, --device, --data-dir, --json, --quiet, --help.
void add_common(cxxopts::Options& options);

/// `words` are the command's own, without its name. Nothing when --help asked for the page, which is printed
/// with the examples. Throws UsageError for anything that is not an option of the command.
std::optional<cxxopts::ParseResult> parse(cxxopts::Options& options, const std::vector<std::string>& words,
                                          const std::string& examples);

/// Sets the thread count and refuses devices that are not there.
CommonOptions apply_common(const cxxopts::ParseResult& parsed);

/// The option's whole number, which must be `least` to `most`, or UsageError. Declare the option as text: the
/// parser's own message would not name it.
std::int64_t whole_number(const cxxopts::ParseResult& parsed, const std::string& name, std::int64_t least,
                          std::int64_t most = std::numeric_limits<std::int64_t>::max());

}  // namespace cbnet::bench
