#include <array>

#include "cli/commands.h"
#include "console/run_main.h"

namespace cbnet::cli {
namespace {

constexpr std::array<Command, 8> kCommands{{{"data", run_data},
                                            {"train", run_train},
                                            {"eval", run_eval},
                                            {"predict", run_predict},
                                            {"compile", run_compile},
                                            {"export", run_export},
                                            {"import", run_import},
                                            {"info", run_info}}};

constexpr const char* kHelp =
    R"(cbnet trains and runs CBNet: an autoencoder that converts hard images into easy ones, and a
small classifier for them (Mahmud et al., "A Converting Autoencoder Toward Low-latency and
Energy-efficient DNN Inference at the Edge").

Usage:
  cbnet COMMAND [options]

Commands:
  data     find, download and check MNIST, Fashion-MNIST and KMNIST
  train    train LeNet, BranchyNet, the converting autoencoder and CBNet
  eval     measure trained models on the test set
  predict  classify images
  compile  prepare a model for inference in fewer bits
  export   write a model as ONNX
  import   read a network from ONNX
  info     this build and machine; what is in a model file

  cbnet COMMAND --help says more about one of them; cbnet --version prints the version.

Examples:
  cbnet train --dataset fmnist --out runs/fmnist
  cbnet eval --run runs/fmnist --dataset fmnist
  cbnet predict --run runs/fmnist shoe.png

Exit codes: 0 done, 2 wrong usage or input, 1 anything else that failed.
)";

}  // namespace
}  // namespace cbnet::cli

int main(int argc, char** argv) {
  const cbnet::cli::Arguments words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return cbnet::run_main(
      "cbnet", [&] { return cbnet::run_command("cbnet", cbnet::cli::kHelp, cbnet::cli::kCommands, words); });
}
