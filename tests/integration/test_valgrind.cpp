// A small training and an evaluation under valgrind: nothing lost, nothing read or written amiss. One of the
// closer looks (CBNET_TEST_FULL), where there is a valgrind and no sanitizer in the build.

#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>

#include "tests/data/files.h"
#include "tests/integration/cbnet_runs.h"
#include "tests/support/record.h"

using namespace cbnet::test;

namespace {

/// The number behind `label` in valgrind's summary, as in "definitely lost: 1,024 bytes".
double number_behind(const std::string& label, const std::string& summary) {
  const std::size_t at = summary.find(label);
  REQUIRE_MESSAGE(at != std::string::npos, summary);
  std::string digits;
  for (const char c : summary.substr(at + label.size(), 20)) {
    if (c != ',' && (c < '0' || c > '9')) break;
    if (c != ',') digits += c;
  }
  return std::stod(digits);
}

void check_clean(const std::vector<std::string>& words) {
  ProgramOptions options;
  options.timeout_s = 1'500;
  options.under = {"valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible"};
#if defined(__x86_64__)
  options.environment = {{"CBNET_FORCE_ISA", "avx2"},
                         {"OPENBLAS_CORETYPE", "Haswell"}};  // it knows no AVX-512
#endif
  const ProgramResult result = cbnet_run(words, options);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const bool all_freed = result.err.find("no leaks are possible") != std::string::npos;
  std::vector<double> numbers = {number_behind("ERROR SUMMARY: ", result.err)};
  for (const char* label : {"definitely lost: ", "indirectly lost: ", "possibly lost: "})
    numbers.push_back(all_freed ? 0.0 : number_behind(label, result.err));
  for (const double number : numbers) CHECK(number == 0);
  cbnet::testing::record("valgrind", "cbnet " + words[0], numbers);
}

/// A sanitizer and valgrind do not go together.
bool is_due() {
  return std::getenv("CBNET_TEST_FULL") != nullptr && has_memory_limit() &&
         std::system("command -v valgrind >/dev/null") == 0;
}

}  // namespace

TEST_CASE("a training and an evaluation lose no memory") {
  if (!is_due()) {
    std::cout << "valgrind is not asked for, or not here: skipped\n";
    return;
  }
  const TempFolder folder;
  // One epoch of batches of 2 is the least after which every class has an easy image.
  std::vector<std::string> words = {"train", "--quiet", "--out", folder / "run", "--epochs", "1"};
  for (const char* word : {"--batch-size", "2", "--learning-rate", "0.002", "--threshold", "2.5"})
    words.emplace_back(word);
  const auto on_excerpt = [](std::vector<std::string> list) {
    const std::vector<std::string> data = excerpt_options();
    list.insert(list.end(), data.begin(), data.end());
    return list;
  };
  check_clean(on_excerpt(words));
  check_clean(on_excerpt({"eval", "--run", folder / "run"}));
}
