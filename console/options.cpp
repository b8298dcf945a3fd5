#include "console/options.h"

#include <unistd.h>

// Lists are written by repeating an option; file names may hold commas.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cxxopts.hpp>
#include <iostream>
#include <numeric>
#include <system_error>

#include "console/output.h"
#include "tensor/device.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet {
namespace {

constexpr const char* kCommonGroup = "Common";
constexpr const char* kDataGroup = "Data";
constexpr std::int64_t kMaxThreads = 1024;

/// Counts how many letters must be inserted, removed or replaced (Levenshtein).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// Returns what stands between the typographic quotes of a message by cxxopts; "" when there are none.
std::string quoted(const std::string& message) {
  const std::string open = "\u2018";
  const std::string close = "\u2019";
  const std::size_t begin = message.find(open);
  const std::size_t end = message.find(close);
  if (begin == std::string::npos || end == std::string::npos) return "";
  return message.substr(begin + open.size(), end - begin - open.size());
}

template <class T>
bool parse_whole(const std::string& text, T& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

/// Lists words as in "yes, no or auto".
std::string list_words(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i)
    out += concat(i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
  return out;
}

}  // namespace

std::string suggestion(const std::string& word, const std::vector<std::string>& known,
                       const std::string& prefix) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return distance(word, a) < distance(word, b);
  });
  if (nearest == known.end() || distance(word, *nearest) > 2) return "";
  return concat("; did you mean ", prefix, *nearest, "?");
}

struct CommandLine::PrintToError {
  std::streambuf* before = std::cout.rdbuf(std::cerr.rdbuf());
  PrintToError() = default;
  ~PrintToError() { std::cout.rdbuf(before); }
  PrintToError(const PrintToError&) = delete;
  PrintToError& operator=(const PrintToError&) = delete;
};

struct CommandLine::Parser {
  cxxopts::Options options;
  cxxopts::ParseResult result;
};

CommandLine::CommandLine(const Manual& manual)
    : manual_(manual),
      parser_(new Parser{cxxopts::Options(concat(manual.program, " ", manual.command), manual.summary), {}}) {
  parser_->options.set_width(100);
  parser_->options.custom_help(manual.usage);
}

CommandLine::CommandLine(CommandLine&&) noexcept = default;
CommandLine::~CommandLine() = default;

bool CommandLine::has(const std::string& name) const { return parser_->result.count(name) != 0; }

bool CommandLine::is_set(const std::string& name) const {
  return has(name) && parser_->result[name].as<bool>();
}

const std::vector<std::string>& CommandLine::list(const std::string& name) const {
  return parser_->result[name].as<std::vector<std::string>>();
}

void CommandLine::declare(const std::string& group, const std::string& name) {
  if (std::find(groups_.begin(), groups_.end(), group) == groups_.end()) groups_.push_back(group);
  const std::size_t comma = name.find(',');
  names_.push_back(comma == std::string::npos ? name : name.substr(comma + 1));
}

void CommandLine::add_list(const std::string& group, const std::string& name, const std::string& value,
                           const std::string& help) {
  declare(group, name);
  parser_->options.add_options(group)(name, help, cxxopts::value<std::vector<std::string>>(), value);
}

void CommandLine::add(const std::string& group, const std::string& name, const std::string& value,
                      const std::string& help) {
  declare(group, name);
  auto adder = parser_->options.add_options(group);
  if (value.empty()) {
    adder(name, help);
  } else {
    adder(name, help, cxxopts::value<std::string>(), value);
  }
}

void CommandLine::add_output(const std::string& group, const std::string& name, const std::string& value,
                             const std::string& help) {
  add(group, name, value, help);
  outputs_.push_back(name);
}

void CommandLine::add_choice(const std::string& group, const std::string& name,
                             const std::vector<std::string>& words, const std::string& help) {
  std::string value;
  for (const std::string& word : words) value += (value.empty() ? "" : "|") + word;
  add(group, name, value, help);
  choices_[name] = words;
}

/// Returns each option of a few words with its value behind '=', so that what follows one without is not
/// taken for it.
std::vector<std::string> CommandLine::with_choices(const std::vector<std::string>& arguments) const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      out.insert(out.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    out.push_back(arguments[i]);
    // The parser takes names of one letter behind one dash alone: --k 3 and --k=3.
    const bool is_letter = arguments[i].starts_with("--") && arguments[i].size() > 2 &&
                           (arguments[i].size() == 3 || arguments[i][3] == '=');
    if (is_letter)
      out.back() = arguments[i].substr(1, 2) + (arguments[i].size() > 4 ? arguments[i].substr(4) : "");
    const auto choice =
        arguments[i].starts_with("--") ? choices_.find(arguments[i].substr(2)) : choices_.end();
    if (choice == choices_.end()) continue;
    const std::vector<std::string>& words = choice->second;
    const bool given =
        i + 1 < arguments.size() && std::find(words.begin(), words.end(), arguments[i + 1]) != words.end();
    out.back() += "=" + (given ? arguments[++i] : words.front());
  }
  return out;
}

