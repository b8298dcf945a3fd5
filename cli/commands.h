#pragma once

#include <string>
#include <vector>

namespace cbnet::cli {

/// Each command takes the words behind its name and returns the exit code.
using Arguments = std::vector<std::string>;

int run_data(const Arguments& arguments);
int run_train(const Arguments& arguments);
int run_eval(const Arguments& arguments);
int run_predict(const Arguments& arguments);
int run_compile(const Arguments& arguments);
int run_export(const Arguments& arguments);
int run_import(const Arguments& arguments);
int run_info(const Arguments& arguments);

}  // namespace cbnet::cli
