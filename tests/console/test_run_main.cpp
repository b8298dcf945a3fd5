#include "console/run_main.h"

#include <doctest/doctest.h>

#include <iostream>
#include <new>
#include <sstream>
#include <stdexcept>

#include "tensor/error.h"

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