void CommandLine::add_dataset_options(const std::string& dataset_names) {
  add(kDataGroup, "dataset", "D", concat("the dataset: ", dataset_names));
  add(kDataGroup, "train-images", "FILE", "training images (IDX, IDX in gzip, or .npz) instead of a search");
  add(kDataGroup, "train-labels", "FILE", "training labels");
  add(kDataGroup, "test-images", "FILE", "test images");
  add(kDataGroup, "test-labels", "FILE", "test labels");
  add(kDataGroup, "no-download", "", "fail instead of downloading what is missing");
  add_picture_options();
}

void CommandLine::add_picture_options() {
  add(kDataGroup, "data", "PATH",
      "instead of a dataset by name: a folder with one subfolder of pictures a class, or with train and test "
      "so; "
      "a folder of IDX or CIFAR-10 files; an .npz archive");
  add(kDataGroup, "resize", "WxH", "stretch all pictures to this size (bilinear; area where they shrink)");
  add(kDataGroup, "channels", "N", "1 makes pictures grey (luma), 3 repeats grey in three channels");
  add(kDataGroup, "test-fraction", "F", "of --data without a test set: how many become one (default: 1/6)");
  add(kDataGroup, "split-seed", "N", "which of them; the same in training and measuring (default: 1)");
}

bool CommandLine::parse(const std::vector<std::string>& arguments, bool positional) {
  add(kCommonGroup, "threads", "N", "CPU threads, 1 to 1024 (default: all CPUs)");
  add(kCommonGroup, "device", "DEVICE", "cpu (default), reference (slow: plain loops) or cuda");
  add(kCommonGroup, "data-dir", "DIR", "the folder that holds the dataset files; no other is searched");
  add_output(kCommonGroup, "json", "FILE",
             "write what is printed, and more, as JSON; - is the standard output");
  add(kCommonGroup, "quiet", "", "print results and errors only");
  add(kCommonGroup, "h,help", "", "print this help");

  const std::vector<std::string> given = with_choices(arguments);
  std::vector<const char*> words{manual_.program};
  for (const std::string& argument : given) words.push_back(argument.c_str());
  try {
    parser_->result = parser_->options.parse(static_cast<int>(words.size()), words.data());
  } catch (const std::exception& error) {
    fail(explain(error.what()));
  }
  if (is_set("help")) {
    print_help();
    return false;
  }
  positional_ = parser_->result.unmatched();
  if (!positional && !positional_.empty()) fail(concat("unexpected argument '", positional_.front(), "'"));
  for (const auto& [name, choices] : choices_) {
    if (has(name) && std::find(choices.begin(), choices.end(), text(name)) == choices.end())
      fail(concat("--", name, " must be ", list_words(choices), "; got '", text(name), "'"));
  }
  apply_threads();
  choose_device();
  check_outputs();
  return true;
}

void CommandLine::check_outputs() {
  std::string standard_output;
  for (const std::string& name : outputs_) {
    if (!has(name)) continue;
    const std::string option = "--" + name;
    check_writable(option, text(name));
    if (text(name) != "-") continue;
    if (!standard_output.empty())
      fail(concat(standard_output, " and ", option, " cannot both be the standard output"));
    standard_output = option;
  }
  if (!standard_output.empty()) print_to_error_ = std::make_unique<PrintToError>();
}

void CommandLine::print_help() const {
  std::cout << parser_->options.help(groups_) << '\n' << manual_.examples;
}

/// Says cxxopts' message in our words.
std::string CommandLine::explain(const std::string& message) const {
  const std::string name = quoted(message);
  if (message.ends_with("does not exist")) {
    return concat("unknown option ", name.size() == 1 ? "-" : "--", name, suggestion(name, names_, "--"));
  }
  if (message.ends_with("is missing an argument")) return concat("option --", name, " needs a value");
  if (message.find("does not take an argument") != std::string::npos) {
    return concat("option --", name, " takes no value");
  }
  if (message.ends_with("failed to parse")) return concat("'", name, "' is no value for a switch");
  if (message.ends_with("incorrect syntax")) return concat("unknown option ", name);
  return message;
}

void CommandLine::fail(const std::string& message) const {
  throw UsageError(concat(manual_.command, ": ", message, "; hint: see `", manual_.program, " ",
                          manual_.command, " --help`"));
}

