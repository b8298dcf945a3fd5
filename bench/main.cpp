#include <iostream>
#include <string>
#include <vector>

#include "bench/accuracy.h"
#include "bench/ops.h"
#include "bench/recipes.h"
#include "bench/table2.h"
#include "cbnet/version.h"
#include "console/options.h"
#include "console/run_main.h"

namespace {

constexpr const char* kUsage =
    "cbnet_bench: measurements of trained cbnet models\n"
    "\n"
    "Usage: cbnet_bench COMMAND [OPTIONS]\n"
    "\n"
    "  table2    latency, energy and accuracy of the models of a run, beside the paper's Table II\n"
    "  accuracy  test accuracy over several runs: mean and range\n"
    "  ops       every op of the engine on its own, forward and backward\n"
    "  recipes   trains CBNet in several ways and compares their validation accuracy\n"
    "\n"
    "  cbnet_bench COMMAND --help   options and examples of a command\n"
    "  cbnet_bench --version\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage or input.\n";

int run(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "--help" : words.front();
  if (command == "--help" || command == "-h" || command == "help") {
    std::cout << kUsage;
    return 0;
  }
  if (command == "--version") {
    std::cout << "cbnet_bench " << cbnet::kVersion << "\n";
    return 0;
  }
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (command == "table2") return cbnet::bench::run_table2(rest);
  if (command == "accuracy") return cbnet::bench::run_accuracy(rest);
  if (command == "ops") return cbnet::bench::run_ops(rest);
  if (command == "recipes") return cbnet::bench::run_recipes(rest);
  throw cbnet::UsageError("unknown command '" + command + "'; hint: see `cbnet_bench --help`");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return cbnet::run_main("cbnet_bench", [&] { return run(words); });
}
