#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/run_program.h"

// Runs of the `cbnet` program on the excerpt of Fashion-MNIST in tests/golden.

namespace cbnet::test {

using Json = nlohmann::ordered_json;

/// cbnet ARGUMENTS, with one thread.
ProgramResult cbnet_run(const std::vector<std::string>& arguments, const ProgramOptions& options = {});

/// The excerpt as options: --dataset fmnist --data-dir …
std::vector<std::string> excerpt_options();

/// `cbnet train` on the excerpt into `out`, in about a second. 200 images and a few epochs make no
/// good models, and that each class has an easy image takes a threshold at which all images leave early.
std::vector<std::string> train_arguments(const std::string& out, const std::vector<std::string>& more = {});

/// The folder of a finished training of all models, made at the first call in this process.
const std::string& trained_run();

/// The content of a JSON file; the test fails when it is none.
Json read_json(const std::string& path);

/// Fails the test unless the program refused its input: exit code 2, nothing on stdout, and one line on
/// stderr that starts with "cbnet: " and holds `part`.
void check_refused(const ProgramResult& result, const std::string& part);

}  // namespace cbnet::test
