#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace cbnet {

inline constexpr const char* kDatasetNames = "mnist, fmnist, kmnist or cifar10";

/// The command line makes no sense: an unknown option, a value that is no number, a missing argument.
class UsageError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// This is what the help of a command says around its options.
struct Manual {
  const char* program;   // "cbnet"
  const char* command;   // "train"
  const char* usage;     // "--dataset D --out RUN [options]"
  const char* summary;   // what it does, for someone who has never seen it
  const char* examples;  // the last part of the help
};

/// This is the command line of one command: the options that it declares, those that all commands share, and
/// what was given. Wrong use throws UsageError, which names the option and says where to read on.
class CommandLine {
 public:
  explicit CommandLine(const Manual& manual);
  CommandLine(CommandLine&&) noexcept;
  ~CommandLine();

  /// Declares options under a heading of the help; `value` is the placeholder, "" for a switch.
  void add(const std::string& group, const std::string& name, const std::string& value,
           const std::string& help);
  /// Declares an option that names a file to write: parse() checks that it can be, before anything long
  /// begins. While one is "-", the standard output is its alone: what is printed goes to the standard error.
  void add_output(const std::string& group, const std::string& name, const std::string& value,
                  const std::string& help);
  /// Declares an option that may be repeated.
  void add_list(const std::string& group, const std::string& name, const std::string& value,
                const std::string& help);
  /// Declares an option that takes one of a few words; without one, the first of them. Its value is
  /// text(name).
  void add_choice(const std::string& group, const std::string& name, const std::vector<std::string>& words,
                  const std::string& help);
  /// Declares --dataset, the four explicit files, --no-download and what add_picture_options adds.
  void add_dataset_options(const std::string& dataset_names);
  /// Declares --data, and how pictures are taken: --resize, --channels, --test-fraction and --split-seed.
  void add_picture_options();

  /// A command whose every computation goes through ops calls this: --device reference is welcome then.
  void allow_other_devices() { may_use_others_ = true; }

  /// Parses the arguments behind the command's name, applies --threads and --device, and checks the files to
  /// write, of which one may be the standard output. False when --help was asked for and printed.
  /// `positional` says whether words without an option are welcome. Besides UsageError, throws
  /// std::invalid_argument for a device that cannot compute here, and InputError for a file that cannot be
  /// written.
  bool parse(const std::vector<std::string>& arguments, bool positional);
  const std::vector<std::string>& positional() const { return positional_; }

  bool has(const std::string& name) const;
  bool is_set(const std::string& name) const;
  /// Returns the value as given; "" when the option is absent.
  std::string text(const std::string& name) const;
  /// Returns the value of an option that must be there.
  std::string required(const std::string& name) const;
  const std::vector<std::string>& list(const std::string& name) const;
  std::int64_t integer(const std::string& name, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t max = std::numeric_limits<std::int64_t>::max()) const;
  std::uint64_t unsigned_integer(const std::string& name) const;
  double number(const std::string& name) const;
  /// Reads one or more numbers between commas.
  std::vector<double> numbers(const std::string& name) const;
  /// Returns what --threshold says, none of them negative; empty when the option is absent.
  std::vector<double> thresholds() const;

  bool quiet() const { return is_set("quiet"); }
  std::string json_file() const { return text("json"); }
  /// Returns what --device names; parse() has made sure that it can compute here.
  const std::string& device() const { return device_; }
  data::DatasetId dataset() const { return data::parse_dataset_id(required("dataset")); }
  data::Location location() const;
  /// Returns what --dataset or --data names; where neither is given, the dataset that `usual` is the name of,
  /// as models have it. UsageError when there is none, and when both are given.
  data::Source source(const std::string& usual = "") const;

  [[noreturn]] void fail(const std::string& message) const;

 private:
  void declare(const std::string& group, const std::string& name);
  void print_help() const;
  void apply_threads() const;
  void choose_device();
  void check_outputs();
  std::vector<std::string> with_choices(const std::vector<std::string>& arguments) const;
  std::string explain(const std::string& message) const;

  /// Sends what is printed to the standard error for as long as it lives.
  struct PrintToError;
  struct Parser;  // cxxopts takes seconds to compile: where options are read, it need not be seen

  Manual manual_;
  std::unique_ptr<Parser> parser_;
  std::unique_ptr<PrintToError> print_to_error_;
  std::vector<std::string> groups_;
  std::vector<std::string> names_;
  std::vector<std::string> outputs_;
  std::map<std::string, std::vector<std::string>> choices_;
  std::vector<std::string> positional_;
  std::string device_ = "cpu";
  bool may_use_others_ = false;
};

/// "; did you mean X?" for the nearest of `known`, or "" when none is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& known,
                       const std::string& prefix);

}  // namespace cbnet