void CommandLine::apply_threads() const {
  if (!has("threads")) return;
  set_num_threads(static_cast<int>(integer("threads", 1, kMaxThreads)));
}

std::string CommandLine::text(const std::string& name) const {
  return has(name) ? parser_->result[name].as<std::string>() : std::string();
}

std::string CommandLine::required(const std::string& name) const {
  std::string value = text(name);
  if (value.empty()) fail(concat("option --", name, " is required"));
  return value;
}

std::int64_t CommandLine::integer(const std::string& name, std::int64_t min, std::int64_t max) const {
  using Limits = std::numeric_limits<std::int64_t>;
  std::int64_t value = 0;
  if (parse_whole(text(name), value) && value >= min && value <= max) return value;
  std::string range;
  if (min > Limits::min()) range = concat(", ", min, max < Limits::max() ? concat(" to ", max) : " or more");
  fail(concat("--", name, " must be a whole number", range, "; got '", text(name), "'"));
}

std::uint64_t CommandLine::unsigned_integer(const std::string& name) const {
  std::uint64_t value = 0;
  if (!parse_whole(text(name), value)) {
    fail(concat("--", name, " must be a whole number from 0 to 2^64 - 1; got '", text(name), "'"));
  }
  return value;
}

double CommandLine::number(const std::string& name) const {
  double value = 0.0;
  if (!parse_whole(text(name), value) || !std::isfinite(value)) {
    fail(concat("--", name, " must be a number; got '", text(name), "'"));
  }
  return value;
}

std::vector<double> CommandLine::numbers(const std::string& name) const {
  std::vector<double> out;
  std::string rest = text(name) + ",";
  for (std::size_t comma = rest.find(','); comma != std::string::npos; comma = rest.find(',')) {
    double value = 0.0;
    if (!parse_whole(rest.substr(0, comma), value) || !std::isfinite(value))
      fail(concat("--", name, " must be a number, or several between commas; got '", text(name), "'"));
    out.push_back(value);
    rest.erase(0, comma + 1);
  }
  return out;
}

std::vector<double> CommandLine::thresholds() const {
  if (!has("threshold")) return {};
  std::vector<double> out = numbers("threshold");
  for (const double threshold : out)
    if (threshold < 0) fail(concat("--threshold must not be negative; got ", threshold));
  return out;
}

void CommandLine::choose_device() {
  if (has("device")) device_ = text("device");
  const Device device = parse_device(device_);
  // What has no other way computes on the CPU: saying so beats computing there unasked.
  require(device == Device::cpu || may_use_others_, "device", "`", manual_.program, " ", manual_.command,
          "` computes on the CPU; hint: use --device cpu");
  set_compute_device(device);
}

data::Source CommandLine::source(const std::string& usual) const {
  data::Source out;
  out.location = location();
  out.path = text("data");
  if (has("data") && has("dataset")) fail("--data stands for --dataset; give one of them");
  if (has("dataset")) {
    out.id = dataset();
  } else if (!has("data")) {
    out.id = data::known_dataset(usual);
    if (!out.id && usual.empty()) fail("option --dataset or --data is required");
    if (!out.id)
      fail(concat("the models were trained on ", usual, ", which lies at a path; give it with --data"));
  }
  if (has("resize")) {
    const std::string size = text("resize");
    const std::size_t x = size.find('x');
    std::int64_t &width = out.pictures.width, &height = out.pictures.height;
    const bool valid = x != std::string::npos && parse_whole(size.substr(0, x), width) &&
                       parse_whole(size.substr(x + 1), height) && std::min(width, height) > 0 &&
                       std::max(width, height) <= data::kMaxImageSide;
    if (!valid)
      fail(concat("--resize must be a width and a height, 1 to ", data::kMaxImageSide, ", as in 40x24; got '",
                  size, "'"));
  }
  if (has("channels")) {
    out.pictures.channels = integer("channels");
    if (out.pictures.channels != 1 && out.pictures.channels != 3)
      fail(concat("--channels must be 1 or 3; got ", out.pictures.channels));
  }
  if (has("test-fraction")) out.test_fraction = number("test-fraction");
  if (!(out.test_fraction > 0 && out.test_fraction < 1)) fail("--test-fraction must be between 0 and 1");
  if (has("split-seed")) out.split_seed = unsigned_integer("split-seed");
  return out;
}

data::Location CommandLine::location() const {
  data::Location out;
  out.data_dir = text("data-dir");
  out.train_images = text("train-images");
  out.train_labels = text("train-labels");
  out.test_images = text("test-images");
  out.test_labels = text("test-labels");
  out.allow_download = !is_set("no-download");
  out.progress = !quiet() && ::isatty(STDERR_FILENO) != 0;
  return out;
}

}  // namespace cbnet
