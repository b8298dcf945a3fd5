#include <string>
#include <vector>

#include "bench/accuracy.h"
#include "bench/audit.h"
#include "bench/gpu.h"
#include "bench/growth.h"
#include "bench/ops.h"
#include "bench/pareto.h"
#include "bench/recipes.h"
#include "bench/roofline.h"
#include "bench/table2.h"
#include "console/run_main.h"

namespace {

constexpr cbnet::Command kCommands[] = {
    {"table2", cbnet::bench::run_table2},     {"roofline", cbnet::bench::run_roofline},
    {"growth", cbnet::bench::run_growth},     {"gpu", cbnet::bench::run_gpu},
    {"accuracy", cbnet::bench::run_accuracy}, {"audit", cbnet::bench::run_audit},
    {"ops", cbnet::bench::run_ops},           {"recipes", cbnet::bench::run_recipes},
    {"pareto", cbnet::bench::run_pareto}};

constexpr const char* kUsage =
    "cbnet_bench: measurements of cbnet's models and engine\n"
    "\n"
    "Usage: cbnet_bench COMMAND [OPTIONS]\n"
    "\n"
    "  table2    latency, energy and accuracy of the models of a run, beside the paper's Table II\n"
    "  roofline  every step of the models' plans, beside the limits of the machine\n"
    "  growth    time per image against batch, threads, width and image side; a plot of it\n"
    "  gpu       the models of a run on a GPU: one image launched in three ways, and batches\n"
    "  accuracy  test accuracy over several runs: mean and range\n"
    "  audit     every number that the paper claims beside what is measured here, with a verdict\n"
    "  ops       every op of the engine on its own, forward and backward\n"
    "  recipes   trains CBNet in several ways and compares their validation accuracy\n"
    "  pareto    searches small networks for accuracy against time\n"
    "\n"
    "  cbnet_bench COMMAND --help says more about one of them; cbnet_bench --version prints the version.\n"
    "\n"
    "Examples:\n"
    "  cbnet_bench table2 --run runs/fmnist --json table2.json\n"
    "  cbnet_bench growth --plot growth.svg\n"
    "  cbnet_bench ops --op conv2d --threads 1\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage or input.\n";

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return cbnet::run_main("cbnet_bench",
                         [&] { return cbnet::run_command("cbnet_bench", kUsage, kCommands, words); });
}
