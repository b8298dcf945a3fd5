#include "console/run_main.h"

#include <iostream>
#include <new>
#include <sstream>
#include <stdexcept>

#include "console/options.h"
#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
/// Exit code and what was said, of a program that throws.
template <class Error>
std::string outcome(const Error& error) {
  std::ostringstream said;
  std::streambuf* before = std::cerr.rdbuf(said.rdbuf());
  const int code = run_main("prog", [&]() -> int { throw error; });
  std::cerr.rdbuf(before);
  return std::to_string(code) + " " + said.str();
}
}  // namespace

TEST_CASE("what is thrown becomes an exit code and one line") {
  CHECK(run_main("prog", [] { return 0; }) == 0);
  CHECK(outcome(std::invalid_argument("no such option")) == "2 prog: no such option\n");
  CHECK(outcome(InputError("f", "a model", "two\nlines")) ==
        "2 prog: f: expected a model; found two lines\n");
  CHECK(outcome(std::bad_alloc()) == "1 prog: out of memory\n");
  CHECK(outcome(std::runtime_error("disk")) == "1 prog: disk\n");
}

TEST_CASE("a text becomes one line") { CHECK(one_line("a\nb\x1b[31m\x7f") == "a b [31m "); }

TEST_CASE("a command is run with the words after its name; help, version and what is unknown") {
  static std::vector<std::string> got;
  const Command commands[] = {{"train", [](const std::vector<std::string>& words) {
                                 got = words;
                                 return 7;
                               }}};
  const auto run = [&](const std::vector<std::string>& words) {
    std::ostringstream out;
    std::streambuf* before = std::cout.rdbuf(out.rdbuf());
    const int code = run_command("prog", "the help\n", commands, words);
    std::cout.rdbuf(before);
    return std::to_string(code) + " " + out.str();
  };
  CHECK(run({"train", "--fast", "x"}) == "7 ");
  CHECK(got == std::vector<std::string>{"--fast", "x"});
  CHECK(run({}) == "0 the help\n");
  CHECK(run({"-h", "train"}) == "0 the help\n");
  CHECK(run({"--version"}) == "0 prog " + std::string(CBNET_VERSION) + "\n");
  CHECK_THROWS_SAYING(run_command("prog", "", commands, {"trian"}), UsageError,
                      "unknown command trian; did you mean train?; hint: see `prog --help`");
  CHECK_THROWS_SAYING(run_command("prog", "", commands, {"--fly"}), UsageError, "unknown option --fly");
}
