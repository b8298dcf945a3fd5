#include "console/options.h"

#include <doctest/doctest.h>

#include <iostream>
#include <sstream>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
constexpr Manual kManual{"prog", "go", "[options]", "Goes.\n", "Examples:\n  prog go\n"};

CommandLine line_of(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  line.add("Own", "count", "N", "how many");
  line.add("Own", "share", "X", "how much");
  line.add_list("Own", "run", "RUN", "which");
  line.add_dataset_options("mnist, fmnist or kmnist");
  REQUIRE(line.parse(words, false));
  return line;
}
}  // namespace

TEST_CASE("wrong use names the option and says where to read on") {
  CHECK_THROWS_SAYING(line_of({"--cuont", "1"}), UsageError,
                      "go: unknown option --cuont; did you mean --count?; hint: see `prog go --help`");
  CHECK_THROWS_SAYING(line_of({"--count"}), UsageError, "--count");
  CHECK_THROWS_SAYING(line_of({"word"}), UsageError, "unexpected argument 'word'");
  CHECK_THROWS_SAYING(line_of({"--threads", "0"}), UsageError,
                      "--threads must be a whole number, 1 to 1024; got '0'");
  CHECK_THROWS_SAYING(line_of({"--device", "tpu"}), std::invalid_argument, "tpu");
  CHECK_THROWS_SAYING(line_of({"--json", "/"}), InputError, "found a folder");
  const CommandLine line = line_of({"--count", "1.5", "--share", "nan"});
  CHECK_THROWS_SAYING(line.integer("count"), UsageError, "--count must be a whole number; got '1.5'");
  CHECK_THROWS_SAYING(line.number("share"), UsageError, "--share must be a number; got 'nan'");
  CHECK_THROWS_SAYING(line_of({"--count", "2"}).integer("count", 3), UsageError, "3 or more; got '2'");
  CHECK_THROWS_SAYING(line.dataset(), UsageError, "option --dataset is required");
}

TEST_CASE("values, lists and what all commands share") {
  const int threads = num_threads();
  const CommandLine line =
      line_of({"--count", "7", "--share=0.5", "--run", "a,b", "--run", "c", "--dataset", "mnist",
               "--data-dir", "d", "--no-download", "--quiet", "--threads", "1"});
  CHECK(num_threads() == 1);
  set_num_threads(threads);
  CHECK(line.integer("count", 7, 7) == 7);
  CHECK(line.number("share") == 0.5);
  CHECK(line.list("run") == std::vector<std::string>{"a,b", "c"});
  CHECK(line.dataset() == data::DatasetId::mnist);
  CHECK(line.location().data_dir == "d");
  CHECK_FALSE(line.location().allow_download);
  CHECK(line.quiet());
  CHECK(line.json_file().empty());
  CHECK(line.device() == "cpu");
}

TEST_CASE("an output that is the standard output has it alone, until the command line goes") {
  std::ostringstream out, err;
  std::streambuf* before_out = std::cout.rdbuf(out.rdbuf());
  std::streambuf* before_err = std::cerr.rdbuf(err.rdbuf());
  std::string both;
  {
    CommandLine line(kManual);
    line.add_output("Own", "picture", "FILE", "a picture");
    REQUIRE(line.parse({"--json", "-"}, false));
    std::cout << "said";
  }
  {
    const CommandLine line = line_of({"--json", "/dev/stdout"});
    std::cout << "printed";
  }
  try {
    CommandLine line(kManual);
    line.add_output("Own", "picture", "FILE", "a picture");
    line.parse({"--json", "-", "--picture", "-"}, false);
  } catch (const UsageError& error) {
    both = error.what();
  }
  std::cout.rdbuf(before_out);
  std::cerr.rdbuf(before_err);
  CHECK(out.str() == "printed");
  CHECK(err.str() == "said");
  CHECK(testing::contains(both, "--picture and --json cannot both be the standard output"));
  CHECK_THROWS_SAYING(line_of({"--json", "/dev/fd/987"}), InputError, "expected an open descriptor");
}

TEST_CASE("an option of a few words takes one of them, and no other word that follows") {
  const auto parsed = [](const std::vector<std::string>& words) {
    CommandLine line(kManual);
    line.add_choice("Own", "invert", {"yes", "no", "auto"}, "turn");
    REQUIRE(line.parse(words, true));
    std::string out = line.text("invert");
    for (const std::string& word : line.positional()) out += " " + word;
    return out;
  };
  CHECK(parsed({"a.png"}) == " a.png");
  CHECK(parsed({"--invert", "a.png"}) == "yes a.png");
  CHECK(parsed({"a.png", "--invert"}) == "yes a.png");
  CHECK(parsed({"--invert", "auto", "a.png"}) == "auto a.png");
  CHECK(parsed({"--invert=no", "auto"}) == "no auto");
  CHECK(parsed({"--invert", "./auto"}) == "yes ./auto");
  CHECK_THROWS_SAYING(parsed({"--invert=maybe"}), UsageError,
                      "--invert must be yes, no or auto; got 'maybe'; hint: see");
}

TEST_CASE("a suggestion is near or none") {
  CHECK(suggestion("trian", {"train", "eval"}, "") == "; did you mean train?");
  CHECK(suggestion("resnet", {"train", "eval"}, "").empty());
}
