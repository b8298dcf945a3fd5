#include "bench/options.h"

#include <charconv>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "tensor/cuda/backend.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet::bench {

void add_common(cxxopts::Options& options) {
  options.add_options("Common")("threads", "Threads of the engine; all CPUs if not given",
                                cxxopts::value<std::string>(), "N");
  options.add_options("Common")("device", "cpu or cuda", cxxopts::value<std::string>()->default_value("cpu"),
                                "NAME");
  options.add_options("Common")("data-dir", "Folder with the datasets", cxxopts::value<std::string>(), "DIR");
  options.add_options("Common")("json", "Also write the results there, as JSON",
                                cxxopts::value<std::string>(), "FILE");
  options.add_options("Common")("quiet", "No progress on stderr");
  options.add_options("Common")("h,help", "This page");
}

std::optional<cxxopts::ParseResult> parse(cxxopts::Options& options, const std::vector<std::string>& words,
                                          const std::string& examples) {
  std::vector<const char*> argv{"cbnet_bench"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  try {
    cxxopts::ParseResult parsed = options.parse(static_cast<int>(argv.size()), argv.data());
    if (parsed.count("help") > 0) {
      std::cout << options.help() << "\nExamples:\n" << examples;
      return std::nullopt;
    }
    if (!parsed.unmatched().empty()) {
      throw UsageError(concat("unexpected '", parsed.unmatched().front(), "'; hint: see --help"));
    }
    return parsed;
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    // cxxopts renamed its exceptions between versions.
    throw UsageError(concat(error.what(), "; hint: see --help"));
  }
}

std::int64_t whole_number(const cxxopts::ParseResult& parsed, const std::string& name, std::int64_t least,
                          std::int64_t most) {
  const auto text = parsed[name].as<std::string>();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most)
    return value;
  const bool bounded = most < std::numeric_limits<std::int64_t>::max();
  throw UsageError(concat("--", name, " must be a whole number, ", least,
                          bounded ? concat(" to ", most) : std::string(" or more"), "; got '", text, "'"));
}

CommonOptions apply_common(const cxxopts::ParseResult& parsed) {
  CommonOptions out;
  if (parsed.count("threads") > 0)
    set_num_threads(static_cast<int>(whole_number(parsed, "threads", 1, 1024)));
  const auto device = parsed["device"].as<std::string>();
  if (parse_device(device) != Device::cpu) {
    throw UsageError(concat("--device ", device, ": the trained models run on the CPU; hint: --device cpu"));
  }
  if (parsed.count("data-dir") > 0) out.data_dir = parsed["data-dir"].as<std::string>();
  if (parsed.count("json") > 0) {
    out.json = parsed["json"].as<std::string>();
    // Found out now rather than after minutes of timing.
    if (out.json.empty() || std::filesystem::is_directory(out.json)) {
      throw UsageError(concat("--json needs a file name; got '", out.json, "'"));
    }
  }
  out.quiet = parsed.count("quiet") > 0;
  return out;
}

}  // namespace cbnet::bench
